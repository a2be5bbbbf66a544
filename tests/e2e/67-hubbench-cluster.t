# hubbench at three hubds with one Redis: its clients are spread over them, and one is killed. Directly, and behind
# nginx, which knows all three.
use strict;
use warnings;
use Hub;
use Hub::Bench;
use Hub::Proxy;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();

my $redis = Hub::Redis->start;
my @args = ('--trust-proxy', '127.0.0.1', '--history', 100_000, '--bus-node-timeout', 2);
my @hub = map { $redis->hub(args => \@args) } 1 .. 3;
my $clients = 90;

sub urls { return map { "ws://127.0.0.1:$_->{port}/ws" } @hub }

sub members {
	my ($hub) = @_;
	return $hub->health->{connections};
}

# Kills the second, and another one takes its place when that was seen.
sub kill_run {
	my ($name, @urls) = @_;
	my ($url, @more) = @urls;
	my $run = bench($url, (map { ('-u', $_) } @more), '--scenario', 'cluster', '-c', $clients, '-r', 200, '-d', 2, '--warmup', 0.5,
		'--kill-node', $hub[1]->pid);
	is($hub[1]{proc}->wait & 127, 9, "$name: the node was killed");
	$hub[1]->forget;
	all_came($name, $run, $clients);
	my $r = $run->{result};
	is($r->{audit}{compared}, $clients, "$name: all have all") or diag($run->{out});
	is($r->{audit}{differing}, 0, "$name: in one order");
	cmp_ok($r->{happened}{reconnects}, '>', 0, "$name: members were lost");
	is($r->{latency_ns}{back}{n}, $r->{happened}{reconnects}, "$name: and it is known how long each was away");
	like($run->{out}, qr/first try to be back/, "$name: which is said");
	return $run;
}

my ($url, @more) = urls();
my $run = begin_bench($url, (map { ('-u', $_) } @more), '--scenario', 'cluster', '-c', $clients, '-s', 2, '-r', 200, '-d', 1);
my @seen = (0) x 3;
wait_for {
	@seen = map { my $n = members($hub[$_]); $n > $seen[$_] ? $n : $seen[$_] } 0 .. 2;
	return !grep { $_ < $clients / 3 } @seen;
} 'a third of them at each';
$run = end_bench($run);
all_came('two sessions', $run, $clients / 2);
is_deeply([ @{ $run->{result}{audit} }{qw(compared differing)} ], [ $clients, 0 ], 'each in one order');
is($run->{result}{asked}{nodes}, 3, 'it is said how many nodes there were');
ok($run->{result}{asked}{acks}, 'messages are acknowledged, and said again');

$run = kill_run('three URLs', urls());
is($run->{result}{happened}{reconnects}, $clients / 3, 'those of one node');
$hub[1] = $redis->hub(args => \@args);

SKIP: {
	skip 'no nginx here', 1 unless Hub::Proxy::program('nginx');
	my $nginx = Hub::Proxy->nginx($hub[0], Hub::Proxy::certificate(), change => [ '^\t#server 127\.0\.0\.1:4830;', "\tserver 127.0.0.1:$hub[1]{port};",
		'^\t#server 127\.0\.0\.1:4840;', "\tserver 127.0.0.1:$hub[2]{port};" ]);
	kill_run('nginx', "ws://$nginx->{plain}/ws");
	$nginx->stop;
	$hub[1] = $redis->hub(args => \@args);
}

# Where there is no Redis between them there are two sessions of the same name, which is seen.
subtest 'hubds that do not know of each other' => sub {
	my @apart = map { Hub->start } 1 .. 2;
	my ($one, $other) = map { "ws://127.0.0.1:$_->{port}/ws" } @apart;
	$run = bench($one, '-u', $other, '-c', 10, '--publishers', 2, '-r', 100, '-d', 0.3, '--warmup', 0.1, '--drain', 1);
	is($run->{status}, 1, 'it fails');
	like($run->{result}{verdict_why}, qr/lost|order/, 'and says why');
	$_->stop for @apart;
};

for ([ [ '--kill-node', $$ ] => 64, 'cluster only' ], [ [ '--scenario', 'cluster', '--kill-node', 4_000_000 ] => 69, 'No such process' ],
	[ [ '-u', 'http://x' ] => 64, 'http://x: not one of' ]) {
	my ($args, $status, $why) = @$_;
	$run = run([ 'hubbench', '-u', $url, @$args ]);
	is($run->{status}, $status, "@$args[-2, -1]: exit $status");
	like($run->{err}, qr/\Q$why/, 'and says why');
}

$_->stop for @hub;
done_testing;
