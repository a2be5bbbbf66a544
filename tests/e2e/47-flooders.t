# Each wall has somebody who runs against it as fast as he can, and beside him are others who behave.
# They stay, miss nothing and are refused nothing; how long their messages took is said, and judged by nobody.
use strict;
use warnings;
use Hub;
use Hub::Flood;
use Hub::Store;

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
	my ($before, $began) = ($hub->health->{sent_bytes}, now());
	beside($hub, 'presence', flooder($hub, 'flood', 1, '{"type":"presence"}'));
	# 13 MB of answers at once, then 2 MB a second (conn/meter.h); and what the others are told.
	my $most = 13e6 + 2e6 * (now() - $began) + 10e6;
	cmp_ok($hub->health->{sent_bytes} - $before, '<', $most, 'what was made for it has a bound');
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

done_testing;
