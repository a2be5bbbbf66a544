# Members that want this and that come, go, are cut off and come back, while others publish, own state that goes
# with them, and let state end; against a plain list of all records: at the end each knows what it is due, and what
# is no state it had once.
#
# HUB_TEST_SEED repeats a run.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Store;

my $true = JSON::PP::true();
my $false = JSON::PP::false();
chance();
my $rounds = $ENV{HUB_TEST_ROUNDS} // (no_sanitizer() ? 60 : 15);
my @types = (undef, [ 'pos', 'end' ], ['!pos'], [ 'p*', 'say', 'end' ], [ '!hat', '!x' ], ['end']);
my %set = map { ($_ => 1) } qw(pos hat);

sub coin { return rand() < ($_[0] // 0.5) }
sub any { return $_[ rand @_ ] }

# As the page says it.
sub wants {
	my ($list, $type) = @_;
	return 1 if !$list;
	my $is = sub { my ($glob) = @_; $glob =~ s/\*/.*/g; $type =~ /^$glob$/ };
	return 0 if grep { /^!(.*)/ && $is->("$1") } @$list;
	my @in = grep { !/^!/ } @$list;
	return !@in || $type eq 'state_deleted' || !!grep { $is->($_) } @in;
}

# What a record does to what somebody knows: {key}{type} is its seq.
sub apply {
	my ($know, $r) = @_;
	if ($r->{type} eq 'state_deleted') {
		delete $know->{ $r->{key} };
	} elsif ($set{ $r->{type} }) {
		$know->{ $r->{key} }{ $r->{type} } = $r->{seq};
	}
}

my @hows;    # of a round: few, so that members share what they get

sub new_how {
	my %how = (coin() ? (tick => any(1, 5, 20, 50)) : (), map { coin() ? ($_ => $true) : () } qw(batch conflate));
	$how{priority} = any('say', 'hat', [ 'x', 'pos' ]) if coin(0.3);
	$how{fields} = 'compact' if $how{batch} && coin();
	return \%how;
}

# The records of a message; what the one before has said is put back.
sub records {
	my ($message) = @_;
	return $message if ref $message ne 'ARRAY';
	my %said;
	for my $r (grep { $_->{seq} } @$message) {
		for my $name (qw(session_id timestamp from)) {
			$said{$name} = $r->{$name} //= $said{$name};
		}
	}
	return @$message;
}

sub how { return any(@hows) }

# --- a member that selects

sub enter {
	my ($m, %more) = @_;
	$m->{how} = how() if coin();
	my %types = $m->{types} ? (types => $m->{types}) : ();
	my $j = $m->{c}->join_session($m->{s}, %{ $m->{how} }, %types, echo => $m->{echo}, %more);
	$m->{id} = $j->{client_id};
	$m->{resume} = $j->{resume};
	$m->{epoch} = $j->{epoch};
	$m->{late} = 0;
	if (!$j->{recovered}) {
		@$m{qw(from left know had skipped)} = (@$j{qw(seq snapshot)}, {}, {}, 0);
		$m->{place} = undef;
		$m->{place} = $j->{seq} if !$m->{left};
	}
	return $j;
}

sub begin {
	my ($m, $hub) = @_;
	$m->{c} = $hub->client(any('ws', 'unix'));
	enter($m);
}

sub take {
	my ($m) = @_;
	for my $r (map { records(unjson($_)) } splice @{ $m->{c}{in} }) {
		if (!$r->{from}) {
			$m->{skipped} += $r->{count} if $r->{type} eq 'skipped';
			$m->{wrong} = $r->{type} if $r->{type} eq 'gap' || $r->{type} eq 'error' && $r->{data}{code} ne 'conflict';
			next;
		}
		next if $m->{ended};
		$m->{ended} = $r->{type} eq 'end';
		apply($m->{know}, $r);
		if ($m->{left}) {
			$m->{place} = $m->{from} if !--$m->{left};
			next;
		}
		$m->{had}{ $r->{seq} }++;
		$m->{wrong} = "$r->{seq} behind $m->{place}" if $r->{seq} <= $m->{place};
		$m->{place} = $r->{seq};
	}
}

sub cut {
	my ($m, $hub) = @_;
	take($m) if coin();
	if (coin()) { $m->{c}->vanish } else { $m->{c}->abort }
	return begin($m, $hub) if !defined $m->{place} || coin(0.1);
	$m->{c} = $hub->client(any('ws', 'unix'));
	my $j = enter($m, since => $m->{place}, epoch => $m->{epoch}, coin(0.8) ? (resume => $m->{resume}) : ());
	$m->{wrong} = "not recovered: " . ($j->{reason} // '') if !$j->{recovered};
}

sub speak {
	my ($m, $n) = @_;
	my $key = 'k' . int rand 6;
	$m->{c}->send(any(
		{ type => 'pos', key => $key, n => $n }, { type => 'pos', key => $key, n => $n }, { type => 'hat', key => $key, n => $n },
		{ type => 'say', n => $n }, { type => 'x', n => $n }, { type => 'pos', key => $key, n => $n, own => $true },
		{ type => 'hat', key => $key, n => $n, ttl => 0.01 }, { type => 'state_deleted', key => $key },
		{ type => 'pos', key => $key, n => $n, if_seq => 0 }));
}

# What it is due, out of all records.
sub check {
	my ($m, $log) = @_;
	my (%know, @due, %state);
	for my $r (@$log) {
		my $wanted = wants($m->{types}, $r->{type});
		if ($r->{seq} <= $m->{from}) {
			apply(\%state, $r);
			if ($r->{seq} == $m->{from}) {
				for my $key (keys %state) {
					wants($m->{types}, $_) and $know{$key}{$_} = $state{$key}{$_} for keys %{ $state{$key} };
				}
			}
			next;
		}
		next if !$wanted || !$m->{echo} && $m->{mine}{ $r->{from} };
		push @due, $r;
		apply(\%know, $r);
	}
	return $m->{wrong} if $m->{wrong};
	my %had = %{ $m->{had} };
	my ($missing, @late) = (0);
	for my $r (@due) {
		my $n = delete $had{ $r->{seq} } // 0;
		next if $n == 1;
		return "record $r->{seq} $n times" if $n || !$set{ $r->{type} } || !$m->{conflates};
		$missing++;
	}
	return 'not due: ' . join ' ', keys %had if %had;
	return "$missing did not come, but it was told of $m->{skipped}" if $missing != $m->{skipped} && !$m->{cuts};
	my %flat = map { my $k = $_; map { ("$k $_" => $m->{know}{$k}{$_}) } keys %{ $m->{know}{$k} } } keys %{ $m->{know} };
	my %want = map { my $k = $_; map { ("$k $_" => $know{$k}{$_}) } keys %{ $know{$k} } } keys %know;
	return json(\%flat) eq json(\%want) ? '' : 'knows ' . json(\%flat) . ', but ' . json(\%want);
}

# --- a round

sub one_round {
	my ($hub, $s) = @_;
	my $all = $hub->member('unix', $s);
	@hows = map { new_how() } 1, 2;
	my @wishes = map { any(@types) } 1, 2;
	my @m = map { { s => $s, types => any(@wishes), echo => coin(0.7) ? $true : $false, how => how() } } 1 .. 6;
	begin($_, $hub) for @m;
	$_->{mine}{ $_->{id} } = 1 for @m;
	for my $n (1 .. 150) {
		my $m = any(@m);
		my $what = rand;
		if ($what < 0.75) {
			speak($m, $n);
		} elsif ($what < 0.85) {
			Hub::Client::pump(0, $m->{c});
			take($m);
		} elsif ($what < 0.92 && $m->{echo}) {
			$m->{cuts}++;
			cut($m, $hub);
		} elsif ($what < 0.95) {
			$m->{c}->send({ type => 'session_leave' });
			$m->{c}->wait_type('session_left');
			$m->{c}{in} = [];
			enter($m);
		} else {
			$m->{how} = how();
			my %types = $m->{types} ? (types => $m->{types}) : ();
			$m->{c}->join_session($s, %{ $m->{how} }, %types, echo => $m->{echo});
		}
		$m->{conflates} ||= $_->{how}{conflate} for $m;
		$_->{mine}{ $_->{id} } = 1 for $m;
	}
	$_->{conflates} ||= $_->{how}{conflate} for @m;
	# All that was said is logged, and what ends has ended.
	$_->{c}->send({ type => 'ping', ping_id => 'last' }) for @m;
	for my $m (@m) {
		wait_for { grep { /"ping_id":"last"/ } @{ $m->{c}{in} } } 'what it said to be logged', undef, map { $_->{c} } @m;
	}
	@{ $_->{c}{in} } = grep { !/"type":"(?:pong|error)"/ } @{ $_->{c}{in} } for @m;
	my $p = $hub->member('unix', $s);
	$p->send({ type => 'end' });
	my @log;
	my $end = sub { return $_[0] && $_[0] =~ /"type":"end"/ };
	wait_for { $end->($all->{in}[-1]) || grep { $end->($_) } @{ $all->{in} } } 'all records', undef, $all, map { $_->{c} } @m;
	wait_for { !grep { my $m = $_; !grep { $end->($_) } @{ $m->{c}{in} } } @m } 'the end', undef, map { $_->{c} } @m;
	take($_) for @m;
	# What came behind the end is of no interest.
	@log = grep { $_->{from} && $_->{seq} } map { unjson($_) } @{ $all->{in} };
	my ($last) = map { $_->{seq} } grep { $_->{type} eq 'end' } @log;
	my @wrong = grep { $_ } map { check($_, [ grep { $_->{seq} <= $last } @log ]) } @m;
	return join '; ', @wrong;
}

my $hub = Hub->start;
my $store = store_hub(store_dir(), args => [ '--history', 4, '--history-bytes', 0, '--slow-after', 0 ]);
for my $n (1 .. $rounds) {
	for my $h ($hub, $store) {
		my $wrong = one_round($h, "r$n");
		is($wrong, '', "round $n" . ($h == $store ? ', with a store' : '')) or last;
	}
}
$_->stop for $hub, $store;
done_testing();
