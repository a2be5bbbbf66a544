# What piles up of one client: acks, answers, keys, copies of the state, requests. As in 47-flooders.
use strict;
use warnings;
use Hub;
use Hub::Flood;
use Hub::Store;

my $no = JSON::PP::false();
$Hub::Flood::rounds = 50;

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
	local $Hub::Flood::rounds = 30;
	beside($hub, 'requests', @flooders);
	$hub->stop;
};

done_testing;
