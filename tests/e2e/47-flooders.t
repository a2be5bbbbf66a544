# Each wall has somebody who runs against it as fast as he can, and beside him are others who behave.
# They stay, miss nothing and are refused nothing; how long their messages took is said, and judged by nobody.
use strict;
use warnings;
use Hub;
use Hub::Flood;
use Hub::Metrics;
use Hub::Store;
use Hub::Token;

my $no = JSON::PP::false();

subtest 'records' => sub {
	my $hub = Hub->start;
	beside($hub, 'records', map { flooder($hub, "flood$_", 0, '{"type":"t","pad":"' . 'x' x 100 . '"}') } 1, 2);
	$hub->stop;
};

subtest 'records for a store' => sub {
	my $hub = store_hub(store_dir(), args => [ '--history-memory', '16M', '--sync', 'off' ]);
	beside($hub, 'store', map { flooder($hub, 'flood', 0, '{"type":"t","pad":"' . 'x' x 50000 . '"}') } 1, 2);
	$hub->stop;
};

subtest 'who is there' => sub {
	my $hub = Hub->start(args => [ '--presence-limit', 0 ]);
	my @crowd = map { $hub->member('unix', 'flood') } 1 .. 300;
	$_->send({ type => 'client_info', about => 'x' x 900 }) for @crowd;
	$_->sync for @crowd;
	beside($hub, 'presence', flooder($hub, 'flood', 1, '{"type":"presence"}'));
	cmp_ok($hub->health->{sent_bytes}, '<', 100e6, 'what was made for it has a bound');
	$hub->stop;
};

subtest 'joins of a large session' => sub {
	my $hub = Hub->start(args => [ '--history-bytes', '64M', '--history-memory', '256M' ]);
	my $source = $hub->member('unix', 'flood', echo => $no);
	for (1 .. 16) {
		$source->send_text(('{"type":"t","pad":"' . 'x' x 50000 . '"}') x 60);
		$source->sync;
	}
	beside($hub, 'joins', flooder($hub, 'flood', 1, '{"type":"session_associate","session_id":"flood","since":0}'));
	$hub->stop;
};

