# hubbench loads a hub in every way it knows, over both transports, and counts each delivery.
use strict;
use warnings;
use Hub;
use Hub::Bench;

my $hub = Hub->start;
my %url = (ws => "ws://127.0.0.1:$hub->{port}/ws", unix => "unix:$hub->{socket}");
my @short = ('-d', 0.2, '--warmup', 0.05);

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

		# What it thinks of memory that grows: tests/unit/verdict.c.
		$run = bench(@base, '--scenario', 'soak', '-c', 20, '-r', 100, '--pid', $hub->pid);
		all_came('soak', $run, 20);
		cmp_ok($run->{result}{server}{rss_end}, '>', 0, 'which looks at the memory');

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
	# What is read later has come later.
	$run = bench($url{ws}, @short, '-c', 20, '-r', 200, '--coalesce', '30ms');
	all_came('gathered', $run, 20);
	is($run->{result}{asked}{coalesce_s}, 0.03, 'for so long');
	cmp_ok($run->{result}{latency_ns}{every}{p50}, '>', 5e6, 'as the latencies show');
	is($run->{result}{happened}{due}, 40, 'and what was due did not wait for it');
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

subtest 'idle' => sub {
	# One of its own: what others have left there is memory enough.
	my $fresh = Hub->start;
	my $run = bench("ws://127.0.0.1:$fresh->{port}/ws", '-d', 0.2, '--warmup', 0, '--scenario', 'idle', '-c', 500, '--pid', $fresh->pid);
	all_came('idle', $run);
	my $r = $run->{result};
	is($r->{happened}{clients_joined}, 500, 'all there');
	is($r->{happened}{sent}, 0, 'nobody speaks');
	is($r->{server}{pids}, 1, 'the hub was watched');
	cmp_ok($r->{server}{rss_joined}, '>=', $r->{server}{rss_before}, 'they take memory');
	my $each = $r->{derived}{bytes_per_client};
	ok($each > 100 && $each < 20_000, 'some each') or diag($each) if no_sanitizer();
	$fresh->stop;
};

subtest 'a recording' => sub {
	my $run = bench($url{ws}, @short, '-c', 5, '--play', data_file('positions'));
	all_came('its own times', $run, 5);
	$run = bench($url{unix}, @short, '-c', 5, '--publishers', 3, '--play', data_file('match'), '-r', 2000, '--acks');
	all_came('at a rate', $run, 5);
	is(int($run->{result}{happened}{due} / 300), 1, 'which it has');
};

subtest 'a search' => sub {
	# On a busy machine a trial may be hubbench's own limit; then another search may do.
	my ($run, $busy);
	for (1 .. 5) {
		$run = bench($url{unix}, '--scenario', 'search', '-c', 5, '-d', 0.2, '--warmup', 0, '-r', 150, '--expect',
			'due<160');
		$busy = grep { $_->{verdict} ne 'ok' } @{ $run->{result}{trials} };
		last if !$busy;
	}
	my $r = $run->{result};
	is($run->{status}, 0, 'exit 0') or diag($run->{err});
	my @trials = @{ $r->{trials} };
	cmp_ok(scalar @trials, '>', 3, 'several trials');
	SKIP: {
		skip 'too busy', 2 if $busy;
		my ($best) = sort { $b->{rate} <=> $a->{rate} } grep { $_->{met} } @trials;
		is($r->{asked}{rate}, $best->{rate}, 'the result is the best of them');
		ok($best->{rate} > 750 && $best->{rate} <= 850, "the limit is found: $best->{rate}");
	}
};

$hub->stop;
done_testing;
