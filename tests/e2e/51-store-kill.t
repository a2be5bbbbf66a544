# hubd is killed at random moments while publishers send: whatever it had
# acknowledged is there afterwards, once, in one row of numbers under the same epoch. The same for a copy of
# the store and its WAL made at a random moment, as after a power cut.
#
# HUB_TEST_SEED repeats a run.
# Long.
use strict;
use warnings;
use File::Copy qw(copy);
use Hub;
use Hub::Store;

chance();
my $window = 64;
my $rounds = no_sanitizer() ? 30 : 10;
my $pad = 'x' x 100;

# A publisher with many messages in flight, which resends what was not acknowledged under its own name.
sub publisher {
	my ($name) = @_;
	return { name => $name, next => 1, flying => {}, acked => {}, twice => 0, moved => 0 };
}

sub attach {
	my ($p, $hub, $transport) = @_;
	my $c = $p->{client} = $hub->client($transport);
	my $joined = $c->join_session('s', echo => JSON::PP::false(), $p->{token} ? (resume => $p->{token}) : ());
	$p->{id} //= $joined->{client_id};
	is($joined->{client_id}, $p->{id}, 'who comes back is who it was') if $joined->{client_id} ne $p->{id};
	@$p{qw(token epoch)} = @$joined{qw(resume epoch)};
	$c->{in} = [];
	transmit($p, $_) for sort { $a <=> $b } keys %{ $p->{flying} };
	return $joined;
}

sub transmit {
	my ($p, $n) = @_;
	$p->{client}->send_text(qq({"type":"t","msg_id":"$p->{name}$n","who":"$p->{name}","n":$n,"pad":"$pad"}));
}

# Takes what acks have come.
sub take_acks {
	my ($p) = @_;
	for (splice @{ $p->{client}{in} }) {
		/^\{"type":"ack","msg_id":"[a-z]+(\d+)","session_id":"s","seq":(\d+)\}$/ or next;
		$p->{moved}++ if exists $p->{acked}{$1} && $p->{acked}{$1} != $2;
		$p->{acked}{$1} = $2;
		delete $p->{flying}{$1};
	}
}

# And keeps as many messages in flight as may be.
sub keep_sending {
	my ($p) = @_;
	take_acks($p);
	while (keys %{ $p->{flying} } < $window) {
		$p->{flying}{ $p->{next} } = 1;
		transmit($p, $p->{next}++);
	}
}

# For a random time, which begins at once, or with an ack.
sub load {
	my ($wait, @publishers) = @_;
	my $acked = sub { my $n = 0; $n += keys %{ $_->{acked} } for @publishers; return $n };
	my $before = $acked->();
	if ($wait) {
		wait_for { keep_sending($_) for @publishers; $acked->() > $before } 'an ack';
	}
	my $end = now() + 0.02 + rand(0.13) * slow();
	do {
		keep_sending($_) for @publishers;
		pump(0.005);
	} while now() < $end;
	keep_sending($_) for @publishers;
}

# What is wrong with the records of a hub, given what had been acknowledged; an empty list if nothing is.
# $seen: {at, head} of records that were looked at before.
sub problems {
	my ($hub, $seen, @publishers) = @_;
	my $reader = $hub->member('unix', 's', since => $seen->{head} ||= 0);
	my ($head, $next, @wrong) = ($reader->{joined}{seq}, $seen->{head} + 1);
	my $at = $seen->{at} ||= {};
	push @wrong, "since $seen->{head}: $reader->{joined}{reason}" unless $reader->{joined}{recovered};
	wait_for { $head < $next || @{ $reader->{in} } && $reader->{in}[-1] =~ /"seq":$head\}$/ } 'all records';
	for (@{ $reader->{in} }) {
		my ($who, $n, $seq) = /"who":"([a-z]+)","n":(\d+).*"seq":(\d+)\}$/ or push @wrong, "strange: $_";
		push @wrong, "seq $seq where $next should be" if $seq != $next;
		push @wrong, "$who$n is there twice" if exists $at->{"$who$n"};
		$at->{"$who$n"} = $seq;
		$next = $seq + 1;
	}
	$seen->{head} = $head;
	for my $p (@publishers) {
		for my $n (keys %{ $p->{acked} }) {
			my $seq = $at->{"$p->{name}$n"};
			push @wrong, "$p->{name}$n was acked and is missing" if !defined $seq;
			push @wrong, "$p->{name}$n moved" if defined $seq && $seq != $p->{acked}{$n};
		}
		push @wrong, "acks of $p->{name} changed" if $p->{moved};
	}
	$reader->vanish;
	return @wrong > 5 ? (@wrong[ 0 .. 4 ], scalar(@wrong) . ' in all') : @wrong;
}

