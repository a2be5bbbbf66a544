# Engine.IO and Socket.IO, byte by byte: what is answered, what ends a session, what others see of events, binary,
# going on from polling to a WebSocket, coming back.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Sio;
use Hub::Token;

my $hub = Hub->start(args => [ '--max-message', '20k', '--cors', 'https://example.org' ]);
my $unknown = '0' x 23;
my $version = 'Unsupported protocol version: clients of Socket.IO 3 and later, which say EIO=4, are served here';

# An answer to a request by hand.
sub fetch {
	my ($method, $query, %o) = @_;
	return Hub::Http->fetch($o{hub} || $hub, $method, ($o{path} || $Hub::Sio::path) . $query, %o);
}

# Whether a session of a polling client is no more.
sub is_over {
	my ($sio, $name) = @_;
	my $answer = $sio->request('GET');
	return is("$answer->{status} $answer->{body}", '400 {"code":1,"message":"Session ID unknown"}', $name);
}

subtest 'a handshake' => sub {
	my $a = fetch('GET', '?EIO=4&transport=polling&t=abc');
	is($a->{status}, 200, 'polling: 200');
	is($a->{headers}{'content-type'}, 'text/plain; charset=UTF-8', 'text');
	my $open = unjson($a->{body} =~ s/^0//r);
	is_deeply([ sort keys %$open ], [qw(maxPayload pingInterval pingTimeout sid upgrades)], 'an open packet');
	is_deeply($open->{upgrades}, ['websocket'], 'upgrades');
	is_deeply([ @$open{qw(maxPayload pingInterval pingTimeout)} ], [ 20480, 540_000, 85_860_000 ], 'what clients go by');
	like($open->{sid}, qr/^[\w-]{23}$/, 'a sid');
	my $ws = Hub::Sio->ws($hub);
	is_deeply($ws->{open}{upgrades}, [], 'a WebSocket goes on to nothing');
	isnt($ws->{sid}, $open->{sid}, 'and has another sid');
	is(fetch('GET', '?EIO=4&transport=polling', path => '/socket.io')->{status}, 200, 'without a slash');
	my $c = fetch('GET', '?EIO=4&transport=polling', headers => ['Origin: https://example.org']);
	is($c->{headers}{'access-control-allow-origin'}, 'https://example.org', 'CORS');
	is(fetch('OPTIONS', '')->{headers}{allow}, 'GET, POST, OPTIONS', 'OPTIONS');
};

subtest 'what is refused' => sub {
	my $sid = Hub::Sio->poll($hub)->{sid};
	my $ws = Hub::Sio->ws($hub);
	my @rows = (
		[ 'GET', '?EIO=4', 400, 0, 'Transport unknown' ],
		[ 'GET', '?EIO=4&transport=abc', 400, 0, 'Transport unknown' ],
		[ 'GET', "?EIO=4&transport=polling&sid=$unknown", 400, 1, 'Session ID unknown' ],
		[ 'POST', '?EIO=4&transport=polling&sid=x', 400, 1, 'Session ID unknown' ],
		[ 'POST', '?EIO=4&transport=polling', 400, 2, 'Bad handshake method' ],
		[ 'PUT', '?EIO=4&transport=polling', 400, 2, 'Bad handshake method' ],
		[ 'GET', '?EIO=4&transport=websocket', 400, 3, 'Bad request' ],
		[ 'GET', "?EIO=4&transport=websocket&sid=$sid", 400, 3, 'Bad request' ],
		[ 'GET', "?EIO=3&transport=polling&sid=$sid", 400, 3, 'Bad request' ],
		[ 'PUT', "?EIO=4&transport=polling&sid=$sid", 400, 3, 'Bad request' ],
		[ 'GET', "?EIO=4&transport=polling&sid=$ws->{sid}", 400, 3, 'Bad request' ],
		[ 'GET', '?transport=polling', 400, 5, $version ],
		[ 'GET', '?EIO=3&transport=polling', 400, 5, $version ],
		[ 'GET', '?EIO=abc&transport=polling', 400, 5, $version ],
	);
	for my $row (@rows) {
		my ($method, $query, $status, $code, $message) = @$row;
		my $a = fetch($method, $query, $method eq 'GET' ? () : (body => ''));
		is($a->{status}, $status, "$method $query");
		is($a->{headers}{'content-type'}, 'application/json', 'JSON');
		is_deeply(unjson($a->{body}), { code => $code, message => $message }, $message);
	}
	like(fetch('GET', '?EIO=4&transport=polling&j=0')->{body}, qr/^\{"code":3,"message":"JSONP is not spoken here/, 'JSONP');
	for my $query ('?EIO=3&transport=websocket', '?transport=websocket', '?EIO=4', "?EIO=4&transport=websocket&sid=$unknown") {
		my $c = $hub->ws(path => $Hub::Sio::path . $query, refused => 1);
		is($c->{status}, 400, "no WebSocket for $query");
	}
};

for my $how ('poll', 'ws') {
	subtest "events, $how" => sub {
		my $session = "events_$how";
		my ($ann, $bob) = map { Hub::Sio->new($how, $hub) } 1, 2;
		my $other = $hub->member('unix', $session);
		my $hello = $ann->connect("/$session");
		is_deeply([ sort grep { !/^(?:type|before)$/ } keys %$hello ], [qw(pid sid)], 'connected');
		isnt($hello->{pid}, $hello->{sid}, 'the pid is no id');
		$bob->connect("/$session");
		$ann->send(qq(42/$session,["move",{"x":1,"s":"\\u0000"}]));
		is_deeply($bob->event, [ 'move', { x => 1, s => "\0" } ], 'an object');
		is($bob->{nsp}, "/$session", 'in its namespace');
		my $record = $other->next;
		is_deeply([ @$record{qw(type session_id from seq)} ], [ 'move', $session, $ann->{id}, 1 ], 'is a record');
		is($record->{data}{x}, 1, 'with its data');
		$ann->send(qq(42/$session,["say", 1 , [2], null ]), qq(42/$session,["hey"]), qq(42/$session,[7,"x"]));
		is_deeply($bob->event, [ 'say', 1, [2], undef ], 'several arguments');
		is_deeply($bob->event, ['hey'], 'none');
		is_deeply($bob->event, [ '7', 'x' ], 'a number for a name');
		is_deeply([ map { $_->{args} } map { $other->next } 1 .. 3 ], [ [ 1, [2], undef ], [], ['x'] ], 'are args');
		$other->send({ type => 'note', text => 'hi' }, { type => 'disconnect', data => {} }, { type => 'deep', data => { y => 2 } },
			{ type => 'both', data => {}, x => 1 });
		my $note = $bob->event;
		is_deeply([ $note->[0], @{ $note->[1] }{qw(text seq)} ], [ 'note', 'hi', 5 ], 'another record is whole');
		is($bob->event->[0], 'hub:record', 'a name that clients keep');
		is_deeply($bob->event, [ 'deep', { y => 2 } ], 'data of others');
		is($bob->event->[1]{x}, 1, 'and more than that');
		like($bob->{offset}, qr/^\w{11}-8$/, 'with a place');
		is($ann->event->[0], $_, "the sender gets $_, and not its own") for qw(note hub:record deep both);
		$ann->send(qq(42/$session,12["ask",{"x":1}]));
		is($ann->packet, qq(43/$session,12[{"seq":9}]), 'an ack');
		$ann->send(qq(42/$session,12["ask",{"x":1}]));
		is($ann->packet, qq(43/$session,12[{"seq":10}]), 'the same id is another message');
		is($bob->event->[0], 'ask', 'which others get') for 1, 2;
		my $long = 'x' x 65;
		$ann->send(qq(42/$session,13["$long"]), qq(42/$session,["$long"]));
		like($ann->packet, qr/^43\/$session,13\[\{"error":\{"code":"bad_type","message":"type must/, 'an error is an ack');
		like($ann->packet, qr/^42\/$session,\["hub:error",\{"code":"bad_type"/, 'or an event');
		$other->send({ type => 'psst', to => $ann->{id}, data => { z => 1 } });
		is_deeply($ann->event, [ 'psst', { z => 1 } ], 'a message to one');
		$ann->send(qq(42/$session,["ping",{}]));
		is($bob->event->[0], 'ping', 'a type of the hub');
		is_deeply($other->wait_type('ping')->{record}, {}, 'is a record to others as well');
	};

	subtest "namespaces, $how" => sub {
		my $sio = Hub::Sio->new($how, $hub);
		my $main = $hub->member('unix', 'main');
		is($sio->connect('')->{type}, 0, 'the main one');
		$sio->send('42["hello",{}]');
		is($main->next->{type}, 'hello', 'is the session main');
		for my $bad ('/main', '/a/b', '/', "/\xc3\xa9", '/' . 'x' x 129) {
			next if $bad eq '/';
			my $answer = $sio->connect($bad);
			is_deeply([ @$answer{qw(type message)} ], [ 4, 'Invalid namespace' ], 'no namespace: ' . substr $bad, 0, 8);
		}
		my $id = $sio->{id};
		is($sio->connect("/two_$how")->{sid}, $id, 'another one, as the same client');
		my $two = $hub->member('unix', "two_$how");
		$two->send({ type => 'presence' });
		is($two->wait_type('presence')->{user_count}, 2, 'it is there');
		$sio->send("41/two_$how,");
		becomes { $two->send({ type => 'presence' }); $two->wait_type('presence')->{user_count} == 1 } 'and gone';
		$sio->send(qq(42/two_$how,["late",{}]), '42["hello",{}]');
		is($main->next->{type}, 'hello', 'what comes late for that harms nothing else');
		is($sio->connect("/two_$how")->{type}, 0, 'it may come back');
	};

	subtest "binary, $how" => sub {
		my $session = "binary_$how";
		my ($ann, $bob) = map { Hub::Sio->new($how, $hub) } 1, 2;
		my $other = $hub->member('unix', $session);
		$_->connect("/$session") for $ann, $bob;
		my $send = sub { my ($data) = @_; $ann->{ws} ? $ann->{ws}->frame(2, $data) : $ann->send('b' . encode($data)) };
		my $text = qq(452-/$session,3["file",{"a":{"_placeholder":true,"num":0},"b":[{"num":1,"_placeholder":true}]}]);
		if ($how eq 'ws') {
			$ann->send($text);
			$send->($_) for "\1\2\3", '';
		} else {
			$ann->send($text, 'bAQID', 'b');
		}
		is_deeply($other->next->{data}, { a => { '$base64' => 'AQID' }, b => [ { '$base64' => '' } ] }, 'others read base64');
		like($ann->packet, qr/^43\/$session,3\[\{"seq":1\}\]$/, 'an ack');
		my $packet = $bob->packet;
		like($packet, qr/^452-\/$session,\["file",\{"a":\{"_placeholder":true,"num":0\},"b":\[\{"_placeholder":true,"num":1\}\]\},"\w{11}-1"\]$/,
			'an event with attachments');
		is_deeply([ map { $bob->packet } 1, 2 ], $how eq 'ws' ? [ "binary:\1\2\3", 'binary:' ] : [ 'bAQID', 'b' ], 'these');
		$other->send_text(qq({"type":"x","args":[{"\$base64":"/w=="},{ "\$base64":"AA=="}]}));
		like($bob->packet, qr/^451-\/$session,\["x",\{"_placeholder":true,"num":0\},\{ "\$base64":"AA=="\},/, 'what another door writes');
		is($bob->packet, $how eq 'ws' ? "binary:\xff" : 'b/w==', 'comes as binary');
	};
}

sub encode {
	require MIME::Base64;
	return MIME::Base64::encode_base64($_[0], '');
}

subtest 'binary as text' => sub {
	my $b64 = Hub::Sio->ws($hub, query => '&b64=1');
	$b64->connect('/text64');
	my $ann = Hub::Sio->ws($hub);
	$ann->connect('/text64');
	$ann->send('451-/text64,["x",{"_placeholder":true,"num":0}]', 'bAQID');
	like($b64->packet, qr/^451-/, 'an event');
	is($b64->packet, 'bAQID', 'whose attachment is text');
};

subtest 'polls' => sub {
	my $hub = Hub->start(workers => 1, args => [ '--max-message', '20k' ]);
	my $sio = Hub::Sio->poll($hub);
	$sio->connect('/polls');
	my $first = $sio->waiting;
	is($sio->request('GET')->{status}, 400, 'a second poll at a time');
	is($first->answer->{body}, '1', 'ends the session');
	is_over($sio, 'at once');

	$sio = Hub::Sio->poll($hub);
	$sio->connect('/polls');
	my $watch = $hub->member('unix', 'polls');
	my $get = $sio->waiting;
	$watch->send({ type => 'there' });
	like($get->answer->{body}, qr/"there"/, 'a poll gets what comes');
	$get = $sio->waiting;
	$watch->send({ type => 'presence' });
	is($watch->wait_type('presence')->{user_count}, 2, 'a poll waits');
	$get->vanish;
	becomes { $watch->send({ type => 'presence' }); $watch->wait_type('presence')->{user_count} == 1 } 'one given up ends the session';
	is_over($sio, 'which is unknown then');

	$sio = Hub::Sio->poll($hub);
	$sio->connect('/polls');
	is($sio->request('POST', body => '4' . 'x' x 20480)->{status}, 413, 'too large a body');
	$sio->send('42/polls,["still",{}]');
	is($watch->wait_type('still')->{type}, 'still', 'harms nothing');
	my $chunks = $sio->request('POST', headers => ['Transfer-Encoding: chunked'], wait => 0);
	$chunks->send_bytes(sprintf "%x\r\n%s\r\n", 20481, '4' x 20481);
	is($chunks->answer->{status}, 413, 'in chunks as well');
	$sio->send('42/polls,["again",{}]');
	is($watch->wait_type('again')->{type}, 'again', 'which harms nothing either');
	my $half = $sio->request('POST', headers => ['Content-Length: 10'], wait => 0);
	becomes { $sio->request('POST', body => '3')->{status} == 400 } 'two requests with data at a time';
	is_over($sio, 'end it');
	$half->vanish;

	for my $bad ('abc', '', '4', '49', '42["x"', '42{}', '42["connect"]', "4\xff", '2', "42[\"x\"]\x1e", 'bAQ') {
		$sio = Hub::Sio->poll($hub);
		$sio->connect('');
		my $get = $sio->waiting;
		my $a = $sio->request('POST', body => $bad);
		is("$a->{status} $a->{body}", '200 ok', 'what is no packet is taken: ' . ($bad =~ s/[^ -~]/?/gr));
		like($get->answer->{body}, qr/(?:^|\x1e)1$/, 'and ends the session');
		is_over($sio, 'at once');
	}
	$sio = Hub::Sio->poll($hub);
	$get = $sio->waiting;
	$sio->send('1');
	is($get->answer->{body}, '6', 'the client closes: its poll is released');
	is_over($sio, 'and the session over');
	$sio = Hub::Sio->poll($hub);
	is($sio->request('POST', body => '40', headers => ['Content-Type: application/octet-stream'])->{status}, 400, 'octets');
	is_over($sio, 'are no text');
	$hub->stop;
};

subtest 'WebSockets' => sub {
	for my $bad ('abc', '', '4abc', '42["x",{}]', '2', '41', '451-["x"]') {
		my $ws = Hub::Sio->ws($hub)->{ws};
		$ws->send_text($bad);
		$ws->send_text('40') if $bad eq '451-["x"]';
		is($ws->closed, 1008, "ends it: $bad");
	}
	my $ws = Hub::Sio->ws($hub);
	$ws->connect('/ns');
	$ws->send('42/never,["x",{}]');
	is($ws->{ws}->closed, 1008, 'an event for a namespace that it never was in');
	$ws = Hub::Sio->ws($hub);
	$ws->connect('/ns');
	$ws->{ws}->frame(2, 'x');
	is($ws->{ws}->closed, 1008, 'binary that was not announced');
	$ws = Hub::Sio->ws($hub);
	$ws->send('1');
	is($ws->{ws}->closed, 1000, 'a close packet');
	$ws = Hub::Sio->ws($hub);
	$ws->{ws}->frame(1, '4' . 'x' x 30000);
	is($ws->{ws}->closed, 1009, 'a long one');
	$ws = Hub::Sio->ws($hub);
	$ws->connect('/ns');
	$ws->{ws}->frame(1, '42/ns,["a",', fin => 0);
	$ws->{ws}->frame(9, 'ping');
	$ws->{ws}->frame(0, '{}]', fin => 1);
	wait_for { @{ $ws->{ws}{pongs} } } 'a pong';
	$ws->send('42/ns,1["b"]');
	is($ws->packet, '43/ns,1[{"seq":2}]', 'frames of a message');
};

# A WebSocket beside the polls, tried.
sub probe {
	my ($sio) = @_;
	my $ws = $hub->ws(path => $sio->url('websocket'), binary => 1);
	$ws->send_text('2probe');
	wait_for { @{ $ws->{in} } || $ws->{gone} } 'an answer to the probe';
	is(shift @{ $ws->{in} }, '3probe', 'the probe is answered');
	return $ws;
}

subtest 'going on over a WebSocket' => sub {
	my $sio = Hub::Sio->poll($hub);
	$sio->connect('/up');
	my $other = $hub->member('unix', 'up');
	my $get = $sio->request('GET', wait => 0);
	my $ws = probe($sio);
	is($get->answer->{body}, '6', 'its poll is released');
	is($sio->request('GET')->{body}, '6', 'and the next one');
	$other->send({ type => 'one', data => { n => 1 } });
	$other->sync;
	$ws->send_text('5');
	$sio->{ws} = $ws;
	is_deeply($sio->event, [ 'one', { n => 1 } ], 'what came meanwhile comes there');
	$sio->send('42/up,5["two",{}]');
	is($sio->packet, '43/up,5[{"seq":2}]', 'it is heard there');
	is($sio->request('GET')->{status}, 400, 'and polls no more');
	is($hub->ws(path => $sio->url('websocket'))->closed, 1000, 'nor is there another WebSocket');
	$sio->send('42/up,6["three",{}]');
	is($sio->packet, '43/up,6[{"seq":3}]', 'which harms nothing');

	$sio = Hub::Sio->poll($hub);
	$ws = probe($sio);
	is($hub->ws(path => $sio->url('websocket'))->closed, 1000, 'one at a time');
	$ws->send_text('4x');
	is($ws->closed, 1000, 'a probe that says something else');
	is($sio->connect('/up')->{type}, 0, 'polling goes on');
	$ws = probe($sio);
	$ws->abort;
	wait_for { !$ws->alive } 'it is gone';
	$other->send({ type => 'four', data => {} });
	is($sio->event->[0], 'four', 'also after one that was lost');
	$ws = $hub->ws(path => $sio->url('websocket'), binary => 1);
	$ws->send_text('2probe', '5', '42/up,7["five",{}]');
	wait_for { @{ $ws->{in} } >= 2 } 'answers';
	is_deeply($ws->{in}, [ '3probe', '43/up,7[{"seq":5}]' ], 'all at once');

	$sio = Hub::Sio->poll($hub);
	$ws = probe($sio);
	$sio->send('1');
	is($ws->closed, 1000, 'a probe ends with its session');

	$sio = Hub::Sio->poll($hub);
	$sio->send('1');
	is($sio->request('GET')->{body}, '6', 'a poll that its own close has overtaken returns');
	is_over($sio, 'and no other does');

	$sio = Hub::Sio->poll($hub);
	$ws = $hub->ws(path => $sio->url('websocket'));
	$ws->send_text('2probe', '5', '40');
	wait_for { @{ $ws->{in} } >= 2 } 'answers';
	like($ws->{in}[1], qr/^40\{"sid"/, 'it may connect there first');
};

subtest 'heartbeats' => sub {
	my $quick = Hub->start(only => [ qw(--socket none --listen 127.0.0.1:0 --ping 0.3 --pong 0.5 --workers 2) ]);
	my $patient = Hub->start(only => [ qw(--socket none --listen 127.0.0.1:0 --ping 0.3 --pong 600 --workers 2) ]);
	is_deeply([ @{ Hub::Sio->poll($quick)->{open} }{qw(pingInterval pingTimeout)} ], [ 300, 200 ], 'short times');
	for my $how ('poll', 'ws') {
		my $sio = Hub::Sio->new($how, $patient);
		is_deeply([ @{ $sio->{open} }{qw(pingInterval pingTimeout)} ], [ 300, 599_700 ], 'times');
		$sio->{pings} = 1;
		$sio->connect('');
		for (1 .. 3) {
			is($sio->packet, '2', "$how: a ping");
			$sio->send('3');
		}
		my $silent = Hub::Sio->new($how, $quick);
		if ($how eq 'ws') {
			is($silent->{ws}->closed, 1000, 'without an answer it ends');
		} else {
			becomes { $silent->request('GET')->{status} == 400 } 'without an answer it ends';
		}
	}
	# It is no more when its time is over, and not a little later, as a client may count on that looks then; but where
	# the machine has held up the hub itself. One that is late has most of them alive.
	my ($over, @last);
	for (1 .. 5) {
		my @sio = map { Hub::Sio->poll($quick) } 1 .. 6;
		@last = @sio[ 3 .. 5 ];
		select undef, undef, undef, 0.5;
		last if $over = !grep { $_->request('GET')->{status} != 400 } reverse @last;
	}
	ok($over, 'when the two times are over');
	$_->stop for $quick, $patient;
};

subtest 'coming back' => sub {
	my $other = $hub->member('unix', 'back');
	for my $how ('ws', 'poll') {
		my $sio = Hub::Sio->new($how, $hub);
		my $hello = $sio->connect('/back');
		$other->send(map { { type => 'r', data => { n => $_ } } } 1 .. 3);
		$sio->event for 1 .. 3;
		my $offset = $sio->{offset};
		$sio->send('42/back,["mine",{}]');
		$other->wait_type('mine');
		$sio->{ws} ? $sio->{ws}->abort : $sio->send('1');
		$other->send(map { { type => 'r', data => { n => $_ } } } 4 .. 5);
		$other->sync;
		my $again = Hub::Sio->new($how eq 'ws' ? 'poll' : 'ws', $hub);
		my $back = $again->connect('/back', { pid => $hello->{pid}, offset => $offset });
		is_deeply([ @$back{qw(sid pid)} ], [ @$hello{qw(sid pid)} ], "$how: the same client");
		is_deeply([ map { /"n":(\d)/ } @{ $back->{before} } ], [ 4, 5 ], 'what it missed comes first, without its own');
		$other->send({ type => 'r', data => { n => 6 } });
		is_deeply($again->event, [ 'r', { n => 6 } ], 'and then what comes');

		my $second = Hub::Sio->ws($hub);
		my $claim = $second->connect('/back', { pid => $hello->{pid}, offset => $again->{offset} });
		is($claim->{sid}, $hello->{sid}, 'a second claim');
		is($again->packet, '41/back,', 'sends the first away for good');
		wait_for { $again->{ws} ? $again->{ws}{gone} : $again->request('GET')->{status} == 400 } 'it is gone';
		$_->{ws}->vanish for $second;

		# Who loses its connection again and again, before the hub has noticed.
		for my $time (1 .. 8) {
			my $next = Hub::Sio->new($how, $hub);
			is($next->connect('/back', { pid => $hello->{pid} })->{pid}, $hello->{pid}, "claim $time is good as well");
		}
	}
	my $sio = Hub::Sio->ws($hub);
	my $hello = $sio->connect('/back');
	$sio->{ws}->abort;
	$other->send({ type => 'r', data => { n => 7 } });
	$other->sync;
	my $back = ($sio = Hub::Sio->ws($hub))->connect('/back', { pid => $hello->{pid} });
	is_deeply([ map { /"n":(\d)/ } @{ $back->{before} } ], [7], 'without an offset: from where it began');
	$sio->{ws}->abort;
	# As proxies share connections: one that is older than the session before.
	my $old = Hub::Http->open($hub);
	$old->ask('GET', '/healthz');
	$old->answer;
	my $young = Hub::Sio->ws($hub)->connect('/back');
	$old->ask('GET', '/socket.io/?EIO=4&transport=polling');
	my $claim = bless { hub => $hub, in => [], sid => unjson($old->answer->{body} =~ s/^0//r)->{sid} }, 'Hub::Sio';
	is($claim->connect('/back', { pid => $young->{pid} })->{pid}, $young->{pid}, 'on a connection that has served others');
	my %bad = (
		'another offset' => [ $hello->{pid}, 'x' ], 'another log' => [ $hello->{pid}, '00000000001-1' ],
		'the future' => [ $hello->{pid}, $hello->{pid} =~ /([^.]*)-\d+$/ && "$1-999999" ], 'a number' => [ $hello->{pid}, 7 ],
	);
	for my $name (sort keys %bad) {
		my ($pid, $offset) = @{ $bad{$name} };
		my $back = Hub::Sio->ws($hub)->connect('/back', { pid => $pid, offset => $offset });
		is($back->{type}, 0, "$name: connected");
		isnt($back->{pid}, $pid, 'but not recovered');
	}
	(my $forged = $hello->{pid}) =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/e;
	$back = Hub::Sio->ws($hub)->connect('/back', { pid => $forged, offset => 'x' });
	isnt($back->{sid}, $hello->{sid}, 'who makes up a pid is somebody else');
	$back = Hub::Sio->ws($hub)->connect('/back', { recovery => JSON::PP::false });
	ok(!exists $back->{pid}, 'who does not want to come back has no pid');
};

subtest 'what auth asks for' => sub {
	my $sio = Hub::Sio->ws($hub);
	$sio->connect('/asks', { echo => JSON::PP::true, presence => JSON::PP::true, recovery => JSON::PP::false });
	my $other = $hub->member('unix', 'asks');
	is_deeply($sio->event, [ 'hub:presence', { client_id => $other->{id}, joined => JSON::PP::true, user_count => 2 } ], 'presence');
	$sio->send('42/asks,["mine",{"a":1}]');
	is($sio->packet, '42/asks,["mine",{"a":1}]', 'its own, without a place');
	$other->vanish;
	is_deeply($sio->event, [ 'hub:presence', { client_id => $other->{id}, joined => JSON::PP::false, user_count => 1 } ], 'who goes');
	my $state = $hub->member('unix', 'asks_state');
	$state->send({ type => 'light', key => 'door', on => 1 });
	$state->sync;
	my $late = Hub::Sio->ws($hub);
	my $hello = $late->connect('/asks_state');
	is($late->event->[1]{key}, 'door', 'state comes first');
	my $place = unjson($late->packet =~ s/^42[^\[]*//r);
	is_deeply([ $place->[0], $place->[1] =~ /-(\d+)$/ ], [ 'hub:place', 1 ], 'then where the log goes on');
};

subtest 'keys' => sub {
	my $keyed = Hub->start(args => [ '--auth-key', key_file() ]);
	my $token = token({ sub => 'ann', hub => { join => ['room'], publish => ['room'], types => ['say'] } });
	for my $how ('poll', 'ws') {
		my $sio = Hub::Sio->new($how, $keyed);
		is($sio->connect('/room', { token => $token })->{type}, 0, "$how: a token");
		my $answer = $sio->connect('/other');
		is_deeply([ $answer->{type}, $answer->{data}{code} ], [ 4, 'forbidden' ], 'where it may not join');
		$sio->send('42/room,1["say",{}]', '42/room,2["shout",{}]');
		like($sio->packet, qr/^43\/room,1\[\{"seq":\d+\}\]/, 'what it may say');
		like($sio->packet, qr/^43\/room,2\[\{"error":\{"code":"forbidden"/, 'and what not');
		$sio = Hub::Sio->new($how, $keyed);
		$answer = $sio->connect('/room');
		is_deeply([ $answer->{type}, $answer->{data}{code} ], [ 4, 'unauthenticated' ], 'without one');
		$answer = $sio->connect('/room', { token => 'x' });
		is_deeply([ $answer->{type}, $answer->{data}{code} ], [ 4, 'unauthorized' ], 'a bad one');
		if ($sio->{ws}) {
			is($sio->{ws}->closed, 4401, 'ends it');
		} else {
			is(eval { $sio->packet }, '1', 'ends it');
		}
		$sio = Hub::Sio->new($how, $keyed, headers => ["Authorization: Bearer $token"]);
		is($sio->connect('/room')->{type}, 0, 'one of the handshake');
	}
	is(fetch('GET', '?EIO=4&transport=polling', hub => $keyed, headers => ['Authorization: Bearer x'])->{status}, 401, 'a bad one there');
	my $operator = $keyed->unix;
	for my $how ('poll', 'ws') {
		my $sio = Hub::Sio->new($how, $keyed);
		$sio->connect('/room', { token => $token });
		$operator->send({ type => 'connection_close', user => 'ann' });
		is($sio->packet, '41/room,', "$how: who is sent away is told so for good");
		if ($sio->{ws}) {
			is($sio->{ws}->closed, 4403, 'at the end');
		} else {
			is($sio->packet, '1', 'at the end');
		}
	}
	$operator->send({ type => 'ban_add', user => 'ann' });
	$operator->sync;
	my $banned = Hub::Sio->ws($keyed);
	my $answer = $banned->connect('/room', { token => $token });
	is_deeply([ $answer->{type}, $answer->{data}{code} ], [ 4, 'banned' ], 'who is banned does not come in');
	is($banned->{ws}->closed, 4403, 'and is sent away');
	$keyed->stop;
};

subtest 'a store' => sub {
	my @args = ('--store', scratch() . '/sio.store', qw(--history 4 --history-bytes 1k));
	my $kept = Hub->start(args => \@args);
	my %was;
	for my $how ('poll', 'ws') {
		my $sio = Hub::Sio->new($how, $kept);
		$was{$how} = $sio->connect("/kept_$how");
		$sio->send(qq(42/kept_$how,1["mine",{}]));
		is($sio->packet, qq(43/kept_$how,1[{"seq":1}]), "$how: an ack");
		my $other = $kept->member('unix', "kept_$how");
		$other->send({ type => 'r', data => { n => 0 } });
		is($sio->event->[1]{n}, 0, 'a record');
		$was{$how}{offset} = $sio->{offset};
		$sio->{ws} ? $sio->{ws}->abort : $sio->send('1');
		$other->send(map { { type => 'r', data => { n => $_, x => 'x' x 200 }, msg_id => "m$_" } } 1 .. 300);
		$other->wait_type('ack') for 1 .. 300;
	}
	$kept->stop;
	$kept = Hub->start(args => \@args);
	for my $how ('poll', 'ws') {
		my $other = $kept->member('unix', "kept_$how");
		$other->send({ type => 'r', data => { n => 301 } });
		$other->wait_type('r');
		my $sio = Hub::Sio->new($how, $kept);
		my $back = $sio->connect("/kept_$how", { pid => $was{$how}{pid}, offset => $was{$how}{offset} });
		is_deeply([ @$back{qw(sid pid)} ], [ @{ $was{$how} }{qw(sid pid)} ], "$how: it comes back to another hub");
		is_deeply([ map { /"n":(\d+)/ } @{ $back->{before} } ], [ 1 .. 301 ], 'and has all that it missed');
	}
	$kept->stop;
};

subtest 'options' => sub {
	my $other = Hub->start(args => [ qw(--socketio-path /live --socketio-connect 0.2 --max-polling 1) ]);
	local $Hub::Sio::path = '/live';
	is(fetch('GET', '?EIO=4&transport=polling', hub => $other, path => '/socket.io/')->{status}, 404, 'another path');
	my $sio = Hub::Sio->poll($other);
	is(fetch('GET', '?EIO=4&transport=polling', hub => $other)->{status}, 503, 'as many as may poll');
	is(Hub::Sio->ws($other)->{ws}->closed, 1008, 'who connects to no namespace is sent away');
	becomes { fetch('GET', '?EIO=4&transport=polling', hub => $other)->{status} == 200 } 'and makes room';
	$other->stop;
	my $none = Hub->start(args => [ '--socketio-path', 'none' ]);
	is(fetch('GET', '?EIO=4&transport=polling', hub => $none, path => '/socket.io/')->{status}, 404, 'none');
	$none->stop;
	is(Hub->refuses('--socketio-path', 'live')->{status}, 64, 'a path begins with a slash');
};

subtest 'an echo' => sub {
	my $echo = Hub->start(args => ['--socketio-echo']);
	local $Hub::Sio::path = '/socket.io/';
	my $sio = Hub::Sio->poll($echo);
	$sio->send('4hello', 'bAQIDBA==');
	is($sio->request('GET')->{body}, "4hello\x1ebAQIDBA==", 'polling');
	my $ws = Hub::Sio->ws($echo);
	$ws->send('4hello');
	$ws->{ws}->frame(2, "\1\2\3");
	is_deeply([ map { $ws->packet } 1, 2 ], [ '4hello', "binary:\1\2\3" ], 'WebSocket');
	$echo->stop;
};

subtest 'the end of the hub' => sub {
	my $hub = Hub->start(workers => 1);
	my $ws = Hub::Sio->ws($hub);
	$ws->connect('/end');
	my $sio = Hub::Sio->poll($hub);
	$sio->connect('/end');
	my $get = $sio->waiting;
	my $watch = $hub->member('unix', 'end');
	$watch->send({ type => 'last' });
	like($get->answer->{body}, qr/"last"/, 'a poll');
	$get = $sio->waiting;
	kill 'TERM', $hub->pid;
	is($ws->{ws}->closed, 1012, 'a WebSocket is told');
	is($get->answer->{body}, '1', 'and a poll');
	$hub->ended;
};

# A CONNECT_ERROR would be the last that a client says.
subtest 'who connects at the end of the hub' => sub {
	my $hub = Hub->start(workers => 1, drain => 600, listen => own_address() . ':0',
		env => { TSAN_OPTIONS => ($ENV{TSAN_OPTIONS} // '') . ':report_thread_leaks=0' });
	my @all = map { Hub::Sio->ws($hub) } 1 .. 20;
	kill 'TERM', $hub->pid;
	wait_for { !eval { $hub->tcp; 1 } } 'the doors to close';
	$_->send('40/late,') for grep { !$_->{ws}{gone} } @all;
	is(scalar(grep { $_->{ws}->closed != 1012 } @all), 0, 'is told that it ends');
	is(scalar(grep { @{ $_->{ws}{in} } } @all), 0, 'and nothing else');
	kill 'TERM', $hub->pid;
	$hub->ended(name => 'it ends');
};

$hub->stop;
done_testing;
