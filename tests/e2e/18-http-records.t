# GET and POST /sessions/NAME/records, and what else is asked for over HTTP, hub(7).
use strict;
use warnings;
use Hub;
use Hub::Http;

need_files(512);
chance();
my $hub = Hub->start(args => [qw(--history 200000 --history-bytes 64M)]);
my $ndjson = 'Content-Type: application/x-ndjson';
my $json = 'Content-Type: application/json';

sub fetch { return Hub::Http->fetch($hub, @_) }
sub code { return $_[0]{lines}[0]{data}{code} // 'none' }

# Posts to a session.
sub post {
	my ($session, $body, @headers) = @_;
	return fetch('POST', "/sessions/$session/records", headers => [ @headers ? @headers : $ndjson ], body => $body);
}

subtest 'reading with a cursor' => sub {
	my $m = $hub->member('unix', 'read', echo => \0);
	my $epoch = $m->{joined}{epoch};
	my $a = fetch('GET', '/sessions/read/records');
	is($a->{status}, 200, 'nothing is there');
	is($a->{body}, '', 'so nothing comes');
	is($a->{headers}{'hub-cursor'}, "$epoch-0", 'but where to go on');
	$m->send({ type => 'n', n => $_ }) for 1 .. 2500;
	$m->sync;
	my ($path, @got) = ('/sessions/read/records');
	my $c = Hub::Http->open($hub);
	while (1) {
		$c->ask('GET', $path);
		$a = $c->answer;
		last if !$a->{lines};
		is($a->{headers}{'hub-seq'}, $a->{lines}[-1]{seq}, 'the cursor is behind the last one');
		is($a->{headers}{'hub-epoch'}, $epoch, 'in this log');
		push @got, map { $_->{n} } @{ $a->{lines} };
		$path = "/sessions/read/records?since=$a->{headers}{'hub-seq'}&epoch=$a->{headers}{'hub-epoch'}";
	}
	is("@got", join(' ', 1 .. 2500), 'all of them, once each, in order, on one connection');
	is($a->{headers}{'hub-cursor'}, "$epoch-2500", 'at the end it stays where it is');
	$a = fetch('GET', "/sessions/read/records?since=$epoch-7&limit=3");
	is(join(' ', map { $_->{n} } @{ $a->{lines} }), '8 9 10', 'limit');
	is($a->{headers}{'content-type'}, 'application/x-ndjson', 'of this type');
	$c->ask('HEAD', '/sessions/read/records?limit=3&wait=10');
	$a = $c->answer;
	is($a->{headers}{'hub-seq'}, 3, 'HEAD says where it would end');
	is(length fetch('GET', '/sessions/read/records?limit=3')->{body}, $a->{headers}{'content-length'}, 'and how long it is');
	for my $lost ("since=2501", "since=5&epoch=00000000000", "since=00000000000-5", "since=5&epoch=x") {
		$a = fetch('GET', "/sessions/read/records?$lost");
		is($a->{status}, 409, "another log: $lost");
		is(code($a), 'epoch_changed', 'in so many words');
		is($a->{headers}{'hub-cursor'}, "$epoch-2500", 'and where one could go on');
	}
	for my $wrong ('since=x', 'wait=x', 'limit=0', 'limit=x', 'since=1&%73ince=1') {
		$a = fetch('GET', "/sessions/read/records?$wrong");
		is("$a->{status} " . code($a), '400 bad_field', $wrong);
	}
};

subtest 'waiting' => sub {
	my $m = $hub->member('unix', 'wait', echo => \0);
	my @c = map { Hub::Http->open($hub) } 1 .. 20;
	$_->ask('GET', '/sessions/wait/records?since=0&wait=60') for @c;
	# The next request waits for its turn.
	$_->ask('GET', '/healthz') for @c[ 0 .. 9 ];
	wait_for { $m->send({ type => 'presence' }); $m->wait_type('presence'); @c == grep { $_->alive } @c } 'all to be there';
	pump(0.05);
	is(scalar(grep { length $_->{rbuf} } @c), 0, 'nobody has an answer');
	$m->send({ type => 'n', n => 1 });
	$m->send({ type => 'n', n => 2 });
	for my $i (0 .. 19) {
		my $a = $c[$i]->answer;
		my @n = map { $_->{n} } @{ $a->{lines} };
		my $more = @n < 2 ? fetch('GET', "/sessions/wait/records?since=$a->{headers}{'hub-cursor'}&wait=60") : undef;
		push @n, map { $_->{n} } @{ $more->{lines} } if $more;
		is("@n", '1 2', "reader $i has what came") if $i % 5 == 0;
		is($c[$i]->answer->{lines}[0]{status}, 'ok', 'and then what it asked behind it') if $i == 3;
	}
	my $start = now();
	my $a = fetch('GET', '/sessions/wait/records?since=2&wait=2');
	is($a->{status}, 200, 'the time is over');
	ok(now() - $start >= 0.9, 'it was waited for');
	is($a->{body}, '', 'nothing came');
	is($a->{headers}{'hub-seq'}, 2, 'the cursor stays');
	# A peer that has said all that it will gets what there is.
	my $half = Hub::Http->open($hub);
	$half->ask('GET', '/sessions/wait/records?since=2&wait=60');
	shutdown $half->{fh}, 1;
	is($half->answer->{status}, 200, 'half closed: an answer');
	wait_for { $half->{gone} } 'the end';
	# One that goes is not waited for.
	my $waiting = sub { return $_[0]->get('/metrics')->{body} =~ /^hubd_members\{door="http"\} (\d+)$/m ? $1 : -1 };
	my @gone = map { Hub::Http->open($hub) } 1 .. 20;
	$_->ask('GET', '/sessions/wait/records?since=2&wait=60') for @gone;
	wait_for { $waiting->($hub) == 20 } 'them to be there';
	$_->vanish for @gone;
	wait_for { $waiting->($hub) == 0 } 'them to be gone';
	pass('who goes is gone');
	my $ending = Hub->start(drain => 1);
	my $n = $ending->member('unix', 'w');
	my $w = Hub::Http->open($ending);
	$w->ask('GET', '/sessions/w/records?wait=60');
	wait_for { $waiting->($ending) == 1 } 'it to wait';
	$ending->{proc}->kill('TERM');
	is($w->answer->{status}, 200, 'at the end of the hub it gets what there is');
	$ending->ended;
};

subtest 'a log that is trimmed' => sub {
	my $small = Hub->start(args => [qw(--history 20 --history-bytes 1 --slow-after 0)]);
	my $m = $small->member('unix', 's', echo => \0);
	for my $n (1 .. 300) {
		$m->send({ type => 'n', n => $n, x => 'x' x 1000 });
		$m->sync unless $n % 5;
	}
	my $a = Hub::Http->fetch($small, 'GET', '/sessions/s/records?since=5');
	is($a->{status}, 410, 'it is gone');
	is(code($a), 'trimmed', 'in so many words');
	is($a->{headers}{'hub-seq'}, 300, 'and where one could go on');
	$a = Hub::Http->fetch($small, 'GET', '/sessions/s/records');
	my ($gap, @rest) = @{ $a->{lines} };
	is_deeply([ @$gap{qw(type from_seq to_seq)} ], [ 'gap', 1, $rest[0]{seq} - 1 ], 'all that there is: a gap in front');
	is(join(' ', map { $_->{seq} } @rest), join(' ', $rest[0]{seq} .. 300), 'then what is left');
	$small->stop;
};

subtest 'what an answer may have' => sub {
	my $m = $hub->member('unix', 'big', echo => \0);
	$m->send({ type => 'n', n => $_, x => 'x' x 60_000 }) for 1 .. 40;
	$m->sync;
	my ($since, @got) = (0);
	while (@got < 40) {
		my $a = fetch('GET', "/sessions/big/records?since=$since");
		ok(length $a->{body} <= 400_000, 'an answer has its bounds');
		push @got, map { $_->{n} } @{ $a->{lines} };
		$since = $a->{headers}{'hub-cursor'};
	}
	is("@got", join(' ', 1 .. 40), 'and nothing is lost by that');
};

subtest 'state and presence' => sub {
	my $m = $hub->member('unix', 'things');
	my $a = fetch('GET', '/sessions/things/state');
	is($a->{body}, '', 'no state');
	$m->send({ type => 'light', key => "k$_", n => $_, x => 'x' x 500 }) for 1 .. 3000;
	$m->send({ type => 'light', key => 'k1', n => 1000 });
	$m->send({ type => 'door', key => "a/b \x{e9}%", n => 1 });
	$m->send({ type => 'light', key => "a/b \x{e9}%", n => 2 });
	$m->sync;
	$a = fetch('GET', '/sessions/things/state');
	is(scalar @{ $a->{lines} }, 3002, 'all of it');
	is(join(' ', map { $_->{n} } @{ $a->{lines} }), join(' ', 2 .. 3000, 1000, 1, 2), 'as it is, oldest first');
	is($a->{headers}{'hub-seq'}, 3003, 'as of there');
	my $c = Hub::Http->open($hub);
	$c->ask('GET', '/sessions/things/state/k1');
	$c->ask('HEAD', '/sessions/things/state');
	$c->ask('GET', '/sessions/things/state/a%2Fb%20%C3%A9%25');
	$c->ask('GET', '/sessions/things/state/none');
	$c->ask('GET', '/sessions/things/presence');
	$c->ask('GET', '/sessions/things/state/' . 'x' x 257);
	is($c->answer->{lines}[0]{n}, 1000, 'of one key');
	is($c->answer->{headers}{'hub-seq'}, 3003, 'HEAD');
	is(join(' ', sort map { $_->{n} } @{ $c->answer->{lines} }), '1 2', 'of one key with anything in it');
	is(code($c->answer), 'not_found', 'of none');
	$a = $c->answer;
	is($a->{lines}[0]{user_count}, 1, 'who is there');
	is($a->{lines}[0]{members}[0]{client_id}, $m->{joined}{client_id}, 'by name');
	is(code($c->answer), 'not_found', 'a key that nothing can have; all on one connection');
	is(fetch($_->[0], "/sessions/things/$_->[1]")->{status}, 405, "no $_->[0] of $_->[1]")
	    for [qw(POST state)], [qw(DELETE records)], [qw(PUT presence)], [qw(POST events)], [qw(PATCH state/k)];
	my %allow = (
		'/ws' => 'GET, OPTIONS', '/healthz' => 'GET, HEAD, OPTIONS', '/%68ealthz' => 'GET, HEAD, OPTIONS',
		'/sessions/x/records' => 'GET, HEAD, POST, OPTIONS', '/sessions/x/events' => 'GET, HEAD, OPTIONS');
	is(fetch('OPTIONS', $_)->{headers}{allow}, $allow{$_}, "methods of $_") for sort keys %allow;
};

subtest 'over the Unix socket' => sub {
	$hub->member('unix', 'local');
	for my $path ('/healthz', '/sessions/local/presence', '/%68ealthz', '/sessions') {
		is(Hub::Http->fetch($hub, 'GET', $path, unix => 1)->{status}, 200, $path);
	}
	my $a = Hub::Http->fetch($hub, 'GET', '/sessions', unix => 1);
	ok((grep { $_ eq 'local' } map { @{ $_->{sessions} } } @{ $a->{lines} }), 'which sessions there are');
	is("$_->{status} " . code($_), '403 forbidden', 'not over TCP') for fetch('GET', '/sessions');
	# Whatever pieces the first line comes in.
	my $c = Hub::Http->open($hub, unix => 1);
	for my $byte (split //, "POST /sessions/local/records HTTP/1.1\r\nHost: localhost\r\n$json\r\nContent-Length: 12\r\n\r\n{\"type\":\"x\"}") {
		$c->send_bytes($byte);
		pump(0);
	}
	is($c->answer->{lines}[0]{type}, 'ack', 'byte by byte');
	$c->ask('GET', '/sessions/local/records');
	is($c->answer->{lines}[0]{type}, 'x', 'and on');
	for my $line ('GETX / HTTP/1.1', 'get / HTTP/1.1', '{"type":"ping"}', 'POSTAL', '') {
		my $u = $hub->unix;
		$u->send_bytes("$line\n{\"type\":\"ping\",\"ping_id\":1}\n");
		is($u->wait_type('pong')->{type}, 'pong', "lines are lines: $line");
	}
};

subtest 'publishing' => sub {
	my $a = post('new', qq({"type":"x","n":1}\n\n  \r\n{"type":"x","n":2,"msg_id":"a"}\nnonsense\n{"type":"ping"}\n)
		    . qq({"type":"x","session_id":"other"}\n{"type":"x","session_id":"new","msg_id":"a","n":9}\n)
		    . qq({"type":"x","to":"00000000000","msg_id":"b"}\n{"n":3}\n\xff\n{"type":"x","n":3}));
	is($a->{status}, 200, 'a session comes into being');
	my @said = map { join ' ', $_->{line}, $_->{type}, $_->{seq} // $_->{data}{code}, $_->{msg_id} // () } @{ $a->{lines} };
	is_deeply(\@said, [ '1 ack 1', '4 ack 2 a', '5 error bad_json', '6 error bad_type', '7 error bad_field', '8 ack 2 a',
			'9 error not_member b', '10 error bad_type', '11 error bad_json', '12 ack 3' ], 'each line has its answer, in order');
	is(join(' ', map { $_->{n} } @{ fetch('GET', '/sessions/new/records')->{lines} }), '1 2 3', 'and the good ones stand');
	is(post('new', qq({"type":"x","msg_id":"a"}\n))->{lines}[0]{seq}, 2, 'a repeat on another connection changes nothing');
	is(post('new', qq({"type":"x","msg_id":"a"}\n), $ndjson, 'Hub-Client: me')->{lines}[0]{seq}, 4, 'of another client it is none');
	is(post('new', qq({"type":"x","msg_id":"a"}\n), $ndjson, 'Hub-Client: me')->{lines}[0]{seq}, 4, 'but of that one it is');
	my @from = map { $_->{from} } @{ fetch('GET', '/sessions/new/records')->{lines} };
	ok($from[0] eq $from[2] && $from[0] ne $from[3], 'who is who by name');
	my $m = $hub->unix;
	my $resume = post('new', '', $ndjson, 'Hub-Client: me')->{headers}{'hub-resume'};
	is($m->join_session('new', resume => $resume)->{client_id}, $from[3], 'as whom it joins');
	$m->send({ type => 'x', msg_id => 'a' });
	is($m->wait_type('ack')->{seq}, 4, 'and is known');
	$m = $hub->unix;
	$resume = $m->join_session('new')->{resume};
	$m->send({ type => 'x', msg_id => 'a' });
	is($m->wait_type('ack')->{seq}, 5, 'who has joined');
	$a = post('new', qq({"type":"x","msg_id":"a"}\n), $ndjson, "Hub-Client: $resume");
	is($a->{lines}[0]{seq}, 5, 'goes on here as the same');
	isnt(post('new', qq({"type":"x","msg_id":"a"}\n), $ndjson, 'Hub-Client: ' . $resume =~ tr/A-Z/B-ZA/r)->{lines}[0]{seq}, 5, 'by his token alone');
	ok(!exists post('new', '')->{headers}{'hub-resume'}, 'what is nobody\'s joins as nobody');
	is(post('new', '')->{body}, '', 'nothing');
	is(post('new', "\n\n")->{body}, '', 'nothing but empty lines');
	my $long = post('new', qq({"type":"x","x":") . 'x' x 70_000 . qq("}\n{"type":"x"}\n));
	is_deeply([ map { $_->{data}{code} // $_->{line} } @{ $long->{lines} } ], [ 'too_large', 2 ], 'a line that is too long');

	my @one = (
		[ qq({"type":"x",\n"n":\r\n1}\n), 200, 'ack' ], [ '{"type":"x"', 400, 'bad_json' ], [ '', 400, 'bad_json' ],
		[ " \n ", 400, 'bad_json' ], [ '[]', 400, 'bad_json' ], [ '{"type":"ping"}', 400, 'bad_type' ],
		[ '{"type":"x"}{"type":"x"}', 400, 'bad_json' ], [ '{"type":"x","x":"' . 'x' x 66_000 . '"}', 413, 'too_large' ],
		[ '{"type":"x","to":"00000000000"}', 409, 'not_member' ]);
	for my $one (@one) {
		my $got = post('new', $one->[0], $json);
		my $line = $got->{lines}[0];
		is("$got->{status} " . ($line->{data}{code} // $line->{type}), "$one->[1] $one->[2]", 'one: ' . visible($one->[0]));
	}
	for my $type ('text/plain', 'application/x-www-form-urlencoded', '', 'application/json, text/plain', 'json') {
		$a = post('new', '{"type":"x"}', length $type ? "Content-Type: $type" : 'X: y');
		is("$a->{status} " . code($a), '415 unsupported_type', "not of type '$type'");
	}
	is(post('new', '{"type":"x"}', "Content-Type: $_")->{status}, 200, "of type $_")
	    for 'Application/JSON; charset=utf-8', 'application/ndjson', 'application/jsonl;x=y';
	$a = post('new', '{"type":"x"}', $json, 'Content-Encoding: gzip');
	is("$a->{status} " . code($a), '415 unsupported_type', 'nothing is unpacked');
	is(post('new', '{"type":"x"}', $json, 'Content-Encoding: Identity')->{status}, 200, 'where nothing is packed');
	$a = Hub::Http->fetch($hub, 'POST', '/sessions/new/records', headers => [$json]);
	is("$a->{status} " . code($a), '411 length_required', 'with a length');
	is(post('new', '{"type":"x"}', $json, 'Hub-Client: ' . 'x' x 65)->{status}, 400, 'a client whose name is too long');
};

sub visible {
	my ($text) = @_;
	$text =~ s/[\r\n]/ /g;
	return substr $text, 0, 30;
}

# While it comes its answers go, and neither waits for the end of the other.
subtest 'a hundred thousand lines' => sub {
	my ($n, $acks, $errors, $bytes) = (100_000, 0, 0, '');
	post('many', '{"type":"begin"}');
	my $reader = Hub::Http->follow($hub, 'many', query => '?since=0');
	my $c = Hub::Http->open($hub);
	$c->send_bytes("POST /sessions/many/records HTTP/1.1\r\nHost: localhost\r\n$ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
	my ($at, $over, $early, $next) = (0, 0, 0, 1);
	my $headed;
	my $take = sub {
		pump(0);
		$headed ||= $c->{rbuf} =~ s/\A.*?\r\n\r\n//s or return 0;
		while (substr($c->{rbuf}, 0, 20) =~ /\A([0-9a-f]+)\r\n/ && length $c->{rbuf} >= length($1) + 4 + hex $1) {
			my $size = $1;
			$bytes .= substr $c->{rbuf}, length($size) + 2, hex $size;
			substr $c->{rbuf}, 0, length($size) + 4 + hex $size, '';
			$over = 1 if !hex $size;
		}
		my @lines = split /\n/, substr $bytes, 0, 1 + rindex($bytes, "\n"), '';
		for my $line (@lines) {
			$line =~ /"line":(\d+)\}$/ or die "no line: $line\n";
			die "line $1 in the place of $next\n" if $1 != $next++;
			$line =~ /^\{"type":"ack"/ ? $acks++ : $errors++;
		}
		return $over;
	};
	while ($at < $n) {
		my $piece = '';
		for (1 .. 1 + int rand 3000) {
			$at++;
			last if $at > $n;
			$piece .= $at % 1000 == 0 ? "bad $at\n" : qq({"type":"n","n":$at,"msg_id":"m$at"}\n);
		}
		# Cut where it falls.
		while (length $piece) {
			my $part = substr $piece, 0, 1 + int rand 30_000, '';
			$c->send_bytes(sprintf "%x\r\n%s\r\n", length $part, $part);
		}
		wait_for { length $c->{wbuf} < 100_000 || $c->{gone} } 'it to be taken';
		$take->();
		if (!$early && $at > $n / 2) {
			wait_for { $take->(); $acks > 1000 || $c->{gone} } 'answers';
			$early = $acks;
		}
	}
	$c->send_bytes("0\r\n\r\n");
	ok($early > 1000, 'answers come while it does');
	wait_for { $take->() || $c->{gone} } 'the end of the answer';
	$c->ask('GET', '/healthz');
	is($c->answer->{status}, 200, 'the connection goes on');
	is($acks, $n - $n / 1000, 'as many acks as there are good lines');
	is($errors, $n / 1000, 'as many errors as there are bad ones');
	is(fetch('GET', '/sessions/many/records?limit=1')->{lines}[0]{type}, 'begin', 'and there they are');
	my $last = 0;
	my @wrong = grep { $_->{data} !~ /"seq":(\d+)\}$/ || $1 != ++$last } $reader->take_events($acks + 1);
	is(scalar @wrong, 0, 'a reader gets them all');
	# Who does not read its answers is not read any more, and that is all.
	my $deaf = Hub::Http->open($hub, rcvbuf => 4096);
	$deaf->{reading} = 0;
	$deaf->send_bytes("POST /sessions/deaf/records HTTP/1.1\r\nHost: localhost\r\n$ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
	my ($sent, $line) = (0, qq({"type":"n"}\n));
	my $chunk = sprintf "%x\r\n%s\r\n", 1000 * length $line, $line x 1000;
	while ($sent < 1000 && length $deaf->{wbuf} < 1_000_000) {
		$deaf->send_bytes($chunk);
		$sent++;
		pump(0.001);
	}
	ok(length $deaf->{wbuf} >= 1_000_000, 'it is not taken any more');
	ok($hub->health->{slow_disconnects} == 0, 'nobody is sent away for that');
	$deaf->send_bytes("0\r\n\r\n");
	$deaf->{reading} = 1;
	my $a = $deaf->answer;
	is(scalar(() = $a->{body} =~ /\n/g), $sent * 1000, 'read on, all is answered');
};

subtest 'bodies that wait, end early, or are none' => sub {
	my $c = Hub::Http->open($hub);
	$c->ask('POST', '/sessions/body/records', headers => [ $json, 'Content-Length: 12', 'Expect: 100-continue' ]);
	wait_for { length $c->{rbuf} } 'a word';
	like($c->{rbuf}, qr/\AHTTP\/1\.1 100 Continue\r\n\r\n\z/, '100, and nothing more');
	$c->send_bytes('{"type":"x"}');
	is($c->answer->{status}, 200, 'then the body');
	$c->ask('POST', '/sessions/body/records', headers => [ 'Content-Type: text/plain', 'Content-Length: 12', 'Expect: 100-continue' ]);
	my $a = $c->answer;
	is($a->{status}, 415, 'not wanted: no 100');
	is($c->{continues}, 1, 'but at once the answer');
	is($a->{headers}{connection}, 'close', 'and the end');
	# Pipelined.
	$c = Hub::Http->open($hub);
	$c->ask('POST', '/sessions/body/records', headers => [$json], body => '{"type":"p1"}');
	$c->ask('GET', '/sessions/body/records?since=1');
	$c->ask('POST', '/sessions/body/records', headers => [$ndjson], body => qq({"type":"p2"}\n{"type":"p3"}));
	$c->ask('HEAD', '/sessions/body/state');
	$c->ask('GET', '/sessions/body/records?since=1&wait=5');
	is($c->answer->{lines}[0]{seq}, 2, 'one');
	is(join(' ', map { $_->{type} } @{ $c->answer->{lines} }), 'p1', 'two');
	is(scalar @{ $c->answer->{lines} }, 2, 'three');
	is($c->answer->{status}, 200, 'four');
	is(join(' ', map { $_->{type} } @{ $c->answer->{lines} }), 'p1 p2 p3', 'five, behind one another');
	my $head = "POST /sessions/body/records HTTP/1.1\r\nHost: localhost\r\n$ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
	my $one = "d\r\n{\"type\":\"x\"}\n\r\n";
	for my $broken ([ 'no chunk', "zz\r\n", 'bad_request' ], [ 'the end', '', 'bad_request' ]) {
		my ($name, $bytes, $code) = @$broken;
		$c = Hub::Http->open($hub);
		push @{ $c->{asked} }, 'POST';
		$c->send_bytes("$head$one$bytes");
		shutdown $c->{fh}, 1 if $bytes eq '';
		$a = $c->answer;
		is_deeply([ map { $_->{data}{code} // $_->{type} } @{ $a->{lines} } ], [ 'ack', $code ], "$name: what came before stands");
		wait_for { $c->{gone} } 'the end';
		$c = Hub::Http->open($hub);
		push @{ $c->{asked} }, 'POST';
		$c->send_bytes($head . ($bytes || ''));
		shutdown $c->{fh}, 1 if $bytes eq '';
		is("$_->{status} " . code($_), "400 $code", "$name: before anything") for $c->answer;
	}
};

subtest 'patience' => sub {
	my $short = Hub->start(args => [qw(--header-timeout 1)]);
	my $head = "POST /sessions/s/records HTTP/1.1\r\nHost: localhost\r\n$ndjson\r\nContent-Length: 1000\r\n\r\n";
	my $c = Hub::Http->open($short);
	$c->send_bytes("$head\{\"type\":\"x\"}\n{\"ty");
	my $a = $c->answer;
	is_deeply([ map { $_->{data}{code} // $_->{type} } @{ $a->{lines} } ], [ 'ack', 'timeout' ], 'half a line has to go on');
	wait_for { $c->{gone} } 'the end';
	$c = Hub::Http->open($short);
	$c->send_bytes("POST /sessions/s/records HTTP/1.1\r\nHost: localhost\r\n$json\r\nContent-Length: 1000\r\n\r\n{");
	is("$_->{status} " . code($_), '408 timeout', 'half an object too') for $c->answer;
	$short->stop;
};

subtest 'limits' => sub {
	my $small = Hub->start(args => [qw(--max-sessions 1)]);
	my $m = $small->member('unix', 's');
	my $a = Hub::Http->fetch($small, 'POST', '/sessions/t/records', headers => [$ndjson], body => '{"type":"x"}');
	is("$a->{status} " . code($a), '503 hub_full', 'a session that would be one too many');
	$small->stop;
};

# With a store answers wait for the disk, and still come in order.
subtest 'with a store' => sub {
	my @store = ('--store', scratch() . '/rest.db');
	my $kept = Hub->start(args => \@store);
	my $on = sub { Hub::Http->fetch($kept, @_) };
	my $body = join '', map { $_ % 10 == 0 ? "bad\n" : qq({"type":"light","key":"k$_","n":$_,"msg_id":"m$_"}\n) } 1 .. 5000;
	my $a = $on->('POST', '/sessions/s/records', headers => [$ndjson], body => $body);
	is(join(' ', map { $_->{line} } @{ $a->{lines} }), join(' ', 1 .. 5000), 'each line is answered, in order');
	is(scalar(grep { $_->{type} eq 'ack' } @{ $a->{lines} }), 4500, 'those that are stored');
	# The same twice at a time.
	my @twice = map { Hub::Http->open($kept) } 1 .. 4;
	$_->ask('POST', '/sessions/s/records', headers => [$ndjson], body => join '', map { qq({"type":"x","msg_id":"t$_"}\n) } 1 .. 500)
	    for @twice;
	my %seqs = map { join(' ', map { $_->{seq} } @{ $_->answer->{lines} }) => 1 } @twice;
	is(scalar keys %seqs, 1, 'four that say the same get the same');
	is($on->('POST', '/sessions/s/records', headers => [$json], body => '{"type":"one"}')->{lines}[0]{seq}, 5001, 'one');
	my $cursor = $on->('GET', '/sessions/s/records?limit=7')->{headers}{'hub-cursor'};
	my $r = Hub::Http->follow($kept, 's', id => $cursor);
	my @events = $r->take_events(10);
	like($r->{last_id}, qr/^\w{11}-\d+-[0-9a-f]{8}$/, 'a place tells the run of the hub as well');
	$kept->stop;
	$kept = Hub->start(args => \@store);
	$on = sub { Hub::Http->fetch($kept, @_) };
	is($on->('GET', '/sessions/none/state')->{status}, 404, 'one that is not in the store is none');
	is(scalar @{ $on->('GET', '/sessions/s/state')->{lines} }, 4500, 'one that only the store has is there');
	is($on->('GET', '/sessions/s/state/k7')->{lines}[0]{n}, 7, 'key by key');
	is($on->('POST', '/sessions/s/records', headers => [$ndjson], body => qq({"type":"x","msg_id":"t1"}\n))->{lines}[0]{seq}, 4501,
		'a repeat is known');
	my ($path, $n) = ("/sessions/s/records?since=$cursor&limit=10000", 7);
	while ($n < 5001) {
		my $got = $on->('GET', $path);
		is($got->{lines}[0]{seq}, $n + 1, 'records go on behind the cursor') or last;
		$n = $got->{lines}[-1]{seq};
		$path = "/sessions/s/records?since=$got->{headers}{'hub-cursor'}&limit=10000";
	}
	is($n, 5001, 'up to the last one');
	$r = Hub::Http->follow($kept, 's', id => $events[-1]{id});
	is(unjson(($r->take_events(1))[0]{data})->{seq}, unjson($events[-1]{data})->{seq} + 1, 'and so does a reader');
	my $list = $on->('GET', '/sessions', unix => 1)->{lines}[0]{sessions};
	is_deeply($list, ['s'], 'what was asked for and is not there, is not there');
	$kept->stop;
};

$hub->stop;
done_testing;