subtest 'messages to one member' => sub {
	my $hub = Hub->start;
	my $steady = $hub->member('ws', 's');
	my @flooders = map { flooder($hub, 's', 1, qq({"type":"hint","to":"$steady->{id}","pad":") . 'x' x 20000 . '"}') } 1, 2;
	# It reads all the time, though not as fast as they send.
	my $got = 0;
	wait_for {
		$got += @{ $steady->{in} };
		@{ $steady->{in} } = ();
		select undef, undef, undef, 0.01;
		$got > 2000 || $steady->{gone};
	} 'many messages';
	ok(!$steady->{gone}, 'who reads stays');
	beside($hub, 'direct', @flooders);
	cmp_ok($hub->health->{refused_share}, '>', 0, 'and who sends too much is refused');
	$hub->stop;
};

subtest 'those who come and go' => sub {
	my $hub = Hub->start;
	my $steady = $hub->member('ws', 's');
	my @flooders = map {
		flooder($hub, '-', 1, '{"type":"session_associate","session_id":"s"}', '{"type":"session_leave","session_id":"s"}')
	} 1 .. 4;
	my $source = $hub->member('unix', 's', echo => $no);
	my $n = 0;
	# It is never quite up to date with the records, so that answers wait as well.
	wait_for {
		$source->send_text(('{"type":"t","pad":"' . 'x' x 5000 . '"}') x 10);
		$n += 10;
		$steady->{reading} = 0;
		pump(0.001) for 1 .. 5;
		$steady->{reading} = 1;
		pump(0.001) for 1 .. 5;
		@{ $steady->{presence} } = ();
		$n >= 2000 || $steady->{gone};
	} 'many records';
	wait_for { @{ $steady->{in} } >= $n || $steady->{gone} } 'all of them';
	ok(!$steady->{gone}, 'who reads stays');
	beside($hub, 'news', @flooders);
	$hub->stop;
};

subtest 'keys of the state' => sub {
	my $hub = Hub->start(args => [ '--client-keys', 50, '--state-keys', 100 ]);
	my ($greedy, $good, $trusted) = map { $hub->member($_, 's', echo => $no) } 'ws', 'ws', 'unix';
	my $set = sub {
		my ($c, $key) = @_;
		my $id = "$key." . ++$c->{sets};
		$c->send({ type => 'light', key => $key, msg_id => $id });
		my ($answer) = grep { ($_->{msg_id} // '') eq $id && $_->{type} =~ /^(?:ack|error)$/ } $c->sync;
		return $answer->{type} eq 'ack' ? 'ok' : $answer->{data}{code};
	};
	is(scalar(grep { $set->($greedy, "g$_") eq 'ok' } 1 .. 60), 50, 'one client has its share');
	is($set->($greedy, 'g60'), 'session_full', 'and is told so');
	is($set->($greedy, 'g7'), 'ok', 'what is there it may change');
	is($set->($good, 'a'), 'ok', 'others go on');
	is(scalar(grep { $set->($trusted, "t$_") eq 'ok' } 1 .. 60), 49, 'who is trusted may have all that is left');
	is($set->($good, 'b'), 'session_full', 'then it is full');
	$hub->stop;
};

subtest 'bytes of the state' => sub {
	my $hub = Hub->start(args => [ '--client-bytes', '200k', '--state-bytes', '400k' ]);
	my ($greedy, $good, $trusted) = map { $hub->member($_, 's', echo => $no) } 'ws', 'ws', 'unix';
	my $set = sub {
		my ($c, $key, $size) = @_;
		my $id = "$key." . ++$c->{sets};
		$c->send({ type => 'light', key => $key, msg_id => $id, pad => 'x' x $size });
		my ($answer) = grep { ($_->{msg_id} // '') eq $id && $_->{type} =~ /^(?:ack|error)$/ } $c->sync;
		return $answer->{type} eq 'ack' ? 'ok' : $answer->{data}{code};
	};
	is(scalar(grep { $set->($greedy, "g$_", 30_000) eq 'ok' } 1 .. 12), 6, 'one client has its share');
	is($set->($greedy, 'g13', 30_000), 'session_full', 'and is told so');
	is($set->($greedy, 'g1', 30_000), 'ok', 'what is there it may change');
	is($set->($greedy, 'g1', 60_000), 'session_full', 'but not make much larger');
	is($set->($greedy, 'small', 100), 'ok', 'and what fits, fits');
	is($set->($good, 'a', 30_000), 'ok', 'others go on');
	is(scalar(grep { $set->($trusted, "t$_", 30_000) eq 'ok' } 1 .. 12), 6, 'who is trusted may have all that is left');
	is($set->($good, 'b', 30_000), 'session_full', 'then it is full');
	is($set->($hub->member('ws', 'other', echo => $no), 'b', 30_000), 'ok', 'and another session is not');
	$hub->stop;
};

subtest 'errors' => sub {
	my $hub = Hub->start;
	my $flooder = flooder($hub, '-', 1, '{"type":"t"}', 'no json');
	is(good_members($hub, 'good', 'errors'), '', 'the others go on');
	wait_for { !$flooder->running } 'it to be sent away';
	is(slurp($flooder->{out}), "1008\n", 'who makes nothing else is sent away');
	is($hub->health->{closed_errors}, 1, 'and counted');
	$hub->stop;
};

subtest 'rates' => sub {
	my $hub = Hub->start(args => [ '--rate-messages', 1000, '--rate-bytes', '1M' ]);
	my $flooder = flooder($hub, 'flood', 1, '{"type":"t"}');
	my $large = flooder($hub, 'large', 1, '{"type":"t","pad":"' . 'x' x 10000 . '"}');
	my $start = now();
	is(good_members($hub, 'good', 'rates', 300), '', 'the others go on');
	my $records = $hub->health->{records} - 300;
	my $most = 2 * 1000 + 200 + (now() - $start + 5) * 1100;
	cmp_ok($records, '<', $most, 'who is faster is slowed');
	cmp_ok($hub->health->{slowed}, '>', 0, 'and that counted');
	is($hub->health->{errors}, 0, 'nothing is lost');
	ended($flooder, $large);
	$hub->stop;
};

# --- what is counted over all connections

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
	met($hub, 'hubd_accepted_total', 'connections');
	beside($hub, 'connections', @flooders);
	$hub->stop;
};

subtest 'who shows no token' => sub {
	my $hub = Hub->start(args => [ '--auth-key', key_file(), '--max-connections', 600 ]);
	my @flooders = (
		knocker($hub, 100, $upgrade),    # it waits to be sent away
		knocker($hub, 20, $upgrade . Hub::Client::ws_frame(1, '{"type":"authenticate","token":"' . token({}, secret => 'x') . '"}')),
		knocker($hub, 20, ("GET /sessions/s/state HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " . token({}, secret => 'x')
				    . "\r\n\r\n") x 50),
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
	my @flooders = map { knocker($hub, 2, $_) } ("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") x 1500,
	    ("GET /sessions/flood/presence HTTP/1.1\r\nHost: localhost\r\n\r\n") x 500,
	    ("POST /sessions/flood/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
		    . length($body) . "\r\n\r\n$body") x 500;
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
