# The walls against strangers, each with who comes to it, what he is answered, and where that is counted: hosts and
# origins, connections and requests of an address, connections of a user, joins, errors, memory, descriptors.
# Whoever is on this side of one goes on as if there were none.
use strict;
use warnings;
use Hub;
use Hub::Flood;
use Hub::Http;
use Hub::Metrics;
use Hub::Sio;
use Hub::Token;
use IO::Socket::INET;
use Socket;

my $no = JSON::PP::false();
my @trusting = ('--trust-proxy', '127.0.0.1');
my $loopback = 'Host: localhost';

# A hub that everybody reaches, as far as it says so.
sub hub { return Hub->start(args => [@_]) }

sub refusals {
	my ($hub, $reason) = @_;
	return scrape($hub)->{"hubd_refusals_total{reason=\"$reason\"}"};
}

# The status of a handshake with these lines, or of a request for a path.
sub handshake {
	my ($hub, @lines) = @_;
	my $c = $hub->ws(headers => \@lines, refused => 1);
	return $c->{status};
}

sub ask {
	my ($hub, $path, @lines) = @_;
	return $hub->get($path, raw => join "\r\n", "GET $path HTTP/1.1", 'Connection: close', @lines, '', '');
}

my $upgrade = join "\r\n", 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==';

# --- pages

subtest 'hosts and origins' => sub {
	my %hub = (
		default => hub(),
		hosts => hub('--host', 'hub.example.org', '--host', '*.example.net'),
		origins => hub('--origin', 'https://example.org', '--origin', 'http://localhost:*', '--cors', 'https://example.org'),
		both => hub('--host', '*', '--origin', 'null'),
	);
	# A hub, what is asked, the status of /healthz, and as what a refusal counts.
	my @table = (
		[ default => $loopback, 200 ],
		[ default => 'Host: 127.0.0.1:4820', 200 ],
		[ default => 'Host: [::1]', 200 ],
		[ default => 'Host: LOCALHOST.:80', 200 ],
		[ default => 'Host: rebound.example', 403, 'host' ],
		[ default => "Host: rebound.example\r\nOrigin: http://rebound.example", 403, 'host' ],
		[ default => "$loopback\r\nOrigin: https://anywhere.example", 200 ],
		[ hosts => 'Host: hub.example.org', 200 ],
		[ hosts => 'Host: Hub.Example.Org.:443', 200 ],
		[ hosts => 'Host: a.example.net', 200 ],
		[ hosts => 'Host: example.net', 403, 'host' ],
		[ hosts => $loopback, 403, 'host' ],
		[ origins => $loopback, 200 ],
		[ origins => "$loopback\r\nOrigin: https://example.org", 200 ],
		[ origins => "$loopback\r\nOrigin: http://localhost:8080", 200 ],
		[ origins => "$loopback\r\nOrigin: https://evil.example", 403, 'origin' ],
		[ origins => "$loopback\r\nOrigin: null", 403, 'origin' ],
		[ origins => "Host: rebound.example\r\nOrigin: https://example.org", 403, 'host' ],
		[ both => 'Host: anything', 200 ],
		[ both => "Host: anything\r\nOrigin: null", 200 ],
		[ both => "Host: anything\r\nOrigin: http://localhost:1", 403, 'origin' ],
	);
	my %counted;
	for my $row (@table) {
		my ($which, $lines, $status, $reason) = @$row;
		for my $path ('/healthz', '/metrics', '/sessions/s/state', '/nothing', '/ws') {
			my $want = $status == 403 ? 403 : $path =~ /state|nothing/ ? 404 : $path eq '/ws' ? 426 : 200;
			my $name = "$which: " . ($lines =~ s/\r\n/, /r) . ": $path";
			is(ask($hub{$which}, $path, $lines)->{status}, $want, $name);
			$counted{$which}{$reason}++ if $reason;
		}
		my $c = $hub{$which}->tcp;
		$c->send_bytes("GET /ws HTTP/1.1\r\n$lines\r\n$upgrade\r\n\r\n");
		wait_for { $c->{status} } 'an answer to the handshake';
		is($c->{status}, $status == 200 ? 101 : 403, "$which: " . ($lines =~ s/\r\n/, /r) . ': a WebSocket');
		$counted{$which}{$reason}++ if $reason;
	}
	for my $which (sort keys %hub) {
		# How the test asks is not what each of them takes.
		my $metrics = parse_metrics(run([ 'curl', '-s', '--unix-socket', $hub{$which}{socket}, 'http://any/metrics' ])->{out});
		for my $reason ('host', 'origin') {
			is($metrics->{value}{"hubd_refusals_total{reason=\"$reason\"}"}, $counted{$which}{$reason} // 0,
				"$which: $reason: counted");
		}
	}
	becomes { $hub{default}->log_text =~ /info  page door=tcp peer=127\.0\.0\.1:\d+: refused for its Host: rebound\.example$/m }
	'and said';
	my $unix = Hub::Http->open($hub{both}, unix => 1);
	$unix->ask('GET', '/healthz', headers => ['Origin: https://evil.example']);
	is($unix->answer->{status}, 200, 'the Unix socket takes all');
	is(ask($hub{hosts}, '/healthz')->{status}, 400, 'HTTP/1.1 has a Host');
	is($hub{hosts}->get('/', raw => "GET /healthz HTTP/1.0\r\n\r\n")->{status}, 200, 'who names none is no browser');

	my $c = Hub::Http->open($hub{origins});
	$c->ask('OPTIONS', '/sessions/s/records', headers => [ 'Origin: https://example.org', 'Access-Control-Request-Method: POST' ]);
	is($c->answer->{headers}{'access-control-allow-origin'}, 'https://example.org', 'a page of both lists may ask before');
	$c->ask('OPTIONS', '/sessions/s/records', headers => [ 'Origin: http://localhost:1', 'Access-Control-Request-Method: POST' ]);
	is($c->answer->{headers}{'access-control-allow-origin'}, undef, 'one of origins alone is not read to');
	$_->stop for values %hub;
};

