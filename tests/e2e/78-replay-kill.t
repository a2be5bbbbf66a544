# hubd and hubreplay are killed at random moments while a session is recorded. In the file each record that
# the hub has kept stands once and in order; where another log begins, or a crash took records that were
# recorded already, a gap line says so.
#
# HUB_TEST_SEED repeats a run, HUB_TEST_ROUNDS makes it longer.
use strict;
use warnings;
use Hub;
use Hub::Replay;
use Hub::Store;

chance();

my $rounds = $ENV{HUB_TEST_ROUNDS} || (no_sanitizer() ? 6 : 3);

# Publishes until the condition holds.
sub publishing_until(&$$) {
	my ($condition, $what, $t) = @_;
	wait_for { publish_on($t->{hub}, 's', @{ $t->{publishers} }); $condition->() } $what;
}

sub publish_for {
	my ($t, $seconds) = @_;
	my $end = now() + $seconds;
	publish_on($t->{hub}, 's', @{ $t->{publishers} }) while now() < $end;
}

# The file as its reader has it: of each epoch [text of record 1, ...], undef where a gap names it. Dies
# where the order is not as it should be.
sub read_file {
	my ($file) = @_;
	my (%log, $epoch, $last, $state, $first, @marks);
	open my $fh, '<', $file or die;
	while (my $line = <$fh>) {
		my $m = unjson($line);
		if ($m->{type} eq 'recording') {
			($epoch, $last) = ($m->{epoch}, 0);
		} elsif (defined $m->{from}) {
			my ($text) = $line =~ /^(.*),"t":[0-9.]+\}$/ or die $line;
			if ($m->{seq} <= $state) {
				die "a state record that is none: $line" if !$m->{key};
				next;
			}
			die "record $m->{seq} behind $last\n" if $m->{seq} != $last + 1;
			$log{$epoch}[ $last = $m->{seq} ] = "$text}";
		} elsif ($m->{type} eq 'snapshot') {
			$epoch = $m->{epoch} // $epoch;
			$last = $state = $m->{seq};
			$first //= $state;
		} elsif ($m->{type} eq 'gap') {
			push @marks, "$m->{from_seq}-$m->{to_seq}:$m->{reason}" . ($m->{epoch} && $m->{epoch} ne $epoch ? '*' : '');
			$epoch = $m->{epoch} // $epoch;
			# What was recorded from there on is not what the hub has.
			$#{ $log{$epoch} } = $m->{from_seq} - 1 if @{ $log{$epoch} || [] } > $m->{from_seq};
			$last = $m->{to_seq};
			$state //= 0;
			$state = 0 if $state > $last;
		}
	}
	note "marks: @marks";
	return (\%log, $epoch, \@marks, $first);
}

# All that the hub has of the session: (epoch, [undef, text of record 1, ...]).
sub kept {
	my ($hub) = @_;
	my $c = $hub->unix;
	my $joined = $c->join_session('s', since => 0);
	my @log;
	wait_for {
		for my $text (splice @{ $c->{in} }) {
			$log[$1] = $text if $text =~ /"seq":(\d+)\}$/;
		}
		return @log > $joined->{seq};
	} 'all that the hub has', undef, $c;
	return ($joined->{epoch}, \@log);
}

