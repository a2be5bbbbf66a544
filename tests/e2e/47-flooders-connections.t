# Walls around all connections, each with somebody who runs against it as fast as he can, as in 47-flooders.
use strict;
use warnings;
use Hub;
use Hub::Flood;
use Hub::Token;

need_files(4096);

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
	# So many that a newcomer has asked for something before all others behind him have come.
	my $hub = Hub->start(args => [ '--max-connections', 3000 ]);
	# Silent ones, and those who have said half of something.
	my @flooders = map { knocker($hub, 1600, $_) } '', "GET /heal";
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
