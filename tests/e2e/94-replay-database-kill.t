# hubd, hubreplay, PostgreSQL and the process in it that serves hubreplay are killed at random moments, one or
# several at a time, while a session is recorded. In the table each record that the hub has kept stands once, in
# order and as it was.
#
# HUB_TEST_SEED repeats a run, HUB_TEST_ROUNDS makes it longer.
# Long.
use strict;
use warnings;
use Hub;
use Hub::Postgres;
use Hub::Replay;
use Hub::Store;
use List::Util qw(shuffle);

plan skip_all => Hub::Postgres::missing() if Hub::Postgres::missing();
chance();

my $rounds = $ENV{HUB_TEST_ROUNDS} || (no_sanitizer() ? 7 : 4);
my $pg = Hub::Postgres->start;
my @publishers;

# All that the hub has of the session: (epoch, [undef, text of record 1, ...]).
sub kept {
	my ($hub, $session) = @_;
	my $c = $hub->unix;
	my $joined = $c->join_session($session, since => 0);
	my @log;
	wait_for {
		for my $text (splice @{ $c->{in} }) {
			$log[$1] = $text if $text =~ /"seq":(\d+)\}$/;
		}
		return @log > $joined->{seq};
	} 'all that the hub has', undef, $c;
	return ($joined->{epoch}, \@log);
}

# How many lines are there; undef where nobody answers.
sub lines_of {
	my ($session) = @_;
	return eval { $pg->sql("select lines from hub_sessions where session = '$session'") || 0 };
}

# Who serves hubreplay, if anybody does.
sub servers {
	return eval { $pg->sql("select pid from pg_stat_activity where application_name = 'hubreplay'") };
}

for my $session ('memory', 'store') {
	subtest $session => sub {
		my $dir = store_dir();
		my ($hub, $rec, %killed);
		@publishers = map { { name => $_, n => 0 } } 'a', 'b';
		my $start = sub {
			$hub = $session eq 'store' ? store_hub($dir) : Hub->start(
				dir => $dir,
				args => [ '--history', 1_000_000, '--history-bytes', 1 << 30, '--history-memory', '1G' ]);
		};
		my $record = sub { $rec = record($hub, [ '-o', $pg->url, '--sync', '0.03' ], $session) };
		my $grows = sub {
			my ($before, $asked);
			wait_for {
				publish_on($hub, $session, @publishers);
				die "the recorder has ended: " . slurp($rec->{err}) if !$rec->running;
				return if now() < ($asked // 0) + 0.1;
				$asked = now();
				my $lines = lines_of($session) // return;
				$before //= $lines;
				return $lines > $before;
			} 'the table to grow';
		};
		my %kill = (
			hub => sub {
				my $old = $hub;
				$hub = undef;
				killed($old);
				$start->();
			},
			recorder => sub {
				$rec->kill('KILL');
				$rec->wait;
				my $end = now() + rand 0.2;
				publish_on($hub, $session, @publishers) while now() < $end;
				$record->();
			},
			# All others of them end with it, and the server begins anew.
			server => sub { kill 'KILL', servers() },
			'server, kindly' => sub { kill 'TERM', servers() },
			database => sub {
				$pg->down(1);
				my $end = now() + rand 0.5;
				publish_on($hub, $session, @publishers) while now() < $end;
				$pg->up;
			},
			'database and recorder' => sub {
				$pg->down(1);
				$rec->kill('KILL');
				$rec->wait;
				$pg->up;
				$record->();
			},
			'all three' => sub {
				my $old = $hub;
				$hub = undef;
				$pg->down(1);
				$rec->kill('KILL');
				$rec->wait;
				killed($old);
				$pg->up;
				$start->();
				$record->();
			});
		my @all = sort keys %kill;
		my @first = shuffle @all;
		$start->();
		$record->();
		for my $round (1 .. $rounds) {
			$grows->();
			my $end = now() + rand 0.3;
			publish_on($hub, $session, @publishers) while now() < $end;
			my $what = shift @first // $all[ rand @all ];
			$killed{$what}++;
			$kill{$what}->();
		}
		$grows->();
		$_->{client}->sync for grep { $_->{client} && !$_->{client}{gone} } @publishers;
		finish($rec);
		is($rec->{status}, 0, 'the recorder ends well') or diag(slurp($rec->{err}));
		my ($epoch, $kept) = kept($hub, $session);

		my @rows = map { [ split /\|/, $_, 6 ] }
		    $pg->sql("select line, kind, log, epoch, seq, text from hub_records where session = '$session' order by line");
		is(scalar(grep { $rows[$_][0] != $_ + 1 } 0 .. $#rows), 0, 'lines without a hole');
		is(lines_of($session), scalar @rows, 'as many as the session says');
		my (%seen, %last, @twice, @hole, %there, $place, $first);
		for (@rows) {
			my ($line, $kind, $log, $of, $seq, $text) = @$_;
			if ($kind eq 'record') {
				push @twice, $line if $seen{"$log $seq"}++;
				push @hole, $line if $seq != $place + 1;
				$place = $seq;
				$there{$seq} = $text if $of eq $epoch;
			} elsif ($kind eq 'snapshot') {
				$place = $seq;
				$first //= $of eq $epoch ? $seq : 0;    # what was before it began
			} elsif ($kind eq 'gap') {
				my $gap = unjson($text);
				$place = $gap->{to_seq};
				push @hole, $line if $gap->{to_seq} >= $gap->{from_seq};
			}
		}
		is("@twice", '', 'no record twice');
		is("@hole", '', 'in order, and none given up');
		my @differ = grep { $kept->[$_] ne ($there{$_} // '') } $first + 1 .. $#$kept;
		is(scalar @differ, 0, "all $#$kept records are there, as the hub has them") or diag("@differ[0 .. 3]");
		my $verify = run([ 'hubreplay', 'verify', $pg->url($session) ]);
		is($verify->{status}, 0, 'hubreplay verify agrees') or diag($verify->{out}, $verify->{err});
		note scalar(@rows), ' lines; ', join ', ', map { "$_: $killed{$_}" } sort keys %killed;
		$hub->stop;
	};
}
$pg->down;
done_testing;