subtest 'what is no host or origin' => sub {
	for my $case (
		[ 'host', 'http://a', 'no host' ], [ 'host', 'a/b', 'no host' ], [ 'host', '', 'no host' ], [ 'host', 'a:80', 'without a port' ],
		[ 'host', '[::1]:80', 'without a port' ], [ 'host', '[::1', 'without a port' ],
		[ 'origin', 'example.org', 'no origin' ], [ 'origin', 'https://Example.org', 'no origin' ],
		[ 'origin', 'https://example.org/', 'no origin' ], [ 'origin', '', 'no origin' ])
	{
		my ($option, $value, $why) = @$case;
		my $r = Hub->refuses("--$option", $value);
		is($r->{status}, 64, "--$option '$value': refused");
		like($r->{err}, qr/\Q$option: '$value'\E.*$why/, 'and why');
	}
	my $r = Hub->refuses('--check', '--origin', 'https://a.example', '--cors', 'https://b.example');
	is($r->{status}, 78, 'an origin that may read and not ask');
	like($r->{err}, qr{cors: requests of 'https://b\.example' are refused}, 'is named');
};

subtest 'other walls while it runs' => sub {
	my $conf = scratch() . '/walls.conf';
	my $set = sub { spew($conf, join '', map { "$_\n" } 'trust-proxy = 127.0.0.1', @_) };
	$set->();
	my $hub = hub('-c', $conf);
	my $there = $hub->ws(headers => [ 'Origin: https://evil.example', 'X-Forwarded-For: 203.0.113.1' ]);
	is(handshake($hub, 'Origin: https://evil.example'), 101, 'a page of any origin');
	$set->('origin = https://example.org', 'max-per-address = 1', 'host = *');
	kill HUP => $hub->pid;
	becomes { handshake($hub, 'Origin: https://evil.example') == 403 } 'then of one alone';
	is(ask($hub, '/healthz', 'Host: anything')->{status}, 200, 'by any name');
	my @two = map { $hub->ws(headers => ['X-Forwarded-For: 203.0.113.1'], refused => 1) } 1, 2;
	is_deeply([ map { $_->{status} } @two ], [ 101, 503 ], 'those that come then are counted');
	$set->();
	kill HUP => $hub->pid;
	becomes { handshake($hub, 'Origin: https://evil.example', 'X-Forwarded-For: 203.0.113.1') == 101 } 'and back';
	$there->sync;
	ok($there->alive, 'who was there stays');
	$hub->stop;
};

# --- addresses, behind a proxy that names them: the test is the proxy

sub of { return "X-Forwarded-For: $_[0]" }

subtest 'connections of an address' => sub {
	my $hub = hub(@trusting, '--max-per-address', 3);
	my @good = map { $hub->member('ws', 's') } 1 .. 5;    # of the machine itself
	my %held = map { my $a = $_; ($a => [ map { $hub->ws(headers => [ of($a) ]) } 1 .. 3 ]) }
	    '203.0.113.1', '203.0.113.2', '2001:db8::1';
	for my $case ([ '203.0.113.1', 503 ], [ '203.0.113.2', 503 ], [ '2001:db8::ffff', 503 ], [ '[2001:db8::2]:80', 503 ],
		[ '2001:db8:0:1::1', 101 ], [ '203.0.113.3', 101 ]) {
		my ($address, $status) = @$case;
		is(handshake($hub, of($address)), $status, "$address: $status");
	}
	my $c = ask($hub, '/healthz', $loopback, of('203.0.113.1'));
	is($c->{status}, 503, 'for a request too');
	like($c->{body}, qr/your address has as many connections as it may/, 'in words');
	is(refusals($hub, 'address_connections'), 5, 'counted');
	is($hub->health->{refused_addresses}, 5, 'in /healthz');
	becomes { $hub->log_text =~ /share door=tcp peer=203\.0\.113\.1: its address has as many/ } 'said';
	$held{'203.0.113.1'}[0]->abort;
	becomes { handshake($hub, of('203.0.113.1')) == 101 } 'who goes makes room';
	# Requests count while they are answered, however long the proxy keeps the connection.
	my $keep = Hub::Http->open($hub);
	for my $n (1 .. 8) {
		$keep->ask('GET', '/healthz', headers => [ of("198.51.100.$n") ]);
		is($keep->answer->{status}, 200, "the proxy's connection, client $n");
	}
	my @follow = map { Hub::Http->follow($hub, 's', headers => [ of('198.51.100.1') ]) } 1 .. 3;
	is_deeply([ map { $_->{status} } @follow ], [ 200, 200, 200 ], 'streams');
	is(Hub::Http->fetch($hub, 'GET', '/healthz', headers => [ of('198.51.100.1') ])->{status}, 503, 'count as well');
	$good[0]->send({ type => 't' });
	is($_->next->{type}, 't', 'the others go on') for @good;
	$hub->stop;
};

