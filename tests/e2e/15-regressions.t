# Mistakes that were made once: each of these failed before it was mended.
# Long.
use strict;
use warnings;
use Hub;

subtest 'the end does not wait for a peer that does not read' => sub {
	my $hub = Hub->start(args => [ '--drain', 0, '--write-timeout', 10 ]);
	my $stuck = $hub->member('unix', 's');
	$stuck->{reading} = 0;
	my $talks = $hub->member('unix', 's', echo => JSON::PP::false());
	$talks->send_text(map { json({ type => 'fill', pad => 'x' x 1000 }) } 1 .. 1000);
	$talks->sync;
	$hub->stop;
};

subtest 'a peer that half-closes gets all it asked for' => sub {
	my $hub = Hub->start;
	my $late = $hub->member('unix', 's');
	$late->{reading} = 0;
	my $talks = $hub->member('unix', 's', echo => JSON::PP::false());
	$talks->send_text(map { json({ type => 'n', n => $_, pad => 'x' x 4000 }) } 1 .. 200);
	$talks->sync;
	$late->send({ type => 'ping', ping_id => 'last' });
	$late->drain;
	shutdown $late->{fh}, 1;
	$talks->sync;
	$late->{reading} = 1;
	wait_for { $late->{gone} } 'the hub to close';
	is(scalar(grep { /"type":"n"/ } @{ $late->{in} }), 200, 'all records');
	is(scalar(grep { /"type":"pong"/ } @{ $late->{in} }), 1, 'and the answer');
	$hub->stop;
};

subtest 'members in step do not pay for memory used elsewhere' => sub {
	my $hub = Hub->start(args => [ '--history-memory', '1M' ], workers => 1);
	my @hold = map { $hub->member('unix', "filler$_", echo => JSON::PP::false()) } 1 .. 20;
	for my $c (@hold) {
		$c->send_text(map { json({ type => 'x', pad => 'y' x 60_000 }) } 1 .. 2);
		$c->sync;
	}
	my $talks = $hub->member('unix', 's', echo => JSON::PP::false());
	my @members = map { $hub->member($_, 's') } qw(ws unix);
	for my $round (1 .. 20) {
		$talks->send_text(map { json({ type => 'e', pad => 'z' x 200 }) } 1 .. 1000);
		wait_for { !grep { !$_->{gone} && @{ $_->{in} } < 1000 * $round } @members } 'a burst';
	}
	is(scalar @{ $_->{in} }, 20_000, "$_->{kind}: complete") for @members;
	is($hub->health->{slow_disconnects}, 0, 'nobody was too slow');
	$hub->stop;
};

subtest 'sessions that nobody is in make room for new ones' => sub {
	my $hub = Hub->start(args => [ '--max-sessions', 5 ]);
	my $c = $hub->unix;
	for my $n (1 .. 5) {
		$c->join_session("s$n");
		$c->send({ type => 'session_leave' });
		$c->wait_type('session_left');
	}
	my $other = $hub->unix;
	$other->send({ type => 'session_associate', session_id => 'new' });
	is($other->next->{type}, 'session_associated', 'the sixth');
	$hub->stop;
};

subtest 'who asks for much at once and reads it is not slow' => sub {
	my $hub = Hub->start;
	my @members = map { $hub->member('unix', 's') } 1 .. 80;
	for my $c (@members) {
		$c->send({ type => 'client_info', bio => 'b' x 900 });
		$c->sync;
	}
	for my $kind (qw(ws unix)) {
		my $c = $hub->member($kind, 's');
		$c->send_text(map { json({ type => 'presence' }) } 1 .. 200);
		wait_for { $c->{gone} || 200 == grep { /"type":"presence"/ } @{ $c->{in} } } 'the answers';
		is($c->{gone}, undef, "$kind: got them all");
	}
	$hub->stop;
};

subtest 'what a client sent before it went reaches the others' => sub {
	my $hub = Hub->start(workers => 1);
	my ($witness, $other, $c) = map { $hub->member('unix', 's', echo => JSON::PP::false()) } 1 .. 3;
	kill STOP => $hub->pid;
	my $n = 1000;
	$c->send_text(map { json({ type => 'x', n => $_, pad => 'p' x 60 }) } 1 .. $n);
	# As many of them as the socket takes.
	$n -= () = $c->{wbuf} =~ /\n/g;
	cmp_ok($n, '>', 100, "$n were sent");
	$other->send({ type => 'y' });
	$c->vanish;
	kill CONT => $hub->pid;
	becomes { $n == grep { /"type":"x"/ } @{ $witness->{in} } } 'all of them come, though something was just being sent to it';
	$hub->stop;
};

