# Crowds that do nothing: hundreds of members that stop reading cost little memory, in hubd and in the kernel,
# and none any more when they were given up; thousands of connections that say nothing, and those that say it a
# byte at a time, keep nobody else out and end when their time is over.
use strict;
use warnings;
use Hub;
use Hub::Client;
need_files(12_000);

# What is in the buffers of hubd's sockets, in bytes: written, and not yet taken by the peer's host.
sub unsent {
	my ($hub) = @_;
	my $port = sprintf '%04X', $hub->{port};
	my $sum = 0;
	for (split /\n/, slurp('/proc/net/tcp')) {
		$sum += hex $1 if /^\s*\d+: \w+:$port \w+:\w+ \w\w (\w+):/;
	}
	return $sum;
}

subtest 'members that stop reading' => sub {
	my ($n, $bytes, $size) = (no_sanitizer() ? 300 : 100, 20_000_000, 8000);
	my $hub = Hub->start(args => [ '--write-timeout', 5 ]);
	my $sender = $hub->member('unix', 's', echo => \0);
	my $reader = $hub->member('ws', 's');
	my $before = $hub->rss * 1024;
	my @stalled = map { my $c = $hub->ws(rcvbuf => 4096); $c->join_session('s'); $c->{reading} = 0; $c } 1 .. $n;
	my $connections = $hub->health->{connections};
	my $pad = 'x' x $size;
	my ($most, $sent) = (0, 0);
	for (1 .. $bytes / $size / 50) {
		$sender->send_text(map { qq({"type":"load","n":) . ++$sent . qq(,"pad":"$pad"}) } 1 .. 50);
		# Those who read are in step.
		wait_for { ($reader->{in}[-1] // '') =~ /"n":$sent,/ } 'the reader to follow', undef, $reader, $sender;
		splice @{ $reader->{in} };
		my $now = $hub->rss * 1024 - $before + unsent($hub);
		$most = $now if $now > $most;
	}
	note sprintf '%d members, %.1f KiB each', $n, $most / 1024 / $n;
	cmp_ok($most / $n, '<=', 128 * 1024, 'each costs at most 128 KiB, here and in the kernel') if no_sanitizer();
	becomes {
		$sender->send({ type => 'more' });
		$hub->health->{connections} <= $connections - $n
	} 'they are given up', 300;
	becomes { unsent($hub) < 65_536 } 'and nothing is kept for them';
	ok($reader->alive && $sender->alive, 'who reads stays');
	$hub->stop;
	becomes { unsent($hub) == 0 } 'nor when hubd has ended';
};

subtest 'connections that say nothing' => sub {
	my $n = no_sanitizer() ? 5000 : 1000;
	my $hub = Hub->start(args => [ '--header-timeout', 600 ]);
	my @silent = map { $hub->tcp } 1 .. $n;
	my $start = now();
	my $m = $hub->member('ws', 's');
	note sprintf 'beside %d silent connections one joins in %.1f ms', $n, 1000 * (now() - $start);
	$m->send({ type => 'x' });
	is($m->wait_type('x')->{seq}, 1, 'a member joins and publishes');
	is(scalar(grep { $_->{gone} } @silent), 0, 'beside all of them');
	$hub->stop;
};

# Each state that a connection can be in with a message half said: [name, what goes at once, what drips].
subtest 'a byte at a time' => sub {
	my $hub = Hub->start(args => [ qw(--header-timeout 2 --ping 1 --pong 2 --listen-proxy 127.0.0.1:0 --trust-proxy 127.0.0.1) ]);
	my ($proxy) = $hub->{ready}{listen_proxy}[0] =~ /:(\d+)$/;
	my @drips = (
		[ 'a request line', $hub->tcp, '', 'GET /' . 'x' x 1000 ],
		[ 'a head', $hub->tcp, "GET /healthz HTTP/1.1\r\nX: ", 'y' x 1000 ],
		[ 'a body', $hub->tcp, "POST /sessions/s/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n",
			'{"type":"' . 'z' x 1000 ],
		[ 'a chunk', $hub->tcp, "POST /sessions/s/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n500\r\n",
			'{"type":"' . 'z' x 1000 ],
		[ 'a PROXY header', Hub::Client->tcp($proxy), '', 'PROXY TCP4 192.0.2.1 192.0.2.2 ' . '1' x 60 ],
		[ 'a frame', $hub->ws(auto_pong => 0), "\x81\xfe\x03\xe8abcd", 'e' x 1000 ],
		[ 'frames of a message', $hub->ws(auto_pong => 0), "\x01\x80abcd", "\x00\x80abcd" x 200 ],
	);
	my $m = $hub->member('unix', 's');
	my $begun = now();
	$_->[1]->send_bytes($_->[2]) for @drips;
	my %ended;
	wait_for {
		for my $d (@drips) {
			next if $ended{ $d->[0] };
			$ended{ $d->[0] } = now() - $begun if $d->[1]{gone};
			$d->[1]->send_bytes(substr $d->[3], 0, 1, '') unless $d->[1]{gone};
		}
		pump(0.2);
		return keys %ended == @drips;
	} 'all to be ended', 60;
	ok($ended{ $_->[0] }, sprintf '%s, after %.1f s', $_->[0], $ended{ $_->[0] }) for @drips;
	ok($m->alive, 'who behaves stays');
	$hub->stop;
};

done_testing;
