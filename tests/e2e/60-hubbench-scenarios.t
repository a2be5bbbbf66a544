# hubbench loads a hub in every way it knows, over both transports, and counts each delivery.
use strict;
use warnings;
use Hub;
use Hub::Bench;
use Hub::Cut;

my $hub = Hub->start;
my %url = (ws => "ws://127.0.0.1:$hub->{port}/ws", unix => "unix:$hub->{socket}");
my @short = ('-d', 0.2, '--warmup', 0.05);

# The messages that were sent, all told, each to so many.
sub all_came {
	my ($name, $run, $receivers) = @_;
	my $r = $run->{result};
	is($run->{status}, 0, "$name: exit 0") or diag($run->{err}, $r ? $r->{verdict_why} : '');
	is(audit_of($run), '', "$name: nothing lost, twice or out of order");
	return unless $r && defined $receivers;
	cmp_ok($r->{happened}{sent}, '>', 0, "$name: messages went out");
	is($r->{audit}{expected} % $receivers, 0, "$name: all receivers count");
	cmp_ok($r->{audit}{delivered}, '>=', $r->{happened}{sent} * $receivers, "$name: each has each message");
}

for my $over (qw(ws unix)) {
	subtest "over $over" => sub {
		my @base = ($url{$over}, @short);
		my $run = bench(@base, '-c', 20, '-r', 500, '--publishers', 4);
		all_came('fanout', $run, 20);
		is($run->{result}{happened}{due}, 100, 'messages due in the time');
		is($run->{result}{latency_ns}{every}{n}, 2000, 'each delivery of these is timed');
		is($run->{result}{latency_ns}{handshake}{n}, $over eq 'ws' ? 20 : undef, 'and each handshake');
		is($run->{result}{latency_ns}{tls}, undef, 'without TLS');

		$run = bench(@base, '--scenario', 'rooms', '-c', 40, '-s', 8, '-r', 100);
		all_came('rooms', $run, 5);
		is($run->{result}{asked}{publishers}, 8, 'a publisher in each room');

		$run = bench(@base, '--scenario', 'echo', '-c', 10, '-r', 1000);
		all_came('echo', $run, 1);
		is($run->{result}{latency_ns}{ack}{n}, 200, 'each comes back to its sender');

		$run = bench(@base, '--scenario', 'players', '-c', 8);
		all_came('players', $run, 8);
		is($run->{result}{happened}{due}, 96, 'sixty times a second each');

		$run = bench(@base, '-c', 10, '-r', 2000, '--acks', '--poisson', '--threads', 2);
		all_came('random instants, acks, two threads', $run, 10);
		cmp_ok($run->{result}{happened}{acked}, '>', 0, 'acks came');
		cmp_ok($run->{result}{latency_ns}{ack}{n}, '==', $run->{result}{happened}{due}, 'one for each message');
	};
}

subtest 'the closed model' => sub {
	my $run = bench($url{ws}, @short, '-c', 20, '--publishers', 5, '--closed', 20);
	all_came('closed', $run, 20);
	my $h = $run->{result}{happened};
	is_deeply([ @{ $run->{result}{asked} }{qw(rate closed)} ], [ 0, 20 ], 'no rate, a window');
	is($h->{due}, $h->{sent}, 'nothing is due before it can go');
	$run = bench($url{unix}, @short, '-c', 5, '--publishers', 5, '--closed', 1, '--acks');
	all_came('closed, by acks', $run, 5);
};

subtest 'a large message' => sub {
	for my $over (qw(ws unix)) {
		my $run = bench($url{$over}, @short, '-c', 5, '-r', 200, '-b', 60_000);
		all_came("60,000 bytes over $over", $run, 5);
		is($run->{result}{asked}{bytes}, 60_000, 'as long as was asked');
	}
};

subtest 'members come and go' => sub {
	my $run = bench($url{ws}, '-d', 0.6, '--warmup', 0, '--scenario', 'churn', '-c', 20, '--publishers', 2,
		'-r', 200, '--churn', 80);
	all_came('churn', $run);
	cmp_ok($run->{result}{latency_ns}{join}{n}, '>', 20 + 20, 'more have joined than there are places');
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
		is($r->{audit}{expected}, 1000 * 10, 'all is accounted for');
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

subtest 'idle' => sub {
	my $run = bench($url{ws}, '-d', 0.2, '--warmup', 0, '--scenario', 'idle', '-c', 500, '--pid', $hub->pid);
	all_came('idle', $run);
	my $r = $run->{result};
	is($r->{happened}{clients_joined}, 500, 'all there');
	is($r->{happened}{sent}, 0, 'nobody speaks');
	is($r->{server}{pids}, 1, 'the hub was watched');
	cmp_ok($r->{server}{rss_joined}, '>=', $r->{server}{rss_before}, 'they take memory');
	my $each = $r->{derived}{bytes_per_client};
	ok($each > 100 && $each < 20_000, 'some each') or diag($each) if no_sanitizer();
};

subtest 'a recording' => sub {
	my $run = bench($url{ws}, @short, '-c', 5, '--play', data_file('positions'));
	all_came('its own times', $run, 5);
	$run = bench($url{unix}, @short, '-c', 5, '--publishers', 3, '--play', data_file('match'), '-r', 2000, '--acks');
	all_came('at a rate', $run, 5);
	is(int($run->{result}{happened}{due} / 300), 1, 'which it has');
};

subtest 'a search' => sub {
	my $run = bench($url{unix}, '--scenario', 'search', '-c', 5, '-d', 0.2, '--warmup', 0, '-r', 150,
		'--expect', 'due<160', '--drain', 2);
	my $r = $run->{result};
	is($run->{status}, 0, 'exit 0') or diag($run->{err});
	my @trials = @{ $r->{trials} };
	cmp_ok(scalar @trials, '>', 3, 'several trials');
	my ($best) = sort { $b->{rate} <=> $a->{rate} } grep { $_->{met} } @trials;
	is($r->{asked}{rate}, $best->{rate}, 'the result is the best of them');
	SKIP: {
		# On a busy machine a trial may be hubbench's own limit.
		skip 'too busy', 1 if grep { $_->{verdict} ne 'ok' } @trials;
		ok($best->{rate} > 750 && $best->{rate} <= 850, "the limit is found: $best->{rate}");
	}
};

$hub->stop;
done_testing;
