# What the protocol documents of Engine.IO 4 and Socket.IO 5 ask of a server, check by check, over both carriers: a hub
# that echoes for the one, the rules of tests/conformance/socketio-rules for the other. Heartbeats are in 90.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Npm;
use Hub::Sio;

# The answer to a request by hand: its status.
sub status {
	my ($hub, $method, $query, %o) = @_;
	return Hub::Http->fetch($hub, $method, "$Hub::Sio::path$query", %o)->{status};
}

sub is_over {
	my ($sio, $name) = @_;
	return is($sio->request('GET')->{status}, 400, $name);
}

subtest 'Engine.IO' => sub {
	local $Hub::Sio::path = '/engine.io/';
	my $hub = Hub->start(workers => 1, args => [ qw(--socketio-echo --socketio-path /engine.io --max-message 1000000) ]);

	subtest 'handshake' => sub {
		for my $how ('poll', 'ws') {
			my $open = Hub::Sio->new($how, $hub)->{open};
			is_deeply([ sort keys %$open ], [qw(maxPayload pingInterval pingTimeout sid upgrades)], "$how: the open packet");
			is_deeply($open->{upgrades}, $how eq 'ws' ? [] : ['websocket'], 'upgrades');
			is($open->{maxPayload}, 1_000_000, 'maxPayload');
		}
		is(status($hub, 'GET', $_), 400, "refused: GET $_") for '', '?transport=polling', '?EIO=abc&transport=polling', '?EIO=4', '?EIO=4&transport=abc';
		is(status($hub, $_, '?EIO=4&transport=polling', body => ''), 400, "refused: $_") for 'POST', 'PUT';
		for my $query ('?transport=websocket', '?EIO=abc&transport=websocket', '?EIO=4', '?EIO=4&transport=abc') {
			isnt($hub->ws(path => "$Hub::Sio::path$query", refused => 1)->{status}, 101, "no WebSocket: $query");
		}
	};

	subtest 'messages by polling' => sub {
		my $sio = Hub::Sio->poll($hub);
		my $answer = $sio->request('POST', body => '4hello');
		is("$answer->{status} $answer->{body}", '200 ok', 'a POST');
		is($sio->request('GET')->{body}, '4hello', 'comes back');
		$sio->send('4test1', '4test2', '4test3');
		is($sio->request('GET')->{body}, "4test1\x1e4test2\x1e4test3", 'several in one payload');
		$sio->send('bAQIDBA==');
		is($sio->request('GET')->{body}, 'bAQIDBA==', 'binary');
		my $get = $sio->waiting;
		$sio->send('4later');
		is($get->answer->{body}, '4later', 'a poll that waits');
		my $big = 'x' x 999_999;
		is($sio->request('POST', body => "4$big")->{status}, 200, 'as many bytes as maxPayload');
		is($sio->request('GET')->{body}, "4$big", 'come back');
		is($sio->request('POST', body => "4${big}x")->{status}, 413, 'and no more');
		$answer = $sio->request('POST', body => 'abc');
		is("$answer->{status} $answer->{body}", '200 ok', 'what is no packet');
		is_over($sio, 'ends the session');
		$sio = Hub::Sio->poll($hub);
		$get = $sio->waiting;
		is($sio->request('GET')->{status}, 400, 'a second poll at a time');
		is($get->answer->{body}, '1', 'closes the first');
		is_over($sio, 'and the session');
	};

	subtest 'messages over a WebSocket' => sub {
		my $sio = Hub::Sio->ws($hub);
		$sio->send('4hello');
		is($sio->packet, '4hello', 'text');
		$sio->{ws}->frame(2, "\1\2\3\4");
		is($sio->packet, "binary:\1\2\3\4", 'binary');
		$sio->send('abc');
		ok($sio->{ws}->closed, 'what is no packet closes it');
	};

	subtest 'closing' => sub {
		my $sio = Hub::Sio->poll($hub);
		my $get = $sio->waiting;
		$sio->send('1');
		is($get->answer->{body}, '6', 'the poll returns');
		is_over($sio, 'and no other does');
		my $ws = Hub::Sio->ws($hub);
		$ws->send('1');
		ok($ws->{ws}->closed, 'a WebSocket');
	};

	subtest 'going on over a WebSocket' => sub {
		my $sio = Hub::Sio->poll($hub);
		my $get = $sio->waiting;
		my $ws = $hub->ws(path => $sio->url('websocket'), binary => 1);
		$ws->send_text('2probe');
		is($get->answer->{body}, '6', 'the poll returns');
		$ws->send_text('5', '4hello');
		wait_for { @{ $ws->{in} } >= 2 || $ws->{gone} } 'answers';
		is_deeply($ws->{in}, [ '3probe', '4hello' ], 'it goes on there');
		is($sio->request('GET')->{status}, 400, 'polls are refused');
		is($sio->request('POST', body => '4x')->{status}, 400, 'either way');
		ok($hub->ws(path => $sio->url('websocket'))->closed, 'and a second WebSocket closed');
		$ws->send_text('4still');
		wait_for { @{ $ws->{in} } >= 3 || $ws->{gone} } 'an answer';
		is($ws->{in}[2], '4still', 'which harms nothing');
	};
	$hub->stop;
	my $quick = Hub->start(only => [ qw(--socket none --listen 127.0.0.1:0 --ping 0.3 --pong 0.5 --socketio-path /engine.io) ]);
	is_deeply([ @{ Hub::Sio->poll($quick)->{open} }{qw(pingInterval pingTimeout)} ], [ 300, 200 ], 'times as short as a test wants');
	$quick->stop;
};