# Clients of Socket.IO that poll have no connection between their requests.
subtest 'pollers of an address' => sub {
	my $hub = hub(@trusting, '--max-per-address', 2);
	my $path = '/socket.io/?EIO=4&transport=polling';
	my $begin = sub { Hub::Http->fetch($hub, 'GET', $path, headers => [ of($_[0]) ]) };
	my @got = map { $begin->('203.0.113.1') } 1 .. 3;
	is_deeply([ map { $_->{status} } @got ], [ 200, 200, 503 ], 'one more is refused');
	like($got[2]{body}, qr/"code":"hub_full".*your address has as many connections as it may/, 'in words');
	is(refusals($hub, 'address_connections'), 1, 'counted');
	is($begin->('203.0.113.2')->{status}, 200, 'others are not touched');
	my ($sid) = $got[0]{body} =~ /"sid":"([^"]+)"/;
	is(Hub::Http->fetch($hub, 'POST', "$path&sid=$sid", body => '1', headers => [ of('203.0.113.1') ])->{status}, 200, 'who closes');
	becomes { $begin->('203.0.113.1')->{status} == 200 } 'makes room';
	is($begin->('203.0.113.1')->{status}, 503, 'once');
	$hub->stop;
};

subtest 'requests of an address' => sub {
	my $hub = hub(@trusting, '--rate-requests', 1);
	my @got = map { ask($hub, '/healthz', $loopback, of('203.0.113.1')) } 1 .. 20;
	is_deeply([ map { $_->{status} } @got[ 0, 1 ] ], [ 200, 200 ], 'a burst is served');
	my ($late) = grep { $_->{status} != 200 } @got;
	is($late->{status}, 429, 'then no more');
	like($late->{headers}{'retry-after'}, qr/^[1-9]\d?$/, 'and when to come back');
	like($late->{body}, qr/"code":"rate_limited"/, 'with its code');
	becomes { handshake($hub, of('203.0.113.1')) == 101 } 'who waits is served';
	becomes { handshake($hub, of('203.0.113.1')) == 429 } 'handshakes count';
	is(handshake($hub, of('203.0.113.2')), 101, 'others are not touched');
	is(scalar(grep { $hub->get('/healthz')->{status} != 200 } 1 .. 20), 0, 'nor is the machine itself');
	cmp_ok(refusals($hub, 'address_rate'), '>', 1, 'counted');
	$hub->stop;
};

# What comes by itself, from an address of this machine that is not the loopback's.
subtest 'without a proxy' => sub {
	my $out = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '192.0.2.1', PeerPort => 9);
	my $address = $out ? $out->sockhost : '127.0.0.1';
	plan skip_all => 'this machine has no address but the loopback' if $address =~ /^127\.|^0\./;
	my $hub = Hub->start(listen => "$address:0", args => [ '--insecure', '--max-per-address', 4, '--rate-requests', 1000 ]);
	my @in = map { $hub->member('ws', 's') } 1 .. 4;
	my $more = $hub->tcp;
	becomes { $more->{gone} } 'one more is turned away';
	is($more->{status} // 503, 503, 'with 503');
	$in[0]->send({ type => 't' });
	is($_->next->{type}, 't', 'those that are there go on') for @in;
	pop(@in)->abort;
	my $again;
	wait_for { $again = eval { $hub->member('ws', 's') } } 'room again';
	pass('who goes makes room');
	$_->abort for @in, $again;
	my $m;
	wait_for { $m = eval { scrape($hub) } } 'room to ask';
	cmp_ok($m->{'hubd_refusals_total{reason="address_connections"}'}, '>=', 1, 'counted');
	$hub->stop;

	$hub = Hub->start(listen => "$address:0", args => [ '--insecure', '--rate-requests', 1 ]);
	my @status = map { $hub->get('/healthz')->{status} } 1 .. 20;
	is_deeply([ @status[ 0, 1 ] ], [ 200, 200 ], 'a burst');
	is(scalar(grep { $_ == 429 } @status) > 0, 1, 'then 429, each on a connection of its own') or diag "@status";
	is(scalar(grep { $_ != 429 && $_ != 200 } @status), 0, 'and nothing else');
	# On one connection as well.
	my $c = Hub::Http->open($hub);
	$c->ask('GET', '/healthz') for 1 .. 10;
	my $status = 200;
	$status = $c->answer->{status} while $status == 200;
	is($status, 429, 'nor by one that stays');
	becomes { $c->{gone} } 'which ends then';
	$hub->stop;

	# Not the hub's own name, as far as it knows: its names are whatever others call it.
	$hub = Hub->start(listen => "$address:0", args => ['--insecure']);
	is(ask($hub, '/healthz', 'Host: anything.example')->{status}, 200, 'an address that others reach has any name');
	$hub->stop;
};