subtest "kill -9, $rounds rounds" => sub {
	my $dir = store_dir();
	my @publishers = map { publisher($_) } qw(a b);
	my ($epoch, @wrong, %seen);
	my ($moved_on, $same, $lost) = (0, 0, 0);
	for my $round (1 .. $rounds) {
		my $hub = store_hub($dir, args => [ '--sync', 'full' ]);
		if ($round > 1) {
			push @wrong, map { "round $round: $_" } problems($hub, \%seen, @publishers);
		}
		attach($publishers[0], $hub, 'unix');
		attach($publishers[1], $hub, 'ws');
		$epoch //= $publishers[0]{epoch};
		$same += $_->{epoch} eq $epoch for @publishers;
		my $acked = keys(%{ $publishers[0]{acked} }) + keys %{ $publishers[1]{acked} };
		load($round % 4, @publishers);
		killed($hub);
		# What hubd had sent before it was killed counts.
		wait_for { $publishers[0]{client}{gone} && $publishers[1]{client}{gone} } 'the hub to be gone';
		for my $p (@publishers) {
			take_acks($p);
			$lost += keys %{ $p->{flying} };
		}
		$moved_on++ if keys(%{ $publishers[0]{acked} }) + keys(%{ $publishers[1]{acked} }) > $acked;
		last if @wrong;
	}
	my $hub = store_hub($dir);
	push @wrong, problems($hub, \%seen, @publishers);
	# All that was in flight is acked in the end, and then all is there exactly once.
	attach($_, $hub, 'ws') for @publishers;
	for my $p (@publishers) {
		wait_for { take_acks($p); !%{ $p->{flying} } } 'the last acks';
		is(keys %{ $p->{acked} }, $p->{next} - 1, "$p->{name}: every message was acked in the end");
	}
	push @wrong, problems($hub, {}, @publishers);
	is("@wrong", '', 'nothing acknowledged is missing, nothing is twice, all numbers are there');
	my $total = keys(%{ $publishers[0]{acked} }) + keys %{ $publishers[1]{acked} };
	is($hub->member('unix', 's')->{joined}{seq}, $total, "as many records as messages: $total");
	is($same, 2 * $rounds, 'the epoch is the same all the time');
	cmp_ok($moved_on, '>', $rounds / 2, "most rounds had acks ($moved_on)");
	cmp_ok($lost, '>', $rounds, "and messages in flight when hubd died ($lost)");
	$hub->stop;
	is(sql("$dir/store.db", 'PRAGMA integrity_check'), 'ok', 'the store is sound');
};

subtest 'a copy made while it is written' => sub {
	my $dir = store_dir();
	my @publishers = map { publisher($_) } qw(a b);
	my $hub = store_hub($dir);
	attach($publishers[0], $hub, 'unix');
	attach($publishers[1], $hub, 'ws');
	my @wrong;
	my $copies = no_sanitizer() ? 8 : 3;
	my $checked = 0;
	for my $copy (1 .. $copies) {
		load(1, @publishers);
		my @before = map { +{ %$_, acked => { %{ $_->{acked} } } } } @publishers;
		$checked += keys %{ $_->{acked} } for @before;
		my $there = store_dir();
		# A power cut freezes all files at one moment: hubd stands still meanwhile. What it has
		# not synced would be in the copy too; that much one machine cannot show.
		kill 'STOP', $hub->pid;
		wait_for { slurp('/proc/' . $hub->pid . '/stat') =~ /\) T/ } 'hubd to stand still';
		copy("$dir/$_", "$there/$_") || die "copy: $!\n" for map { "store.db$_" } '', '-wal', '-redo1', '-redo2';
		kill 'CONT', $hub->pid;
		my $other = store_hub($there);
		push @wrong, map { "copy $copy: $_" } problems($other, {}, @before);
		my $reader = $other->member('unix', 's');
		push @wrong, "copy $copy: another epoch" if $reader->{joined}{epoch} ne $publishers[0]{epoch};
		$other->stop(name => "copy $copy: the hub on it ends well");
	}
	is("@wrong", '', 'everything acknowledged before is in the copy, once, in order');
	cmp_ok($checked, '>', 0, "$checked acks were looked for");
	$hub->stop;
};

done_testing;
