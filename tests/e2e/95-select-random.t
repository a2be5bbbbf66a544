# Members that want this and that, here and there, come, go, are cut off and come back, while others publish, own state
# that goes with them, and let state end; against a plain list of all records: at the end each knows what it is due, and
# what is no state it had once.
#
# HUB_TEST_SEED repeats a run, HUB_TEST_ROUNDS makes it longer: two runs each, of one hub and of one with a store.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Store;
use POSIX qw(ceil floor);

my $true = JSON::PP::true();
my $false = JSON::PP::false();
my $size = 10;
my $world = 60;
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

sub is_in {
	my ($area, $r) = @_;
	return 1 if !$area || $r->{type} ne 'pos' || !defined $r->{x};
	my $reach = ceil($area->{r} / $size);
	return !grep { abs(floor($r->{$_} / $size) - floor($area->{$_} / $size)) > $reach } 'x', 'y';
}

# What a record does to what somebody knows: {key}{type} is its seq. What is later stands.
sub apply {
	my ($know, $r) = @_;
	if ($r->{type} eq 'state_deleted') {
		my $types = $know->{ $r->{key} } // {};
		delete @$types{ grep { $types->{$_}{seq} < $r->{seq} } keys %$types };
	} elsif ($set{ $r->{type} } && ($know->{ $r->{key} }{ $r->{type} }{seq} // 0) < $r->{seq}) {
		$know->{ $r->{key} }{ $r->{type} } = $r;
	}
}

# RFC 7396, section 2.
sub merge {
	my ($target, $patch) = @_;
	return $patch if ref $patch ne 'HASH';
	my %t = ref $target eq 'HASH' ? %$target : ();
	for my $name (keys %$patch) {
		if (defined $patch->{$name}) { $t{$name} = merge($t{$name}, $patch->{$name}) } else { delete $t{$name} }
	}
	return \%t;
}

my @hows;    # of a round: few, so that members share what they get

sub new_how {
	my %how = (coin() ? (tick => any(1, 5, 20, 50)) : (), map { coin() ? ($_ => $true) : () } qw(batch conflate));
	$how{priority} = any('say', 'hat', [ 'x', 'pos' ]) if coin(0.3);
	$how{fields} = 'compact' if $how{batch} && coin();
	$how{delta} = $true if $how{batch} && coin();
	return \%how;
}

sub how { return any(@hows) }

sub new_area { return { x => rand $world, y => rand $world, r => any(0, 5, 10, 25) } }

# The records of a message; what those before have said is put back.
sub records {
	my ($m, $message) = @_;
	return $message if ref $message ne 'ARRAY';
	my (%said, @all);
	for my $r (@$message) {
		if (ref $r eq 'ARRAY') {
			my $base = $m->{by_seq}{ $r->[0] };
			if (!$base) {
				$m->{wrong} = "a patch of $r->[0], which it has not";
				next;
			}
			my $when = $r->[1]{timestamp} // $said{timestamp};
			$r = merge($base, $r->[1]);
			$r->{timestamp} = $when;
			$m->{patches}++;
		}
		if ($r->{seq}) {
			$said{$_} = $r->{$_} //= $said{$_} for qw(session_id timestamp from);
			$m->{by_seq}{ $r->{seq} } = $r;
		}
		push @all, $r;
	}
	return @all;
}

# --- a member that selects

sub connection {
	my ($hub) = @_;
	my $how = int rand 3;
	return $how == 0 ? $hub->client('unix') : $hub->client('ws', $how == 1 ? () : (deflate => 1));
}

sub enter {
	my ($m, %more) = @_;
	$m->{how} = how() if coin() && !exists $more{since};
	$m->{conflates} ||= $m->{how}{conflate};
	my %types = $m->{types} ? (types => $m->{types}) : ();
	my %area = $m->{area} ? (area => $m->{area}) : ();
	my $j = $m->{c}->join_session($m->{s}, %{ $m->{how} }, %types, %area, echo => $m->{echo}, %more);
	push @{ $m->{trace} }, 'joins ' . json({ %{ $m->{how} }, %types, %area, %more }) . ': ' . json($j);
	$m->{id} = $j->{client_id};
	$m->{resume} = $j->{resume};
	$m->{epoch} = $j->{epoch};
	$m->{asked} = {};
	$m->{entering} = undef;
	if (!$j->{recovered}) {
		@$m{qw(from left know had skipped ahead)} = (@$j{qw(seq snapshot)}, {}, {}, 0, 0);
		$m->{place} = undef;
		$m->{place} = $j->{seq} if !$m->{left};
	}
	return $j;
}

sub begin {
	my ($m, $hub) = @_;
	$m->{c} = connection($hub);
	enter($m);
}

# An area of which all has come.
sub entered {
	my ($m) = @_;
	$m->{area} = $m->{entering}{area};
	$m->{entering} = undef;
}

sub take_one {
	my ($m, $r, $ahead) = @_;
	if ($r->{type} eq 'area_left' && !$r->{from}) {
		for my $l (@{ $r->{left} }) { delete $m->{know}{$_}{ $l->{type} } for @{ $l->{keys} } }
		return;
	}
	if ($r->{type} eq 'area_entered' && !$r->{from}) {
		my $area = delete $m->{asked}{ $r->{msg_id} };
		return if $r->{overtaken};
		# One with the same cells is told at once.
		if ($m->{entering}) {
			$m->{wrong} = 'an area while another one is entered' if $r->{snapshot};
			$m->{entering}{area} = $area;
			return;
		}
		$m->{entering} = { left => $r->{snapshot}, area => $area, had => [] };
		entered($m) if !$r->{snapshot};
		return;
	}
	if (!$r->{from}) {
		$m->{skipped} += $r->{count} if $r->{type} eq 'skipped';
		$m->{wrong} = $r->{type} if $r->{type} eq 'gap' || $r->{type} eq 'error' && $r->{data}{code} ne 'conflict';
		return;
	}
	return if $m->{ended};
	$m->{by_seq}{ $r->{seq} } = $r;
	$m->{text}{ $r->{seq} } = json($r);
	apply($m->{know}, $r);
	if ($m->{left}) {
		$m->{place} = $m->{from} if !--$m->{left};
		return;
	}
	if ($m->{entering}) {
		push @{ $m->{entering}{had} }, $r;
		$m->{wrong} = "$r->{seq} is not of the state" if !$set{ $r->{type} } || $r->{seq} > $m->{place} && $m->{all};
		entered($m) if !--$m->{entering}{left};
		return;
	}
	$m->{ended} = $r->{type} eq 'end';
	$m->{had}{ $r->{seq} }++;
	if ($ahead) {
		$m->{wrong} = "$r->{seq} ahead behind $m->{ahead}" if $r->{seq} <= $m->{ahead};
		$m->{ahead} = $r->{seq};
		return;
	}
	$m->{wrong} = "$r->{seq} behind $m->{place}" if $r->{seq} <= $m->{place};
	$m->{place} = $r->{seq};
}

sub take {
	my ($m) = @_;
	push @{ $m->{trace} }, @{ $m->{c}{in} };
	for my $message (map { unjson($_) } splice @{ $m->{c}{in} }) {
		if (ref $message eq 'HASH' && $message->{type} eq 'ahead') {
			take_one($m, $_, 1) for records($m, $message->{records});
		} else {
			take_one($m, $_) for records($m, $message);
		}
	}
}

sub cut {
	my ($m, $hub) = @_;
	take($m) if coin();
	if (coin()) { $m->{c}->vanish } else { $m->{c}->abort }
	come_back($m, $hub);
}

sub come_back {
	my ($m, $hub) = @_;
	$m->{cuts}++;
	# What had come of an area is to be forgotten, and that is asked for again before any other: what was to be forgotten
	# for its sake is gone.
	my $entering = $m->{entering};
	delete $m->{know}{ $_->{key} }{ $_->{type} } for $entering ? @{ $entering->{had} } : ();
	return begin($m, $hub) if !defined $m->{place} || coin(0.1);
	$m->{c} = connection($hub);
	my $j = enter($m, since => $m->{place}, ($m->{ahead} > $m->{place} ? (ahead => $m->{ahead}) : ()), epoch => $m->{epoch},
		coin(0.8) ? (resume => $m->{resume}) : ());
	$m->{wrong} = "not recovered: " . ($j->{reason} // '') if !$j->{recovered};
	return if !$entering;
	move($m, 'again', $entering->{area});
	wait_for { take($m); !$m->{entering} && !$m->{asked}{again} } 'all of its area', undef, $m->{c};
}

sub move {
	my ($m, $id, $area) = @_;
	$area //= new_area();
	$m->{asked}{$id} = $area;
	$m->{c}->send({ type => 'interest', area => $area, msg_id => $id });
}

sub speak {
	my ($m, $n) = @_;
	my $key = 'k' . int rand 6;
	my %at = (key => $key, n => $n, x => rand $world, y => rand $world, long => 'so that a patch is shorter than all of it, ' x 4);
	delete $at{x} if coin(0.1);
	$at{n} = "$n";
	$m->{c}->send(any(
		{ type => 'pos', %at }, { type => 'pos', %at }, { type => 'pos', %at }, { type => 'hat', key => $key, n => $n },
		{ type => 'say', n => $n }, { type => 'x', n => $n }, { type => 'pos', %at, own => $true },
		{ type => 'hat', key => $key, n => $n, ttl => 0.01 }, { type => 'state_deleted', key => $key },
		{ type => 'pos', %at, if_seq => 0 }, { type => 'pos', %at, newer => $true, timestamp => 1000 + int rand 100 }));
}

# What was taken on a condition.
sub lawful {
	my ($log) = @_;
	my %state;
	for my $r (@$log) {
		my ($last) = sort { $b->{seq} <=> $a->{seq} } values %{ $state{ $r->{key} // '' } // {} };
		return "record $r->{seq} was to be the first of its key" if defined $r->{if_seq} && $last;
		return "record $r->{seq} is older than $last->{seq}" if $r->{newer} && $last && $last->{timestamp} >= $r->{timestamp};
		apply(\%state, $r);
	}
	return '';
}

# What it is due, out of all records.
sub check {
	my ($m, $log) = @_;
	return $m->{wrong} if $m->{wrong};
	my (%know, @due, %state);
	for my $r (@$log) {
		my $wanted = wants($m->{types}, $r->{type});
		apply(\%state, $r);
		next if $r->{seq} <= $m->{from} || !$wanted || !$m->{echo} && $m->{mine}{ $r->{from} };
		push @due, $r;
	}
	if ($m->{echo}) {
		for my $key (keys %state) {
			wants($m->{types}, $_) && is_in($m->{area}, $state{$key}{$_}) and $know{$key}{$_} = $state{$key}{$_} for keys %{ $state{$key} };
		}
	} else {
		# It does not hear of its own.
		my %before;
		for my $r (@$log) {
			next if $r->{seq} > $m->{from} && (!wants($m->{types}, $r->{type}) || $m->{mine}{ $r->{from} });
			apply(\%before, $r);
			next if $r->{seq} != $m->{from};
			for my $types (values %before) { wants($m->{types}, $_) or delete $types->{$_} for keys %$types }
		}
		%know = %before;
	}
	my %had = %{ $m->{had} };
	my $missing = 0;
	for my $r (@due) {
		my $n = delete $had{ $r->{seq} } // 0;
		return "record $r->{seq} is $m->{text}{$r->{seq}}, not " . json($r) if $n && $m->{text}{ $r->{seq} } ne json($r);
		next if $n == 1;
		return "record $r->{seq} $n times" if $n || !($set{ $r->{type} } && $m->{conflates} || $m->{areas} && $r->{type} =~ /^(?:pos|state_deleted)$/);
		$missing++;
	}
	return 'not due: ' . join ' ', keys %had if %had;
	return "$missing did not come, but it was told of $m->{skipped}" if $missing != $m->{skipped} && !$m->{cuts} && !$m->{areas};
	my $flat = sub { my ($k) = @_; return json({ map { my $key = $_; map { ("$key $_" => $k->{$key}{$_}{seq}) } keys %{ $k->{$key} } } keys %$k }) };
	return $flat->($m->{know}) eq $flat->(\%know) ? '' : 'knows ' . $flat->($m->{know}) . ', but ' . $flat->(\%know) . ($m->{area} ? ' in ' . json($m->{area}) : '');
}

# --- a round

my ($patches, $moves) = (0, 0);

sub one_round {
	my ($hub, $s) = @_;
	my $all = $hub->member('unix', $s);
	@hows = map { new_how() } 1, 2;
	my @wishes = map { any(@types) } 1, 2;
	my @m = map {
		my $area = coin() ? new_area() : undef;
		{ s => $s, types => any(@wishes), echo => $area || coin(0.7) ? $true : $false, how => how(), area => $area, areas => $area }
	} 1 .. 6;
	begin($_, $hub) for @m;
	$_->{mine}{ $_->{id} } = 1 for @m;
	for my $n (1 .. 150) {
		my $m = any(@m);
		my $what = rand;
		if ($what < 0.7) {
			speak($m, $n);
		} elsif ($what < 0.75) {
			move($m, "i$n") if $m->{areas};
		} elsif ($what < 0.85) {
			Hub::Client::pump(0, $m->{c});
			take($m);
		} elsif ($what < 0.92 && $m->{echo}) {
			# Which area it has must be known.
			if ($m->{areas}) {
				move($m, "c$n");
				if (coin()) {
					wait_for { grep { /"msg_id":"c$n"/ } @{ $m->{c}{in} } } 'its area', undef, $m->{c};
				}
				take($m);
			}
			cut($m, $hub);
		} elsif ($what < 0.95) {
			$m->{c}->send({ type => 'session_leave' });
			$m->{c}->wait_type('session_left');
			$m->{c}{in} = [];
			enter($m);
		} else {
			my $before = $m->{how};
			$m->{how} = how();
			$m->{conflates} ||= $m->{how}{conflate};
			my %types = $m->{types} ? (types => $m->{types}) : ();
			my %area;
			if ($m->{areas}) {
				%area = (area => new_area(), msg_id => "j$n");
				$m->{asked}{"j$n"} = $area{area};
			}
			my $j = eval { $m->{c}->join_session($s, %{ $m->{how} }, %types, %area, echo => $m->{echo}) };
			die $@ if !$j && ($m->{c}->closed // 0) != 1013;
			take($m);
			push @{ $m->{trace} }, 'joins again ' . json({ %{ $m->{how} }, %types, %area }) . ': ' . json($j);
			if (!$j) {
				# It had not read what goes before the answer, and comes back as it was.
				$m->{how} = $before;
				$m->{echo} ? come_back($m, $hub) : begin($m, $hub);
				$m->{mine}{ $m->{id} } = 1;
				next;
			}
			$m->{place} = $j->{seq} if defined $m->{place} && $j->{seq} > $m->{place};
		}
		$_->{mine}{ $_->{id} } = 1 for $m;
	}
	# All that was said is logged, what ends has ended, and areas are where they are.
	$_->{areas} && move($_, 'last') for @m;
	$_->{c}->send({ type => 'ping', ping_id => 'last' }) for @m;
	for my $m (@m) {
		wait_for { grep { /"ping_id":"last"/ } @{ $m->{c}{in} } } 'what it said to be logged', undef, map { $_->{c} } @m;
		wait_for { !$m->{areas} || grep { /"msg_id":"last"/ } @{ $m->{c}{in} } } 'its area', undef, map { $_->{c} } @m;
	}
	@{ $_->{c}{in} } = grep { !/"type":"(?:pong|error)"/ } @{ $_->{c}{in} } for @m;
	# Who has gone owns nothing.
	my (@log, %state);
	my $hear = sub {
		for my $r (grep { $_->{from} && $_->{seq} } map { unjson($_) } splice @{ $all->{in} }) {
			push @log, $r;
			apply(\%state, $r);
		}
	};
	my $is_ghost = sub { my ($r) = @_; return $r->{own} && !grep { $_->{id} eq $r->{from} } @m };
	wait_for { $hear->(); !grep { $is_ghost->($_) } map { values %$_ } values %state } 'what is of those who have gone to go', undef, $all,
	    map { $_->{c} } @m;
	my $p = $hub->member('unix', $s);
	$p->send({ type => 'end' });
	my $end = sub { return $_[0] && $_[0] =~ /"type":"end"/ };
	wait_for { $hear->(); grep { $_->{type} eq 'end' } @log } 'all records', undef, $all, map { $_->{c} } @m;
	wait_for { !grep { my $m = $_; !grep { $end->($_) } @{ $m->{c}{in} } } @m } 'the end', undef, map { $_->{c} } @m;
	take($_) for @m;
	# What came behind the end is of no interest.
	my ($last) = map { $_->{seq} } grep { $_->{type} eq 'end' } @log;
	@log = grep { $_->{seq} <= $last } @log;
	my @wrong = grep { $_ } lawful(\@log);
	for my $m (@m) {
		my $wrong = check($m, \@log) or next;
		push @wrong, $wrong;
		diag(join "\n", @{ $m->{trace} }, '', map { json($_) } @log);
	}
	$patches += $_->{patches} // 0 for @m;
	return join '; ', @wrong;
}

my @args = ('--area', "pos=x,y,$size", '--deflate', '--deflate-min', 1);
my $hub = Hub->start(args => [@args]);
my $store = store_hub(store_dir(), args => [ @args, '--history', 4, '--history-bytes', 0, '--slow-after', 0 ]);
for my $n (1 .. $rounds) {
	for my $h ($hub, $store) {
		my $wrong = one_round($h, "r$n");
		is($wrong, '', "round $n" . ($h == $store ? ', with a store' : '')) or last;
	}
}
cmp_ok($patches, '>', $rounds, 'some came as patches') if $rounds > 10;
$_->stop for $hub, $store;
done_testing();
