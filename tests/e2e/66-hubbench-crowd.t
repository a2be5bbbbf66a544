# hubbench's crowd: avatars walk about, observers know where they are, and it is told how old that is and what it takes,
# by each way of asking a hub for less; and where a server keeps something to itself, that is found.
use strict;
use warnings;
use Hub;
use Hub::Bench;
use Hub::Proxy;

my $pem = Hub::Proxy::certificate();
my $hub = Hub->start(args => [ '--deflate', '--history', 20_000, '--area', 'avatar=position.x,position.z,50' ]);
my $tls = Hub->start(args => [ '--deflate', '--tls-cert', $pem->{cert}, '--tls-key', $pem->{key} ]);
my %url = (ws => "ws://127.0.0.1:$hub->{port}/ws", unix => "unix:$hub->{socket}", wss => "wss://127.0.0.1:$tls->{port}/ws");
my @short = qw(--scenario crowd -c 24 -d 1 --warmup 0.1 --observers 5);
my @less = qw(--tick 50ms --batch --conflate --compact);

# All is known at the end, and was looked at on the way.
sub known {
	my ($name, $run) = @_;
	my $r = $run->{result};
	is($run->{status}, 0, "$name: exit 0") or diag($run->{err}, $run->{out});
	return diag("no result: $run->{err}") unless $r;
	is($r->{happened}{missing}, 0, "$name: observers know the last of everybody");
	is($r->{happened}{clients_joined}, 24, "$name: all have joined");
	cmp_ok($r->{latency_ns}{stale}{n}, '>=', 24, "$name: what they know was looked at");
	cmp_ok($r->{latency_ns}{stale}{p50}, '>=', $r->{latency_ns}{behind}{p50}, "$name: what is known is as old as what is not, at least");
	cmp_ok($r->{happened}{observed}, '>', 0, "$name: moves came");
	cmp_ok($r->{happened}{bytes_in}, '>', $r->{happened}{observed_bytes}, "$name: others get bytes, too");
	return $r;
}

my %bytes;
for my $case ([ plain => 'ws' ], [ less => 'ws', @less ], [ deflated => 'ws', @less, '--deflate' ], [ unix => 'unix', @less ],
	[ patches => 'ws', @less, '--delta' ], [ 'deflated patches' => 'ws', @less, '--delta', '--deflate' ],
	[ 'two threads' => 'ws', @less, '--deflate', '--threads', 2 ], [ TLS => 'wss', @less, '--deflate', '--insecure' ]) {
	my ($name, $over, @args) = @$case;
	my %has = map { $_ => 1 } @args;
	my $r = known($name, bench($url{$over}, @short, @args)) or next;
	$bytes{$name} = $r->{derived}{bytes_per_update};
	is_deeply([ @{ $r->{asked} }{qw(observers world batch conflate compact deflate delta tick_s)} ],
		[ 5, 1000, (map { $has{"--$_"} ? JSON::PP::true() : JSON::PP::false() } qw(batch conflate compact deflate delta)),
			$has{'--tick'} ? 0.05 : 0 ], "$name: as it was asked");
}
cmp_ok($bytes{less}, '<', $bytes{plain}, 'arrays without what was said take fewer bytes');
cmp_ok($bytes{deflated}, '<', $bytes{less} / 2, 'deflated far fewer');
cmp_ok($bytes{patches}, '<', $bytes{less}, 'patches fewer');
cmp_ok($bytes{'deflated patches'}, '<', $bytes{deflated}, 'and deflated fewer than anything else');

for my $case ([ 'areas', @less ], [ 'areas, each move by itself' ], [ 'areas, patches', @less, '--delta', '--deflate' ]) {
	my ($name, @args) = @$case;
	subtest $name => sub {
		# Who walks this fast gets in and out of sight.
		my $run = bench($url{ws}, qw(--scenario crowd -c 24 -d 2 --warmup 0.5 --world 600 --area 60 --observers 5), @args);
		is($run->{status}, 0, 'exit 0') or diag($run->{err}, $run->{out});
		my $r = $run->{result} or return;
		is_deeply([ @{ $r->{happened} }{qw(missing ghosts)} ], [ 0, 0 ], 'all who are in sight are known, and nobody who is far away');
		is($r->{asked}{area}, 60, 'as it was asked');
		cmp_ok($r->{happened}{observed}, '<', 5 * $r->{happened}{sent}, 'not all came to everybody');
	};
}

subtest 'deflated otherwise, too' => sub {
	my $run = bench($url{ws}, '--deflate', qw(-c 10 -d 0.3 --warmup 0 -b 1000 -r 200));
	all_came('fanout', $run, 10);
	cmp_ok($run->{result}{happened}{bytes_in}, '<', 1000 * $run->{result}{happened}{delivered}, 'in fewer bytes');
};

subtest 'Socket.IO' => sub {
	known('Socket.IO', bench("ws://127.0.0.1:$hub->{port}", @short, qw(--dialect socketio --namespace world)));
};

subtest 'a server that keeps something to itself' => sub {
	my $server = wrong_server(lose => 7);
	my $run = bench($server->{url}, @short, qw(--dialect raw --drain 3));
	is($run->{status}, 1, 'exit 1') or diag($run->{out}, $run->{err});
	cmp_ok($run->{result}{happened}{missing}, '>', 0, 'what observers do not know is counted') if $run->{result};
};

subtest 'what does not go' => sub {
	my $off = Hub->start;
	my $run = bench("ws://127.0.0.1:$off->{port}/ws", '--deflate', qw(-c 2 -d 0.2));
	is($run->{status}, 69, 'a hub that does not deflate: exit 69');
	like($run->{err}, qr/the server does not agree to permessage-deflate/, 'which is said');
	$off->stop;
	for my $case ([ 'unix', '--deflate' ], [ 'ws', '--tick', '50ms' ], [ 'ws', '--world', 100 ], [ 'ws', @short, '--compact' ], [ 'ws', @short, '--delta', '--batch' ], [ 'ws', '--area', 5 ],
		[ 'ws', @short, '--closed', 3 ], [ 'ws', @short, '-s', 2 ], [ 'ws', @short, '--dialect', 'socketio', '--batch' ],
		[ 'ws', @short, '--no-echo' ]) {
		my ($over, @args) = @$case;
		is(run([ 'hubbench', '-u', $url{$over}, @args ])->{status}, 64, "@args: exit 64");
	}
};

subtest 'under the conditions of an earlier run' => sub {
	my $base = scratch() . '/base.json';
	my $run = run([ 'hubbench', '-u', $url{ws}, @short, @less, '--deflate', '--json', $base ]);
	is($run->{status}, 0, 'a run') or diag($run->{out}, $run->{err});
	$run = run([ 'hubbench', '-u', $url{ws}, '--compare', $base, '--expect', 'missing==0', '--expect', 'bytes_per_update<=3*base',
			'--expect', 'stale.p99<1m', '--json', "$base.2" ]);
	is($run->{status}, 0, 'and another') or diag($run->{out}, $run->{err});
	my ($one, $two) = map { unjson((split /\n/, slurp($_))[-1])->{asked} } $base, "$base.2";
	is_deeply($two, $one, 'are asked the same');
};

$_->stop for $hub, $tls;
done_testing;
