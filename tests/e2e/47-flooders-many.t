# Those walls that are around all connections, or that it takes many connections to meet, each with somebody who runs
# against it as fast as he can, as in 47-flooders.
use strict;
use warnings;
use Hub;
use Hub::Flood;
use Hub::Metrics;
use Hub::Store;
use Hub::Token;

my $no = JSON::PP::false();

my $upgrade = join "\r\n", 'GET /ws HTTP/1.1', 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
    'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==', '', '';

# Somebody who runs against a wall whose counter says so when it is met.
sub met {
	my ($hub, $counter, $name) = @_;
	# By the other socket, so that nobody stands before it.
	my $of = sub {
		my $text = run([ 'curl', '-s', '--unix-socket', $hub->{socket}, 'http://any/metrics' ])->{out};
		return $text ? parse_metrics($text)->{value}{$counter} // 0 : 0;
	};
	my $before = $of->();
	becomes { $of->() > $before } "$name: the wall is met";
}

subtest 'sessions' => sub {
	my $hub = Hub->start(args => [ '--max-sessions', 100 ]);
	my $first = $hub->member('unix', 'good-sessions');    # it is there before them
	my @flooders = map { flooder($hub, '-', 1, qq({"type":"session_associate","session_id":"f$_-\$N"})) } 1 .. 2;
	met($hub, 'hubd_errors_total{code="hub_full"}', 'sessions');
	beside($hub, 'sessions', @flooders);
	cmp_ok($hub->health->{sessions}, '<=', 100, 'as many as there may be');
	$hub->stop;
};

subtest 'connections' => sub {
	my $hub = Hub->start(args => [ '--max-connections', 500 ]);
	# Silent ones, and those who have said half of something.
	my @flooders = map { knocker($hub, 300, $_) } '', "GET /heal";
	met($hub, 'hubd_refusals_total{reason="idle_evicted"}', 'connections');
	beside($hub, 'connections', @flooders);
	$hub->stop;
};

subtest 'who shows no token' => sub {
	my $hub = Hub->start(args => [ '--auth-key', key_file(), '--max-connections', 600 ]);
	my @flooders = (
		knocker($hub, 100, $upgrade),    # it waits to be sent away
		knocker($hub, 20, $upgrade . Hub::Client::ws_frame(1, '{"type":"authenticate","token":"' . token({}, secret => 'x') . '"}')),
		knocker($hub, 20, join '', (join "\r\n", 'GET /sessions/s/state HTTP/1.1', 'Host: localhost',
			'Authorization: Bearer ' . token({}, secret => 'x'), '', '') x 50),
	);
	met($hub, 'hubd_tokens_refused_total', 'tokens');
	# Who has one and shows it again and again.
	my $own = token({ sub => 'ann' });
	push @flooders, flooder($hub, '-', 1, qq({"type":"authenticate","token":"$own"}));
	met($hub, 'hubd_slowed_total', 'renewals');
	local $Hub::Flood::token = token({ sub => 'good' });
	beside($hub, 'tokens', @flooders);
	$hub->stop;
};

subtest 'acks' => sub {
	my $hub = store_hub(store_dir());
	my @flooders = map { flooder($hub, 'flood', 1, qq({"type":"t","msg_id":"$_-\$N"})) } 1, 2;
	met($hub, 'hubd_slowed_total', 'acks');
	beside($hub, 'acks', @flooders);
	$hub->stop;
};

subtest 'answers that nobody reads' => sub {
	my $hub = Hub->start;
	my @flooders = map { flooder($hub, 'flood', 0, '{"type":"ping","ping_id":"' . 'x' x 200 . '"}') } 1 .. 8;
	beside($hub, 'answers', @flooders);
	$hub->stop;
};

subtest 'keys, one after the other' => sub {
	my $hub = Hub->start(args => [ '--client-keys', 50, '--state-keys', 100 ]);
	my @flooders = map { flooder($hub, 'flood', 1, qq({"type":"light","key":"$_-\$N"})) } 1, 2;
	met($hub, 'hubd_errors_total{code="session_full"}', 'keys');
	beside($hub, 'keys', @flooders);
	$hub->stop;
};

subtest 'copies of the state' => sub {
	my $hub = Hub->start(args => [ '--state-bytes', '16M', '--client-bytes', '16M' ]);
	my $source = $hub->member('unix', 'flood', echo => $no);
	for my $n (1 .. 150) {
		$source->send({ type => 'light', key => "k$n", pad => 'x' x 50_000 });
		$source->sync;
	}
	# They join, read nothing, and come again.
	my $flooder = knocker($hub, 100, $upgrade . Hub::Client::ws_frame(1, '{"type":"session_associate","session_id":"flood"}'));
	met($hub, 'hubd_joins_total{door="ws"}', 'copies');
	beside($hub, 'copies', $flooder);
	$hub->stop;
};

subtest 'requests that come together' => sub {
	my $hub = Hub->start;
	my $body = '{"type":"t"}';
	my $head = "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	my $get = "GET /sessions/flood/presence HTTP/1.1\r\nHost: localhost\r\n\r\n";
	my $post = join "\r\n", 'POST /sessions/flood/records HTTP/1.1', 'Host: localhost', 'Content-Type: application/json',
	    'Content-Length: ' . length $body, '', $body;
	my @flooders = map { knocker($hub, 2, $_) } $head x 1500, $get x 500, $post x 500;
	becomes { $hub->health->{records} > 1000 } 'they have come';
	beside($hub, 'requests', @flooders);
	$hub->stop;
};

subtest 'no descriptors left' => sub {
	my $hub = Hub->start;
	my @good = map { $hub->member($_ % 2 ? 'ws' : 'unix', 'early') } 1 .. 10;
	my $limit = 0;
	$limit++ while -l '/proc/' . $hub->pid . "/fd/$limit";
	$limit += 20;
	plan skip_all => 'no prlimit here' if run([ 'prlimit', '--pid', $hub->pid, "--nofile=$limit:" ])->{status};
	my @flooders = map { knocker($hub, 40, $_) } '', $upgrade;
	met($hub, 'hubd_refusals_total{reason="accept_failed"}', 'descriptors');
	my $missed;
	for my $n (1 .. 100) {
		$good[0]->send({ type => 'say', n => $n });
		$missed ||= $_->wait_type('say')->{n} != $n for @good;
	}
	ok(!$missed && !grep({ $_->{gone} } @good), 'who is there goes on, and misses nothing');
	ended(@flooders);
	$hub->stop;
};

done_testing;
