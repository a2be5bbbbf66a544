# What a session is to its members, over both transports: join, send, receive, ask, leave. The hub adds
# its fields by copying bytes, so records are compared byte for byte.
use strict;
use warnings;
use Hub;

my $hub = Hub->start(args => [ '--client-version', '7.1' ]);
my $id = qr/^[0-9A-Za-z]{11}$/;
my $true = JSON::PP::true();
my $false = JSON::PP::false();

for my $pair ([ 'unix', 'ws' ], [ 'ws', 'unix' ], [ 'ws', 'ws' ], [ 'unix', 'unix' ]) {
	my ($from, $to) = @$pair;
	my $s = "room:$from-$to.1~\@_";
	subtest "from $from to $to" => sub {
		my $alice = $hub->member($from, $s);
		my $joined = $alice->{joined};
		like(delete $joined->{client_id}, $id, 'a client id of 11 characters');
		like(my $epoch = delete $joined->{epoch}, $id, 'an epoch of 11 characters');
		like(delete $joined->{resume}, qr/^[0-9A-Za-z_-]{48}$/, 'a token of 48 characters');
		is_deeply($joined, {
			type => 'session_associated', session_id => $s, seq => 0, recovered => $false,
			snapshot => 0, user_count => 1, max_message => 65536
		}, 'the rest of the answer to the first member');

		my $bob = $hub->member($to, $s);
		isnt($bob->{id}, $alice->{id}, 'ids differ');
		is($bob->{joined}{epoch}, $epoch, 'the epoch is the session\'s');
		is($bob->{joined}{user_count}, 2, 'two members now');
		wait_for { @{ $alice->{presence} } } 'news of the second member';
		is_deeply(unjson(shift @{ $alice->{presence} }), {
			type => 'client_connected', session_id => $s, client_id => $bob->{id}, user_count => 2
		}, 'the first hears of the second');
		is(scalar @{ $bob->{presence} }, 0, 'the second does not hear of itself');

		# Bytes: untouched fields as they were, the hub's at the end.
		my $body = '{ "type" : "greet","x":[1.0e+2, "\u00e9\/\ud83d\ude00' . "\xc3\xa9\xf0\x9f\x98\x80"
		    . '"],"timestamp":12 ';
		$alice->send_text(" $body} ");
		my $record = qq($body,"session_id":"$s","from":"$alice->{id}","seq":1});
		for my $c ($alice, $bob) {
			wait_for { @{ $c->{in} } } 'the record';
			is(shift @{ $c->{in} }, $record, 'the record, byte for byte');
		}

		my $before = int(Time::HiRes::time() * 1000);
		$bob->send({ type => 'reply', session_id => $s });
		for my $c ($alice, $bob) {
			my $got = $c->next;
			my $stamp = delete $got->{timestamp};
			ok($stamp >= $before - 1000 && $stamp <= Time::HiRes::time() * 1000 + 1000, 'stamped with the time in ms');
			is_deeply($got, { type => 'reply', session_id => $s, from => $bob->{id}, seq => 2 },
				'the answer, numbered on');
		}

		# Without echo the others still get it.
		$bob->join_session($s, echo => $false);
		$bob->send({ type => 'silent' });
		$bob->sync;
		$alice->send({ type => 'loud' });
		is_deeply([ map { $_->{type} . $_->{seq} } $alice->next, $alice->next ],
			[ 'silent3', 'loud4' ], 'one order for all');
		is_deeply([ map { $_->{type} . $_->{seq} } $bob->next ], ['loud4'], 'no echo of my own');
		$bob->join_session($s, echo => $true);
		$bob->send({ type => 'heard' });
		is($bob->next->{type}, 'heard', 'joining again switches the echo back on');
		is($alice->next->{type}, 'heard', 'the others see no difference');
		is($alice->join_session($s)->{seq}, 5, 'joining again answers with the head');

		$bob->send({ type => 'session_leave', session_id => $s });
		is_deeply($bob->next, { type => 'session_left', session_id => $s, user_count => 1 }, 'left');
		wait_for { @{ $alice->{presence} } } 'news of the leaving';
		is_deeply(unjson(shift @{ $alice->{presence} }), {
			type => 'client_disconnected', session_id => $s, client_id => $bob->{id}, user_count => 1
		}, 'the first hears that the second left');
		$alice->send({ type => 'alone' });
		is($alice->next->{seq}, 6, 'the session goes on');
		is_deeply([ $bob->sync ], [], 'who has left gets nothing');
		is($bob->join_session($s)->{seq}, 6, 'and may come back');
	};
}