subtest 'joins of an address' => sub {
	my $hub = hub(@trusting, '--rate-joins', 5);
	my @greedy = map { $hub->ws(headers => [ of('203.0.113.1') ]) } 1 .. 10;
	$_->join_session('s') for @greedy;
	$greedy[$_]->send(map { { type => 'session_associate', session_id => "s$_" } } 1 .. 5) for 0 .. 9;
	wait_for { $hub->health->{slowed_joins} } 'them to be slowed';
	my $good = $hub->ws(headers => [ of('203.0.113.2') ]);
	$good->join_session($_) for 'a' .. 'g';
	pass('another joins as it likes');
	cmp_ok($hub->health->{slowed}, '>', 0, 'who is slowed is counted as that');
	is($hub->health->{errors}, 0, 'and refused nothing');
	$hub->stop;
};

# --- users

subtest 'connections of a user' => sub {
	my $hub = hub('--auth-key', key_file(), '--max-per-user', 3, '--log-format', 'json', '--log-level', 'debug');
	my $show = sub { return 'Authorization: Bearer ' . token({ sub => $_[0] }) };
	my @ann = map { $hub->ws(headers => [ $show->('ann') ]) } 1 .. 3;
	my $c = $hub->ws(headers => [ $show->('ann') ], refused => 1);
	wait_for { $c->{complete} } 'the answer';
	is($c->{status}, 503, 'a handshake');
	is(unjson($c->{body})->{data}{code}, 'hub_full', 'with its code');
	is(ask($hub, '/sessions/s/state', $loopback, $show->('ann'))->{status}, 503, 'a request');
	my $late = $hub->ws;
	$late->send({ type => 'authenticate', token => token({ sub => 'ann' }) });
	is($late->next->{data}{code}, 'hub_full', 'a token that is shown later');
	is($late->closed, 4401, 'and who is nobody goes');
	is($hub->ws(headers => [ $show->('bob') ], refused => 1)->{status}, 101, 'another user');
	is($hub->ws(headers => [ 'Authorization: Bearer ' . token({}) ], refused => 1)->{status}, 101, 'nobody in particular') for 1 .. 5;
	# Who shows another token of his is counted as before.
	$ann[0]->send({ type => 'authenticate', token => token({ sub => 'ann', exp => time + 7200 }) });
	is($ann[0]->next->{type}, 'authenticated', 'a new token');
	$ann[1]->abort;
	becomes { handshake($hub, $show->('ann')) == 101 } 'who goes makes room';
	is(refusals($hub, 'user_connections') >= 3, 1, 'counted');
	is($hub->health->{refused_users} >= 3, 1, 'in /healthz');

	# The log says whose connections they were.
	$ann[0]->frame(2, 'binary');
	is($ann[0]->closed, 1003, 'one is ended');
	becomes { grep { /"event":"close".*"user":"ann","message":"1003 / } split /\n/, $hub->log_text } 'the log has its user';
	my $odd = $hub->ws(headers => [ $show->("J\x{fc}rgen conn=9 \x{1f600}\n") ]);
	$odd->frame(2, 'binary');
	$odd->closed;
	my ($line);
	becomes { ($line) = grep { /rgen/ && /"close"/ } split /\n/, $hub->log_text } 'any user';
	is(unjson($line)->{user}, "J\x{fc}rgen conn=9 \x{1f600}\n", 'as he is called');
	$hub->stop;

	$hub = hub('--auth-key', key_file());
	$c = $hub->ws(headers => [ $show->('ann conn=9') ]);
	$c->frame(2, 'binary');
	$c->closed;
	becomes { $hub->log_text =~ /info  close door=ws conn=\d+ peer=\S+ user=ann\\x20conn=9: 1003 / } 'in text no field of his own';
	$hub->stop;
};

# --- errors

subtest 'errors' => sub {
	my $hub = hub('--state-keys', 1);
	my $holder = $hub->member('unix', 'full');
	$holder->send({ type => 'light', key => 'a' });
	$holder->sync;
	# One that makes mistakes, and one that goes on where it is refused; the first is sent away at once.
	for my $case ([ 'mistakes', '{"type":"t"}', 1000 ], [ 'refusals', '{"type":"light","key":"b"}', 2000 ]) {
		my ($name, $text, $at_least) = @$case;
		my $c = $name eq 'mistakes' ? $hub->ws : $hub->member('ws', 'full', echo => $no);
		my ($sent, $errors) = (0, 0);
		wait_for {
			($c->send_text(($text) x 100), $sent += 100) if !$c->{gone} && length $c->{wbuf} < 10_000;
			$errors += grep { /"error"/ } splice @{ $c->{in} };
			$c->{gone}
		} "$name: it to be sent away", 300;
		is($c->{close_code}, 1008, "$name: with 1008");
		cmp_ok($errors, '>=', $at_least - 5, "$name: after as many as the page says");
	}
	# The lines of a request count as messages do.
	my $post = sub { Hub::Http->fetch($hub, 'POST', '/sessions/lines/records', headers => ['Content-Type: application/x-ndjson'], body => $_[0]) };
	my $got = $post->("{\n" x 900 . qq({"type":"t"}\n) x 10);
	is_deeply([ $got->{status}, scalar(() = $got->{body} =~ /"code":"bad_json"/g), scalar(() = $got->{body} =~ /"seq":\d/g) ], [ 200, 900, 10 ],
		'a request with mistakes: what is good stands');
	$got = $post->("{\n" x 3000);
	my @lines = split /\n/, $got->{body};
	like($lines[-1], qr/"code":"rate_limited","message":"too many errors"/, 'with too many it ends, and says so') or diag($got->{status});
	cmp_ok(scalar @lines, '>=', 996, 'after as many');
	cmp_ok(scalar @lines, '<', 3000, 'and no more');
	is($hub->health->{closed_errors}, 3, 'counted');
	# The Unix socket is trusted.
	my $c = $hub->unix;
	$c->send_text('{"type":"t"}') for 1 .. 3000;
	wait_for { @{ $c->{in} } == 3000 || $c->{gone} } 'all errors';
	ok($c->alive, 'who is trusted stays');
	$hub->stop;
};

# --- memory

subtest 'memory of connections' => sub {
	my $hub = Hub->start(workers => 1, args => [ '--connection-memory', '1M', '--max-message', '1M', '--rate-messages', 0 ]);
	my @good = map { $hub->member('ws', 'good') } 1 .. 4;
	# They begin a message and never end it; together they want more than there is.
	my @greedy = map { $hub->ws } 1 .. 8;
	$_->frame(1, 'x' x 500_000, length => 1_000_000) for @greedy;
	wait_for { grep { $_->{gone} } @greedy } 'one to be closed';
	my @closed = grep { $_->{gone} } @greedy;
	is_deeply([ grep { $_ != 1013 } map { $_->{close_code} // 0 } @closed ], [], 'with 1013');
	$good[0]->send({ type => 't', pad => 'x' x 50_000 });
	is($_->next->{type}, 't', 'who has little goes on') for @good;
	my $half = '{"type":"half","pad":"' . 'x' x 5000 . '"}';
	$good[1]->frame(1, substr($half, 0, 3000), fin => 0);
	$good[1]->frame(0, substr $half, 3000);
	is($good[2]->wait_type('half')->{type}, 'half', 'in pieces too');
	my $m = scrape($hub);
	cmp_ok($m->{hubd_closed_memory_total}, '>=', scalar @closed, 'counted');
	cmp_ok($m->{'hubd_memory_bytes{kind="half_received"}'}, '<', 2_500_000, 'there is an end');
	is($hub->health->{closed_memory}, $m->{hubd_closed_memory_total}, 'in /healthz');

	# The same by HTTP: bodies that do not end.
	my @posts = map { Hub::Http->open($hub) } 1 .. 6;
	$_->send_bytes("POST /sessions/p/records HTTP/1.1\r\n$loopback\r\nContent-Type: application/json\r\n"
		    . "Content-Length: 900000\r\n\r\n" . '{"type":"t","pad":"' . 'x' x 700_000) for @posts;
	wait_for { grep { $_->{gone} || $_->{rbuf} =~ /^HTTP/ } @posts } 'one to be refused';
	my ($refused) = grep { $_->{rbuf} =~ /^HTTP/ } @posts;
	like($refused->{rbuf}, qr{^HTTP/1\.1 503 .*hub_full}s, 'with 503') if $refused;
	$good[0]->send({ type => 'u' });
	is($_->wait_type('u')->{type}, 'u', 'the others go on') for @good;
	$_->vanish for @posts, @greedy;

	# And by Socket.IO: bodies of polls, frames, and packets whose attachments do not come.
	my $half_bytes = sub { return scrape($hub)->{'hubd_memory_bytes{kind="half_received"}'} };
	becomes { $half_bytes->() < 100_000 } 'what is gone is given back';
	@posts = map { Hub::Http->open($hub) } 1 .. 6;
	for my $post (@posts) {
		my $url = Hub::Sio->poll($hub)->url('polling');
		$post->send_bytes("POST $url HTTP/1.1\r\n$loopback\r\nContent-Length: 900000\r\n\r\n4" . 'x' x 700_000);
	}
	wait_for { grep { $_->{gone} || $_->{rbuf} =~ /^HTTP/ } @posts } 'one to be refused';
	($refused) = grep { $_->{rbuf} =~ /^HTTP/ } @posts;
	like($refused->{rbuf}, qr{^HTTP/1\.1 503 }, 'with 503') if $refused;
	$_->vanish for @posts;
	for my $row ([ 'half a frame', 'x' x 500_000, 1_000_000 ], [ 'half a packet', '452-["x","' . 'x' x 500_000 . '"]' ]) {
		my ($what, $bytes, $length) = @$row;
		becomes { $half_bytes->() < 100_000 } 'what is gone is given back';
		my @sio = map { Hub::Sio->ws($hub) } 1 .. 8;
		$_->send('40') for @sio;
		is($_->packet =~ /^40\{/, 1, 'connected') for @sio;
		$_->{ws}->frame(1, $bytes, defined $length ? (length => $length) : ()) for @sio;
		wait_for { grep { $_->{ws}{gone} } @sio } 'one to be closed';
		is_deeply([ grep { $_ != 1013 } map { $_->{ws}{close_code} // 0 } grep { $_->{ws}{gone} } @sio ], [], "$what: with 1013");
		$_->{ws}->vanish for @sio;
	}
	$hub->stop;
};

# --- descriptors

subtest 'no descriptors left' => sub {
	my $hub = hub('--max-connections', 100);
	my @in = map { $hub->member($_ % 2 ? 'ws' : 'unix', 's') } 1 .. 6;
	my $prlimit = sub { return run([ 'prlimit', '--pid', $hub->pid, "--nofile=$_[0]:" ])->{status} == 0 };
	# A descriptor is the lowest number that is free.
	my $limit = 0;
	$limit++ while -l '/proc/' . $hub->pid . "/fd/$limit";
	plan skip_all => 'no prlimit here' unless $prlimit->($limit);
	my @out;
	for my $n (1 .. 5) {
		push @out, my $tcp = $hub->tcp;
		becomes { $tcp->{gone} } "tcp $n: turned away";
		is($tcp->{status} // 503, 503, 'and told, if it had said nothing yet');
	}
	my $unix = $hub->unix;
	becomes { $unix->{gone} } 'unix: turned away';
	like("@{ $unix->{in} }", qr/"hub_full".*no descriptors left/, 'and told');
	$in[0]->send({ type => 't', n => $_ }) for 1 .. 50;
	for my $c (@in) { $c->wait_type('t') for 1 .. 50 }
	pass('the others go on');
	becomes { $hub->log_text =~ /warn  refuse door=tcp: cannot accept a connection: Too many open files/ } 'it is said';
	$prlimit->(1024);
	my $again = $hub->member('ws', 's');
	ok($again, 'and when there are some again all is well');
	is(refusals($hub, 'accept_failed'), 6, 'counted, each once: nobody has tried again and again');
	$hub->stop;
};

subtest 'addresses over TLS' => sub {
	my ($key, $cert) = map { scratch() . "/walls-$_.pem" } 'key', 'cert';
	# An address of this machine that is none of the loopback: nothing is sent there.
	my $out = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '198.51.100.1:9');
	plan skip_all => 'this machine has no address that others could reach' unless $out;
	my $own = $out->sockhost;
	run([ qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost),
		'-keyout', $key, '-out', $cert ]);
	my @tls = ('--insecure', '--tls-cert', $cert, '--tls-key', $key);
	my $counted = sub {
		my ($hub, $reason) = @_;
		my $metrics = run([ 'curl', '-s', '--unix-socket', $hub->{socket}, 'http://any/metrics' ])->{out};
		return parse_metrics($metrics)->{value}{"hubd_refusals_total{reason=\"$reason\"}"};
	};
	my $asked = sub {
		my ($hub) = @_;
		return run([ 'curl', '-sk', '--noproxy', '*', '-D', '-', '-o', '/dev/null', "https://$own:$hub->{port}/healthz" ]);
	};
	# Who is refused is told why, as long as there are not too many of them; beyond that the connection just ends.
	my $refused = sub {
		my ($hub, $status, $reason) = @_;
		my $before = $counted->($hub, $reason);
		my $first = $asked->($hub);
		like($first->{out}, qr{^HTTP/1\.1 $status }, "$reason: $status over TLS");
		like($first->{out}, qr/^retry-after: \d/mi, 'and when to come back');
		my (%seen, @burst);
		my @asking = map { spawn([ 'curl', '-sk', '--noproxy', '*', '-o', '/dev/null', '-w', '%{http_code}',
				"https://$own:$hub->{port}/healthz" ], out => scratch() . "/told$_") } 1 .. 20;
		$_->wait for @asking;
		$seen{ slurp(scratch() . "/told$_") }++ for 1 .. 20;
		is_deeply([ grep { !/^(?:000|$status)$/ } keys %seen ], [], 'told that, or nothing');
		is($counted->($hub, $reason), $before + 1 + 20, 'all are counted');
		# At once, as no machine is too slow for: none of them says anything.
		becomes {
			$_->abort for grep { $_->alive } splice @burst;
			@burst = map { Hub::Client->tcp($hub->{port}, host => $own) } 1 .. 50;
			eval { wait_for { grep { $_->{gone} } @burst } 'an end', 2 };
		} 'those beyond are not told';
		is_deeply([ grep { $_->{gone} && length $_->{rbuf} } @burst ], [], 'anything');
		$_->abort for grep { $_->alive } @burst;
	};
	my $hub = Hub->start(listen => "$own:0", args => [ @tls, '--max-per-address', 1 ]);
	my $held = Hub::Client->ws($hub->{port}, command => [ 'openssl', 's_client', '-quiet', '-connect', "$own:$hub->{port}" ]);
	$held->join_session('s');
	$refused->($hub, 503, 'address_connections');
	$held->send({ type => 'x' });
	is($held->wait_type('x')->{seq}, 1, 'who is there goes on');
	$hub->stop;
	# One a second, of which the pace of a machine could let one through: so many are refused at once.
	$hub = Hub->start(listen => "$own:0", args => [ @tls, '--rate-requests', 1 ]);
	becomes { $asked->($hub)->{out} =~ m{^HTTP/1\.1 429 } } 'the rate is met: 429 over TLS';
	cmp_ok($counted->($hub, 'address_rate'), '>=', 1, 'counted');
	$hub->stop;
};

subtest 'messages of a user, and lines of a request' => sub {
	my $hub = hub('--auth-key', key_file(), '--rate-user-messages', 40, '--rate-user-bytes', '1M');
	my $of = sub { return 'Authorization: Bearer ' . token({ sub => $_[0] }) };
	my $post = sub {
		my ($user, $type, $body) = @_;
		my $c = Hub::Http->open($hub);
		$c->ask('POST', '/sessions/s/records', headers => [ $of->($user), "Content-Type: application/$type" ], body => $body);
		return $c->answer;
	};
	my ($bob, @ann) = map { $hub->ws(headers => [ $of->($_) ]) } qw(bob ann ann);
	$_->join_session('s') for $bob, @ann;
	my $start = now();
	for my $n (1 .. 50) { $_->send({ type => 'a', msg_id => "m$n" }) for @ann }
	for my $n (1 .. 10) {
		$bob->send({ type => 'b', msg_id => "b$n" });
		$bob->wait_type('ack');
	}
	for my $c (@ann) { $c->wait_type('ack') for 1 .. 50 }
	cmp_ok(now() - $start, '>', 0.3, 'two connections of a user have one rate, and lose nothing');
	cmp_ok($hub->health->{slowed_users}, '>', 0, 'counted');
	is(scrape($hub)->{hubd_slowed_users_total} > 0, 1, 'and in /metrics');
	becomes { $hub->log_text =~ /limit door=ws .*user=ann: slowed: its user sends more/ } 'and said';
	unlike($hub->log_text, qr/user=bob: slowed/, 'another user is not slowed');
	# Nobody waits for who has no connection between two requests: he is refused.
	my $refused;
	becomes { $refused = $post->('eve', 'json', '{"type":"e"}'); $refused->{status} == 429 } 'requests are refused';
	like($refused->{headers}{'retry-after'}, qr/^\d+$/, 'until when is told');
	becomes { $post->('eve', 'x-ndjson', qq({"type":"e"}\n) x 50)->{status} == 429 } 'also those with lines';
	is($post->('bob', 'json', '{"type":"b"}')->{status}, 200, 'others are not');
	becomes { $post->('eve', 'json', '{"type":"e"}')->{status} == 200 } 'and later he may again';
	# Bytes, in one message that is more than two seconds may have.
	my $large = $hub->ws(headers => [ $of->('lea') ]);
	$large->join_session('s');
	$start = now();
	$large->send({ type => 'l', pad => 'x' x 60_000, msg_id => "l$_" }) for 1 .. 60;
	$large->wait_type('ack') for 1 .. 60;
	cmp_ok(now() - $start, '>', 1, 'bytes have a rate');
	$hub->stop;
	$hub = hub('--rate-messages', 20);
	my $c = Hub::Http->open($hub);
	$start = now();
	$c->ask('POST', '/sessions/s/records', headers => ['Content-Type: application/x-ndjson'], body => qq({"type":"x"}\n) x 80);
	is(scalar(() = $c->answer->{body} =~ /"ack"/g), 80, 'lines of a request lose nothing');
	cmp_ok(now() - $start, '>', 1, 'and are messages of a connection');
	cmp_ok($hub->health->{slowed}, '>', 0, 'which was slowed');
	$hub->stop;
};

subtest 'messages of an address' => sub {
	my $hub = hub(@trusting, '--rate-address-messages', 40, '--rate-address-bytes', '1M');
	my $post = sub {
		my ($address, $body) = @_;
		my $c = Hub::Http->open($hub);
		$c->ask('POST', '/sessions/s/records', headers => [ of($address), 'Content-Type: application/x-ndjson' ], body => $body);
		return $c->answer;
	};
	my ($bob, @many) = map { $hub->ws(headers => [ of($_) ]) } '203.0.113.2', ('203.0.113.1') x 3;
	$_->join_session('s') for $bob, @many;
	my $start = now();
	for my $n (1 .. 40) { $_->send({ type => 'a', msg_id => "m$n" }) for @many }
	for my $n (1 .. 10) {
		$bob->send({ type => 'b', msg_id => "b$n" });
		$bob->wait_type('ack');
	}
	for my $c (@many) { $c->wait_type('ack') for 1 .. 40 }
	cmp_ok(now() - $start, '>', 0.3, 'the connections of an address have one rate, and lose nothing');
	cmp_ok($hub->health->{slowed_addresses}, '>', 0, 'counted');
	cmp_ok(scrape($hub)->{hubd_slowed_addresses_total}, '>', 0, 'and in /metrics');
	becomes { $hub->log_text =~ /limit door=ws .*peer=203\.0\.113\.1\b.*slowed: its address sends more/ } 'and said';
	unlike($hub->log_text, qr/peer=203\.0\.113\.2\b.*slowed/, 'another address is not slowed');
	# One that is new for each message, or asks anew each time.
	becomes { $post->('203.0.113.9', qq({"type":"e"}\n))->{status} == 429 } 'requests are refused';
	like($post->('203.0.113.9', qq({"type":"e"}\n) x 50)->{headers}{'retry-after'} // 0, qr/^\d+$/, 'until when is told');
	is($post->('203.0.113.2', qq({"type":"b"}\n))->{status}, 200, 'others are not');
	my $own = $hub->member('ws', 's');
	$own->send({ type => 'o', msg_id => "o$_" }) for 1 .. 200;
	$own->wait_type('ack') for 1 .. 200;
	unlike($hub->log_text, qr/peer=127\.0\.0\.1\b.*slowed/, 'nor is the machine itself');
	# Who polls has no connection that could be asked for its address: it is that of the session.
	my $before = $hub->health->{slowed_addresses};
	my $poll = sub {
		my ($method, $path, $body) = @_;
		my $c = Hub::Http->open($hub);
		$c->ask($method, "/socket.io/?EIO=4&transport=polling$path", headers => [ of('203.0.113.20') ],
			defined $body ? (body => $body) : ());
		return $c->answer;
	};
	my ($sid) = $poll->('GET', '')->{body} =~ /"sid":"([^"]+)"/;
	$poll->('POST', "&sid=$sid", '40/s,');
	$poll->('POST', "&sid=$sid", join "\x1e", map { qq(42/s,["p",{"n":$_}]) } 1 .. 100);
	becomes { $hub->health->{slowed_addresses} > $before } 'messages of one that polls count';
	# Bytes, in messages that are together more than two seconds may have.
	my $large = $hub->ws(headers => [ of('203.0.113.30') ]);
	$large->join_session('s');
	$start = now();
	$large->send({ type => 'l', pad => 'x' x 60_000, msg_id => "l$_" }) for 1 .. 60;
	$large->wait_type('ack') for 1 .. 60;
	cmp_ok(now() - $start, '>', 1, 'bytes have a rate');
	$hub->stop;
};

# --- all of them, run against

subtest 'who runs against them' => sub {
	my $request = "GET /healthz HTTP/1.1\r\n$loopback\r\n";
	my $join = Hub::Client::ws_frame(1, '{"type":"session_associate","session_id":"flood"}');
	my $hub = hub(@trusting, qw(--max-per-address 20 --rate-requests 50 --rate-joins 20 --connection-memory 4M --max-message 1M),
		'--origin', 'https://example.org');
	for my $case (
		# Who it is, the bytes of each connection, and what counts it.
		[ 'connections', "GET /ws HTTP/1.1\r\n$loopback\r\n" . of('203.0.113.1') . "\r\n$upgrade\r\n\r\n", 'address_connections' ],
		[ 'requests', join('', ($request . of('203.0.113.2') . "\r\n\r\n") x 50), 'address_rate' ],
		[ 'hosts', "GET /metrics HTTP/1.1\r\nHost: rebound.example\r\n\r\n" x 50, 'host' ],
		[ 'origins', "GET /ws HTTP/1.1\r\n$loopback\r\nOrigin: https://evil.example\r\n$upgrade\r\n\r\n", 'origin' ],
		[ 'joins', "GET /ws HTTP/1.1\r\n$loopback\r\n" . of('203.0.113.3') . "\r\n$upgrade\r\n\r\n" . $join x 30, 'slowed_joins' ],
		[ 'memory', "GET /ws HTTP/1.1\r\n$loopback\r\n$upgrade\r\n\r\n"
			    . Hub::Client::ws_frame(1, 'x' x 200_000, length => 1_000_000), 'closed_memory' ],
	    ) {
		my ($name, $bytes, $counter) = @$case;
		my $flooder = knocker($hub, 60, $bytes);
		my $before = scrape($hub);
		my $of = sub { return $_[0]{"hubd_refusals_total{reason=\"$counter\"}"} // $_[0]{"hubd_${counter}_total"} };
		becomes { $of->(scrape($hub)) > $of->($before) } "$name: the wall is met";
		beside($hub, $name, $flooder);
		ok($hub->health->{status} eq 'ok', "$name: and it serves");
	}
	$hub->stop;
};

done_testing;