# Seen by AddressSanitizer: the answer ends the request, and what it was in.
subtest 'a request whose body is broken behind its answer' => sub {
	my $hub = Hub->start;
	for my $body ("zz\r\n", 'f' x 17 . "\r\n", "1\r\nabc\r\n") {
		my $c = $hub->tcp;
		$c->send_bytes("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n$body");
		wait_for { $c->{gone} } 'the end', 20, $c;
		is($c->{status}, 404, 'it is answered');
		unlike($c->{body}, qr{HTTP/1\.1 }, 'once');
	}
	$hub->stop;
};

subtest 'a WebSocket that says its close and does not read' => sub {
	my $hub = Hub->start(workers => 1);
	my $other = $hub->member('unix', 's', echo => JSON::PP::false());
	my $c = $hub->client('ws', rcvbuf => 4096);
	$c->join_session('s');
	$c->{reading} = 0;
	for (1 .. 2000) {    # as many pongs as the hub keeps for it
		$c->frame(9, 'p' x 120);
		select undef, undef, undef, 0.0005;
	}
	$c->drain;
	$c->frame(8, pack 'n', 1000)->drain;
	$c->{closing} = 1;
	becomes { grep { /client_disconnected/ } @{ $other->{presence} } } 'it has left at once', 5;
	$other->send(map { { type => 'after', n => $_ } } 1 .. 3);
	$other->sync;
	$c->{reading} = 1;
	is($c->closed, 1000, 'it gets the answer to its close');
	is_deeply([ grep { /"after"/ } @{ $c->{in} } ], [], 'and nothing behind it');
	$hub->stop;
};

# They were dropped with the connection, and a pong that was due with them.
subtest 'what was asked in one breath with a close is answered before it' => sub {
	my $hub = Hub->start(args => [ '--store', scratch() . '/close.db' ]);
	for my $codes ([ 1000, 1000 ], [ 4321, 4321 ], [ 1003, 1000, Hub::Client::ws_frame(2, 'x') ]) {
		my ($answer, $code, @binary) = @$codes;
		my $c = $hub->member('ws', 's');
		$c->{closing} = 1;
		$c->send_bytes(join '', map({ Hub::Client::ws_frame(1, $_) } '{"type":"ping","ping_id":1}', '{'),
			@binary ? () : Hub::Client::ws_frame(1, '{"type":"kept","msg_id":"m' . $code . '"}'),
			Hub::Client::ws_frame(9, 'p'), @binary, Hub::Client::ws_frame(8, pack 'n', $code));
		is($c->closed, $answer, "closed with $answer");
		my @types = map { unjson($_)->{type} } @{ $c->{in} };
		is_deeply([ grep { /pong|error/ } @types ], [ 'pong', 'error' ], 'the answers');
		is_deeply([ sort grep { !/pong|error/ } @types ], @binary ? [] : [ 'ack', 'kept' ], 'the record, and that it is stored');
		is_deeply($c->{pongs}, ['p'], 'the pong');
	}
	$hub->stop;
};

# What waited for it was thrown away half a minute after the close, or after --write-timeout, however it read.
subtest 'a connection that ends leaves time to who reads slowly' => sub {
	my $timeout = 4 * slow();
	my $hub = Hub->start(workers => 1, args => [ '--write-timeout', $timeout, '--max-message', '2M' ]);
	my $other = $hub->member('unix', 's');
	my $c = $hub->client('ws', rcvbuf => 4096);
	$c->join_session('s');
	$c->{reading} = 0;
	$c->{closing} = 1;
	$other->send({ type => 'large', to => $c->{id}, x => 'x' x 1_900_000 });
	wait_for { $hub->get('/metrics')->{body} =~ /^hubd_memory_bytes\{kind="unsent"\} (\d+)/m && $1 > 1_000_000 }
	'most of it to wait in the hub';
	$c->frame(2, 'x')->drain;
	my $until = now() + $timeout + 1;
	while ($c->alive && length $c->{rbuf} < 1_500_000 && now() < $until) {
		my $enough = length($c->{rbuf}) + 20_000;
		$c->{reading} = 1;
		wait_for { !$c->alive || length $c->{rbuf} > $enough } 'some of it', undef, $c;
		$c->{reading} = 0;
		select undef, undef, undef, 0.1 * slow();
	}
	cmp_ok(now(), '>', $until, 'it has taken its time') if $c->alive;
	$c->{reading} = 1;
	is($c->closed, 1003, 'it is told why');
	is(length($c->{in}[0] // '') > 1_900_000, 1, 'behind all that was before it');
	$hub->stop;
};

done_testing;