for my $t ('unix', 'ws') {
	subtest "questions over $t" => sub {
		my $c = $hub->client($t);
		$c->send({ type => 'ping', ping_id => 'p-1', timestamp => 99 });
		my $pong = $c->next;
		like(delete $pong->{server_time}, qr/^\d{13}$/, 'the server\'s time in ms');
		is_deeply($pong, { type => 'pong', ping_id => 'p-1', timestamp => 99 }, 'ping');
		$c->send({ type => 'heartbeat' });
		is_deeply([ sort keys %{ $c->next } ], [ 'server_time', 'type' ], 'heartbeat');
		$c->send({ type => 'version_check', js_version => '7.1' });
		is_deeply($c->next, { type => 'version_status', match => $true, js_version => '7.1' },
			'the right version');
		$c->send({ type => 'version_check', js_version => '7.0' });
		is_deeply($c->next, { type => 'version_status', match => $false, js_version => '7.1' },
			'another version');

		my $s = "who.$t";
		$c->join_session($s);
		my $other = $hub->member('unix', $s);
		$other->send({ type => 'client_info', name => 'Ann', nested => { a => [1] } });
		$other->sync;
		$c->send({ type => 'presence' });
		my $who = $c->next;
		my %info = map { $_->{client_id} => $_->{info} } @{ delete $who->{members} };
		is_deeply($who, { type => 'presence', session_id => $s, user_count => 2 }, 'presence');
		is(scalar keys %info, 2, 'both are listed');
		is($info{ $c->{id} }, undef, 'nothing known of one');
		is_deeply([ @{ $info{ $other->{id} } }{qw(name nested)} ], [ 'Ann', { a => [1] } ],
			'what the other told of itself');

		# All a client sent before is handled before its ping is answered.
		$c->send(map({ { type => 'n', n => $_ } } 1 .. 50), { type => 'ping', ping_id => 'last' });
		$c->wait_type('pong');
		$other->join_session("$s.again");
		$other->send({ type => 'presence', session_id => $s });
		is($other->wait_type('presence')->{user_count}, 2, 'still both');
		wait_for { @{ $other->{in} } == 50 } 'fifty records';
		is_deeply([ map { unjson($_)->{n} } @{ $other->{in} } ], [ 1 .. 50 ], 'all, in order');
	};
}

subtest 'lines' => sub {
	my $c = $hub->member('unix', 'lines');
	my $w = $hub->member('ws', 'lines');
	$c->send_bytes(qq(\n\r\n\n{"type":"a"}\r\n{"ty));
	is($c->next->{type}, 'a', 'empty lines and a carriage return are white space');
	$c->send_bytes(qq(pe":"b"}\n));
	is($c->next->{type}, 'b', 'a line may come in pieces');
	is($w->next->{type}, $_, "and as a WebSocket message: $_") for 'a', 'b';
	$w->send_text(qq({"type":"c",\n"x":\r\n"y"}));
	is_deeply([ @{ $c->next }{qw(type x)} ], [ 'c', 'y' ], 'a message of several lines is one line');
	is($w->next->{type}, 'c', 'and whole for the others');
};

subtest 'several sessions on one connection' => sub {
	my $c = $hub->client('ws');
	$c->join_session('one');
	$c->join_session('two');
	$c->send({ type => 'to-two' }, { type => 'to-one', session_id => 'one' });
	my %got = map { $_->{session_id} => $_ } $c->next, $c->next;
	is($got{two}{type}, 'to-two', 'the latest joined is the default');
	is($got{one}{type}, 'to-one', 'the other by name');
	is($got{$_}{seq}, 1, "$_ counts for itself") for 'one', 'two';
	$c->join_session('one');
	$c->send({ type => 'again' });
	is($c->next->{session_id}, 'one', 'joining again makes it the default');
};

$hub->stop;
done_testing;
