# One thread.
# All at once: cuts, two restarts, a disk that is full for a while, and a hub that refuses for five seconds; all
# lines are in the log once, in order. HUB_TEST_ROUNDS: how many cuts (30, of 20,000 lines).
use strict;
use warnings;
use Hub;
use Hub::Cut;
use Hub::Http;
use Hub::Store;
use Time::HiRes qw(sleep time);

plan skip_all => 'no prlimit here' if system 'prlimit --version >/dev/null 2>&1';
my $cuts = $ENV{HUB_TEST_ROUNDS} || 30;
my $lines = int 20_000 * $cuts / 30;

for my $odd (0, 1) {
	my $dir = store_dir();
	my @args = (args => [ '--history', 100_000 ]);
	my $hub = store_hub($dir, @args);
	my $cut = Hub::Cut->start($hub->{socket}, seed => 3, cuts => $cuts, bytes => 60_000);
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubcat", '-u', $cut->url, '-p', 's' ], in => 'pipe');
	my $to = $proc->{stdin};
	$to->autoflush(1);
	my ($n, $said) = (0, 0);
	my $feed = sub {
		my ($until) = @_;
		for (; $n < $until; $said++) {
			if ($odd && $said == 10) {
				print {$to} "not a line\n";
			} elsif ($odd && $said == 20) {
				print {$to} '{"type":"big","x":"' . 'x' x 70_000 . qq("}\n);
			} else {
				print {$to} qq({"type":"t","n":) . ++$n . "}\n";
			}
		}
	};
	my $stored = sub { $hub->member('unix', 's')->{joined}{seq} };
	for my $part (1, 2) {
		$feed->($n + int $lines / 5);
		wait_for { $stored->() > $n / 2 } 'half of them';
		$hub->stop;
		$hub = store_hub($dir, @args);
	}
	my $limit = sub { system('prlimit', '--pid', $hub->pid, "--fsize=$_[0]") == 0 or die "prlimit\n" };
	$limit->('1000:unlimited');
	$feed->($n + 100);
	# Who has just lost the hub is told so by the join.
	wait_for { slurp($proc->{err}) =~ /sent again/ || $hub->log_text =~ /publishers are refused/ } 'the disk to be full';
	$limit->('unlimited:unlimited');
	wait_for { $stored->() >= $n } 'the lines of then to be taken';
	my $rate = sub {
		my $answer = Hub::Http->fetch($hub, PUT => "/sessions/s/limits?rate_messages=$_[0]", unix => 1);
		is($answer->{lines}[0]{type}, 'session_limits', "rate_messages=$_[0]");
	};
	$rate->(0);
	my $since = time;
	$feed->($n + 100);
	wait_for { slurp($proc->{err}) =~ /rate_limited: .*sent again/ } 'the hub to refuse';
	sleep 0.1 while time < $since + 5;
	$rate->('usual');
	$feed->($lines);
	close $to;
	is($proc->wait >> 8, $odd ? 65 : 0, $odd ? 'with two bad lines: 65' : 'exit 0') or diag(slurp($proc->{err}));
	my $r = run($hub->hubcat([ '-l', '-s', 'all', '-e', '-f', '.n', 's' ]));
	is_deeply([ split /\n/, $r->{out} ], [ 1 .. $lines ], "each of $lines lines once, in order");
	my @named = slurp($proc->{err}) =~ /^hubcat: line (\d+): (bad_json|too_large): /mg;
	is_deeply(\@named, $odd ? [ 11, 'bad_json', 21, 'too_large' ] : [], 'the bad ones are named');
	is($cut->cuts, $cuts, "through $cuts cuts");
	$cut->stop;
	$hub->stop;
}

done_testing;