subtest 'Socket.IO' => sub {
	my $hub = Hub->start(workers => 1, args => [ '--rules', root() . '/tests/conformance/socketio-rules' ]);
	my $hasty = Hub->start(args => [ '--socketio-connect', 0.2 ]);
	for my $how ('poll', 'ws') {
		my $greets = sub {
			my ($sio, $place, $auth, $want) = @_;
			$sio->send("40$place$auth");
			like($sio->packet, qr/^40\Q$place\E\{"sid":"[^"]+"\}$/, "$how: connects to '$place'");
			return is($sio->packet, qq(42$place\["auth",$want]), 'and its auth comes back');
		};
		my $sio = Hub::Sio->new($how, $hub);
		$greets->($sio, '', '', '{}');
		$greets->(Hub::Sio->new($how, $hub), '', '{"token":"123"}', '{"token":"123"}');
		$greets->($sio, '/custom,', '{"token":"abc"}', '{"token":"abc"}');
		$sio->send('40/random');
		like($sio->packet, qr{^44/random,\{"message":"Invalid namespace"\}$}, 'not to another one');
		$sio->send('41/custom,', '42["message","to main"]');
		is($sio->packet, '42["message-back","to main"]', 'and leaves one');
		$sio->send('42["message",1,"2",{"3":[true]}]', '42456["message-with-ack",1,"2",{"3":[false]}]');
		is($sio->packet, '42["message-back",1,"2",{"3":[true]}]', 'an event');
		is($sio->packet, '43456[1,"2",{"3":[false]}]', 'an ack');
		my @attached = $how eq 'ws' ? ("binary:\1\2\3", "binary:\4\5\6") : ('bAQID', 'bBAUG');
		my $places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
		for my $row ([ '452-["message",', '452-["message-back",' ], [ '452-789["message-with-ack",', '462-789[' ]) {
			$sio->send("$row->[0]$places]");
			$sio->{ws} ? $sio->{ws}->frame(2, s/^binary://r) : $sio->send($_) for @attached;
			is($sio->packet, "$row->[1]$places]", 'with binary');
			is_deeply([ map { $sio->packet } @attached ], \@attached, 'and its attachments');
		}
		# An end each.
		for my $bad ('4abc', '42{}', '42["message"', '42abc["message"]', '42/', '45["x"]', '4') {
			my $sio = Hub::Sio->new($how, $hub);
			$greets->($sio, '', '', '{}');
			$sio->send($bad);
			$sio->{ws} ? ok($sio->{ws}->closed, "ends it: $bad") : is_over($sio, "ends it: $bad");
		}
		for my $first ('4abc', '42["message"]', '40"x"') {
			my $sio = Hub::Sio->new($how, $hub);
			$sio->send($first);
			$sio->{ws} ? ok($sio->{ws}->closed, "no beginning: $first") : is_over($sio, "no beginning: $first");
		}
		my $silent = Hub::Sio->new($how, $hasty);
		$silent->{ws} ? ok($silent->{ws}->closed, 'who connects to nothing')
		    : becomes { $silent->request('GET')->{status} == 400 } 'who connects to nothing';
	}
	$_->stop for $hub, $hasty;
};

# The same by clients that others have made, on connections as they come: tests/conformance/socketio-suite.js.
subtest 'by fetch() and ws' => sub {
	my $modules = Hub::Npm::modules('ws@8.18.0');
	plan skip_all => 'npm brings no ws here' unless $modules;
	my @times = (qw(--socket none --listen 127.0.0.1:0 --max-message 1000000 --workers 2 --socketio-path));
	my %hub = (
		echo => Hub->start(only => [ @times, '/engine.io', '--socketio-echo' ]),
		quick => Hub->start(only => [ @times, '/engine.io', '--socketio-echo', '--ping', 0.3, '--pong', 0.5 ]),
		map { $_->[0] => Hub->start(only => [ @times, '/socket.io', '--socketio-connect', $_->[1], '--rules', root() . '/tests/conformance/socketio-rules' ]) }
		    [ 'rules', 600 ], [ 'hasty', 1 ]);
	for my $row ([ 4, 'echo', '/engine.io/', qw(handshake messages rules closing upgrade) ], [ 4, 'quick', '/engine.io/', 'heartbeat' ],
		[ 4, 'rules', '/socket.io/', qw(handshake rules connect disconnect message) ], [ 2, 'hasty', '/socket.io/', 'silent' ])
	{
		my ($least, $at, $path, @groups) = @$row;
		for my $group (@groups) {
			my $r = run([ Hub::Npm::program('node'), root() . '/tests/conformance/socketio-suite.js', "127.0.0.1:$hub{$at}{port}", $path, $group ],
				env => { NODE_PATH => $modules });
			is($r->{status}, 0, "$path $group") or diag(grep { !/^ok/ } map { "$_\n" } split(/\n/, $r->{out}), $r->{err});
			cmp_ok(scalar(() = $r->{out} =~ /^ok/mg), '>=', $least, 'of several checks');
		}
	}
	$_->stop for values %hub;
};

done_testing;