for my $mode ('memory', 'store') {
	subtest $mode => sub {
		my $dir = store_dir();
		my $file = "$dir/file.ndjson";
		my $t = { publishers => [ map { { name => $_, n => 0 } } 'a', 'b' ] };
		my $start = sub {
			$t->{hub} = $mode eq 'store' ? store_hub($dir) : Hub->start(
				dir => $dir,
				args => [ '--history', 1_000_000, '--history-bytes', 1 << 30, '--history-memory', '1G' ]);
		};
		my $rec;
		my $record = sub { $rec = record($t->{hub}, [ '-o', $file, '--sync', '0.03' ], 's') };
		my $grows = sub {
			my $size = -s $file || 0;
			publishing_until { (-s $file || 0) > $size + 2000 } 'the file to grow', $t;
		};
		$start->();
		$record->();
		my %killed;
		for my $round (1 .. $rounds) {
			$grows->();
			publish_for($t, rand 0.3);
			my $what = $round <= 3 ? $round : 1 + int rand 3;
			$killed{ ('hub', 'recorder', 'both')[ $what - 1 ] }++;
			if ($what & 2) {
				$rec->kill('KILL');
				$rec->wait;
				publish_for($t, rand 0.2);
			}
			if ($what & 1) {
				my $hub = delete $t->{hub};
				if ($mode eq 'store' && rand() < 0.3) {
					$hub->stop;
				} else {
					killed($hub);
				}
				$start->();
			}
			$record->() if $what & 2;
		}
		$grows->();
		$_->{client}->sync for grep { $_->{client} && !$_->{client}{gone} } @{ $t->{publishers} };
		finish($rec);
		is($rec->{status}, 0, 'the recorder ends well');
		my ($epoch, $kept) = kept($t->{hub});
		my ($log, $last, $marks, $first) = eval { read_file($file) };
		is($@, '', 'in order, and each once');
		is($last, $epoch, 'the file ends in the log that there is');
		is(scalar @{ $log->{$epoch} }, scalar @$kept, "all $#$kept records of it are there");
		my @differ = grep { ($kept->[$_] // '') ne ($log->{$epoch}[$_] // 'nothing') } ($mode eq 'store' ? $first : 0) + 1 .. $#$kept;
		is("@differ[0 .. ($#differ < 3 ? $#differ : 3)]", '', 'as the hub has them');
		is(scalar(grep { !/^(\d+)-(\d+):/ || $2 >= $1 } @$marks), 0, 'no record is given up');
		my $new = grep { /\*$/ } @$marks;
		is($new > 0, $mode eq 'memory', 'each new log is announced') or diag("@$marks");
		note join ', ', map { "$_: $killed{$_}" } sort keys %killed;
		my $verify = run([ 'hubreplay', 'verify', $file ]);
		is($verify->{status}, 0, 'hubreplay verify agrees') or diag($verify->{out}, $verify->{err});
		$t->{hub}->stop;
	};
}

# Where the hub keeps little, gaps name exactly what is not there: a member that was always there has it all.
subtest 'a short history' => sub {
	my $dir = store_dir();
	my $file = "$dir/file.ndjson";
	my $hub = Hub->start(dir => $dir, args => [ '--history', 20, '--history-bytes', 0 ]);
	my $t = { hub => $hub, publishers => [ map { { name => $_, n => 0 } } 'a', 'b' ] };
	my $witness = $hub->member('ws', 's');
	my $rec;
	for my $round (1 .. $rounds) {
		$rec = record($hub, [ '-o', $file, '--sync', '0.03' ], 's');
		my $size = -s $file || 0;
		publishing_until { (-s $file || 0) > $size + 2000 } 'the file to grow', $t;
		publish_for($t, rand 0.1);
		$rec->kill('KILL');
		$rec->wait;
		my $pad = 'x' x 1000;
		# More than is kept, so that there is a gap.
		$t->{publishers}[0]{client}->send(map { { type => 'p', pad => $pad } } 1 .. 200 + rand 200);
		$t->{publishers}[0]{client}->sync;
		publishing_until { $hub->health->{history_bytes} < 150_000 } 'the hub to keep few of them', $t;
	}
	$rec = record($hub, [ '-o', $file ], 's');
	my $size = -s $file;
	publishing_until { -s $file > $size } 'the file to grow', $t;
	$_->{client}->sync for @{ $t->{publishers} };
	finish($rec);
	my ($log, $epoch, $marks, $first) = eval { read_file($file) };
	my @all;
	wait_for {
		/"seq":(\d+)\}$/ and $all[$1] = $_ for splice @{ $witness->{in} };
		return $#all >= $#{ $log->{$epoch} };
	} 'the witness to have it all';
	is($@, '', 'in order, and each once');
	my %gap = map { /^(\d+)-(\d+):/; map { $_ => 1 } $1 .. $2 } @$marks;
	cmp_ok(scalar keys %gap, '>', 0, 'some were not kept');
	my @wrong = grep { $gap{$_} ? defined $log->{$epoch}[$_] : ($log->{$epoch}[$_] // '') ne ($all[$_] // 'nothing') }
	    $first + 1 .. $#{ $log->{$epoch} };
	is("@wrong[0 .. ($#wrong < 3 ? $#wrong : 3)]", '', 'each record is there, or in a gap');
	is(run([ 'hubreplay', 'verify', $file ])->{status}, 0, 'hubreplay verify agrees');
	$hub->stop;
};

done_testing;
