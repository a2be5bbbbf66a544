# Members of a hub that go, are cut off, come back, or do not read: hubbench counts what each of them has, and
# has not.
use strict;
use warnings;
use Hub;
use Hub::Bench;
use Hub::Cut;

my $hub = Hub->start;
my %url = (ws => "ws://127.0.0.1:$hub->{port}/ws", unix => "unix:$hub->{socket}");

subtest 'members come and go' => sub {
	my $run = bench($url{ws}, '-d', 0.6, '--warmup', 0, '--scenario', 'churn', '-c', 20, '--publishers', 2,
		'-r', 200, '--churn', 80);
	all_came('churn', $run);
	cmp_ok($run->{result}{latency_ns}{join}{n}, '>', 20, 'more have joined than there are places');
	is($run->{result}{happened}{reconnects}, 0, 'none as the one it was');
};

subtest 'a storm' => sub {
	for my $over (qw(ws unix)) {
		my $run = bench($url{$over}, '-d', 0.6, '--scenario', 'reconnect-storm', '-c', 100, '-r', 500,
			'--threads', 2, '--warmup', 0);
		all_came("storm over $over", $run);
		my $r = $run->{result};
		is($r->{happened}{reconnects}, 100, 'all came back');
		is($r->{latency_ns}{resume}{n}, 100, 'and each had a message after it');
		is($r->{audit}{delivered}, 300 * 100, 'every message at every member, once');
	}
};

# Slow members lose what the hub has told them; the others nothing.
for my $policy (qw(disconnect resync)) {
	subtest "slow readers: $policy" => sub {
		my $strict = Hub->start(args => [ '--history', 50, '--history-bytes', '4M', '--slow-after', 0,
			'--slow', $policy ]);
		my $run = bench("ws://127.0.0.1:$strict->{port}/ws", '-d', 1, '--warmup', 0, '--scenario', 'slow-reader',
			'-c', 10, '--slow', 2, '--publishers', 2, '-r', 1000, '-b', 30_000);
		my $r = $run->{result};
		is($run->{status}, 0, 'exit 0') or diag($run->{err}, $r->{verdict_why});
		# A publisher may be slow as well, on a busy machine, and what was on its way is gone then, as it says.
		is($r->{audit}{expected}, (1000 - $r->{happened}{errors}) * 10, 'all is accounted for') or diag($run->{err});
		is($r->{audit}{lost} + $r->{audit}{duplicated}, 0, 'nothing is lost in silence');
		cmp_ok($r->{audit}{withheld}, '>', 0, 'the slow ones were told of a gap');
		cmp_ok($r->{latency_ns}{every}{n}, '<=', 1000 * 8, 'and do not count in the latency of the others');
		is($r->{happened}{reconnects} > 0, $policy eq 'disconnect', 'they came back, or stayed');
		$strict->stop;
	};
}

# A network that cuts connections in the middle of whatever passes: with acks all of it arrives, once.
for my $over (qw(ws unix)) {
	subtest "cut connections over $over" => sub {
		my $cut = Hub::Cut->start($over eq 'ws' ? $hub->{port} : $hub->{socket}, seed => 5, cuts => 20,
			bytes => 150_000);
		my $run = bench($cut->url, '-d', 1, '--warmup', 0, '-c', 10, '--publishers', 5, '-r', 1000, '--acks');
		my $r = $run->{result};
		cmp_ok($cut->cuts, '>', 5, 'connections were cut');
		is($r->{happened}{clients_joined}, 10, 'all were there');
		cmp_ok($r->{happened}{reconnects}, '>', 5, 'and came back') or diag($run->{err});
		is(audit_of($run), '', 'nothing is lost, or twice');
		is($r->{audit}{delivered}, 1000 * 10, 'each has each message');
		# Without, what was on its way may be gone. Then it was never in the log.
		$cut->stop;
		$cut = Hub::Cut->start($over eq 'ws' ? $hub->{port} : $hub->{socket}, seed => 6, cuts => 20,
			bytes => 150_000);
		$run = bench($cut->url, '-d', 1, '--warmup', 0, '-c', 10, '--publishers', 5, '-r', 1000);
		$r = $run->{result};
		is(audit_of($run), '', 'without acks: nothing of what is in the log is lost');
		is($r->{audit}{delivered}, (1000 - $r->{happened}{errors}) * 10, 'and the rest is told');
		$cut->stop;
	};
}

$hub->stop;
done_testing;
