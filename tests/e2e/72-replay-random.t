# One thread.
# Recordings drawn at random, with gaps, resyncs and other logs: what is cut from them is a recording with
# the right state, and what was cut apart, or recorded twice with different holes, merges to what it was.
#
# HUB_TEST_SEED draws others.
use strict;
use warnings;
use Hub;

my $dir = scratch();
my $rounds = no_sanitizer() ? 12 : 4;
my $start = 1_700_000_000_000;
chance(7);
my $file = 0;

sub replay {
	my (@args) = @_;
	my $r = run([ 'hubreplay', @args ]);
	return ($r->{out}, $r->{status}, $r->{err});
}

sub store {
	my (@lines) = @_;
	return spew("$dir/" . ++$file . '.ndjson', map { ref $_ ? "$_->{text}\n" : "$_\n" } @lines);
}

# A log: records with their times, some of them state of one of five keys, some that delete one.
sub draw_log {
	my ($epoch, $t) = @_;
	my @log;
	for my $seq (1 .. 20 + int rand 40) {
		$t += int(rand 3) * int rand 700;
		my $key = 'k' . int rand 5;
		my $what = rand;
		my ($type, $more) =
		      $what < .4 ? ('note', '')
		    : $what < .8 ? ('score_update', qq(,"key":"$key"))
		    : $what < .9 ? ('game_state', qq(,"key":"$key"))
		    :              ('entity_deleted', qq(,"key":"$key"));
		push @log, { seq => $seq, t => $t, type => $type, key => $more ? $key : undef,
			text => qq({"type":"$type","n":$seq$more,"session_id":"s","timestamp":1,"from":"me","seq":$seq,"t":$t}) };
	}
	return { epoch => $epoch, log => \@log };
}

# The state that the first n records make, oldest first.
sub state_of {
	my ($log, $n) = @_;
	my %state;
	for my $m (@{ $log->{log} }[ 0 .. $n - 1 ]) {
		next unless defined $m->{key};
		if ($m->{type} eq 'entity_deleted') {
			delete @state{ map { "$m->{key} $_" } 'score_update', 'game_state' };
		} else {
			$state{"$m->{key} $m->{type}"} = $m;
		}
	}
	return sort { $a->{seq} <=> $b->{seq} } values %state;
}

sub at { my ($m, $t) = @_; return $m->{text} =~ s/"t":\d+\}$/"t":$t}/r }

sub snapshot {
	my ($log, $seq, $t) = @_;
	my @state = state_of($log, $seq);
	return (sprintf('{"type":"snapshot","session_id":"s","epoch":"%s","seq":%d,"records":%d,"t":%d}', $log->{epoch}, $seq,
		scalar @state, $t), map { at($_, $t) } @state);
}

sub header {
	my ($log, $ms) = @_;
	return sprintf '{"type":"recording","version":1,"session_id":"s","epoch":"%s","start":%d}', $log->{epoch}, $start + ($ms // 0);
}

# What a recorder writes of it that is away now and then: the lines, and the numbers that it has.
sub draw_recording {
	my ($log, $away) = @_;
	my @records = @{ $log->{log} };
	my $from = int rand 5;
	my @lines = (header($log), snapshot($log, $from, $from ? $records[ $from - 1 ]{t} : 0));
	my %has;
	for (my $n = $from; $n < @records; $n++) {
		if (rand() < $away && $n + 4 < @records) {
			my $missed = 1 + int rand 4;
			my $t = $records[ $n + $missed - 1 ]{t};
			push @lines, sprintf '{"type":"gap","session_id":"s","from_seq":%d,"to_seq":%d,"reason":"trimmed","t":%d}',
			    $n + 1, $n + $missed, $t;
			push @lines, snapshot($log, $n + $missed, $t);
			$n += $missed;
		}
		push @lines, $records[$n]{text};
		$has{ $records[$n]{seq} } = 1;
	}
	return (\@lines, \%has);
}

# The log's records in a text, without their times and the state.
sub records_of {
	my ($path) = @_;
	my ($out) = replay('export', '-f', '"\(.seq) \(.type)"', $path);
	return [ map { s/"//gr } split /\n/, $out ];
}

sub good {
	my ($path, $name) = @_;
	my (undef, $status, $err) = replay('verify', $path);
	return is("$status $err", '0 ', "$name: verify finds nothing");
}

for my $round (1 .. $rounds) {
	my $log = draw_log('E1', 0);
	my ($lines, $has) = draw_recording($log, .06);
	my $path = store(@$lines);
	good($path, "round $round");
	my $last = $log->{log}[-1]{t};

	# A part of it.
	my ($from, $to) = sort { $a <=> $b } map { int rand($last + 200) } 1, 2;
	my $part = "$dir/" . ++$file . (rand() < .3 ? '.zst' : '.ndjson');
	is((replay('cut', '--from', "${from}ms", '--to', "${to}ms", '-o', $part, $path))[1], 0, "cut from $from to $to");
	good($part, 'cut');
	my @before = grep { $_->{t} < $from } @{ $log->{log} };
	# What was missed before counts as soon as the snapshot behind it is there; so look at what is known.
	my $known = 0;
	for (@$lines) {
		my ($t) = /"t":(\d+)\}$/ or next;
		last if $t >= $from;
		$known = $1 if /"type":"snapshot".*"seq":(\d+)/ || !/"type":"(?:snapshot|gap)"/ && /"seq":(\d+),"t"/ && $1 > $known;
	}
	my ($state) = replay('export', '--state', '-f', 'select(.t == 0) | .seq', $part);
	my @seen = grep { $_ <= $known } split /\n/, $state;
	is_deeply(\@seen, [ map { $_->{seq} } state_of($log, $known) ], 'the state at its beginning') if $to > $from && $known;
	is_deeply(records_of($part), [ map { "$_->{seq} $_->{type}" } grep { $_->{t} >= $from && $_->{t} < $to && $has->{ $_->{seq} } }
		@{ $log->{log} } ], 'its records');

	# Cut apart, and put together.
	my @parts = map { "$dir/" . ++$file . '.ndjson' } 1 .. 3;
	replay('cut', '--to', "${from}ms", '-o', $parts[0], $path);
	replay('cut', '--from', "${from}ms", '--to', "${to}ms", '-o', $parts[1], $path);
	replay('cut', '--from', "${to}ms", '-o', $parts[2], $path);
	my $whole = "$dir/" . ++$file . '.ndjson';
	is((replay('merge', '-o', $whole, sort { rand() < .5 ? -1 : 1 } @parts))[1], 0, 'merge of the parts');
	good($whole, 'merged');
	is_deeply(records_of($whole), records_of($path), 'all records are there again');

	# Recorded twice, with other holes.
	my ($other, $other_has) = draw_recording($log, .06);
	replay('merge', '-o', my $both = "$dir/" . ++$file . '.ndjson', $path, store(@$other));
	good($both, 'two of one session');
	my %seen = map { /^(\d+)/ ? ($1 => 1) : () } @{ records_of($both) };
	my @lost = grep { !$seen{$_} && $has->{$_} && $_ > 5 } 1 .. @{ $log->{log} };
	is("@lost", '', 'what the first has');

	# Another log behind it.
	my $next = draw_log('E2', 0);
	my ($behind, $behind_has) = draw_recording($next, .06);
	$behind->[0] = header($next, $last + 1000);
	replay('merge', '-o', my $two = "$dir/" . ++$file . '.ndjson', store(@$behind), $path);
	good($two, 'two logs');
	is(scalar @{ records_of($two) }, keys(%$has) + keys(%$behind_has), 'with the records of both');
}

done_testing;
