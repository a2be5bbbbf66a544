# Whose connection it is, where proxies stand between: X-Forwarded-For and Forwarded of those that are trusted,
# the PROXY protocol in front of connections and of TLS. What hubd takes for the client's address stands in its log.
use strict;
use warnings;
use Hub;
use IO::Socket::INET;

my ($key, $cert) = map { scratch() . "/$_.pem" } 'key', 'cert';
run([ 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
	'-keyout', $key, '-out', $cert, '-days', '2', '-subj', '/CN=localhost' ]);

my $loud = 'debug';
my $sign = "\r\n\r\n\0\r\nQUIT\n";
my $client = pack('C4 C4 n n', 198, 51, 100, 1, 10, 0, 0, 1, 4711, 443);

sub v2 {
	my ($command, $family, $body) = @_;
	return $sign . pack 'C C n/a*', 0x20 | $command, $family, $body;
}

# One connection, with these bytes in front.
my $script = spew(scratch() . '/relay.pl', <<'END');
use IO::Select;
use IO::Socket::INET;
my ($fd, $port, $header) = @ARGV;
my $from = IO::Socket::INET->new->fdopen($fd, 'r+')->accept;
my $to = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die;
syswrite $to, pack 'H*', $header;
my $select = IO::Select->new($from, $to);
while (1) {
	for my $fh ($select->can_read) {
		sysread($fh, my $data, 65536) or exit;
		syswrite $fh == $to ? $from : $to, $data;
	}
}
END

# Lines of the log, once they are there.
sub logged {
	my ($hub, $pattern, $name) = @_;
	becomes { $hub->log_text =~ /^\S+Z \w+ +\w+ $pattern$/m } $name, 20 or diag($hub->log_text);
}

# Over the loopback each connection comes from 127.0.0.1, which is a proxy here or is none.
subtest 'fields' => sub {
	my %hub = (
		untrusted => Hub->start(args => [ '--log-level', $loud, '--trust-proxy', '10.0.0.0/8,127.0.0.2' ]),
		trusted => Hub->start(args => [ '--log-level', $loud, '--trust-proxy', '10.0.0.0/8', '--trust-proxy', '::1, 127.0.0.1' ]),
		forwarded => Hub->start(args => [ '--log-level', $loud, '--trust-proxy', '127.0.0.0/8', '--proxy-header', 'forwarded' ]),
		nobody => Hub->start(args => [ '--log-level', $loud ]));
	for my $case (
		[ 'trusted', 'X-Forwarded-For: 203.0.113.5, 198.51.100.1', '198\.51\.100\.1' ],
		[ 'trusted', 'X-Forwarded-For: [2001:db8::7]:4711, 10.1.2.3', '\[2001:db8::7\]:4711' ],
		[ 'trusted', 'X-Forwarded-For: unknown', '127\.0\.0\.1:\d+' ],
		[ 'trusted', 'Forwarded: for=203.0.113.5', '127\.0\.0\.1:\d+' ],
		[ 'untrusted', 'X-Forwarded-For: 203.0.113.5', '127\.0\.0\.1:\d+' ],
		[ 'nobody', 'X-Forwarded-For: 203.0.113.5', '127\.0\.0\.1:\d+' ],
		[ 'forwarded', 'Forwarded: for=1.2.3.4, for="[2001:db8::8]:80"', '\[2001:db8::8\]:80' ],
		[ 'forwarded', 'X-Forwarded-For: 203.0.113.5', '127\.0\.0\.1:\d+' ],
	    ) {
		my ($who, $field, $address) = @$case;
		my $hub = $hub{$who};
		my $c = $hub->ws(headers => [$field]);
		$c->frame(2, 'x');
		$c->closed;
		logged($hub, "door=ws conn=\\d+ peer=$address: 1003 text messages only", "$who: $field: of a WebSocket");
		$hub->get('/none', raw => "GET /none/" . @$case . " HTTP/1.1\r\nHost: localhost\r\n$field\r\nConnection: close\r\n\r\n");
		logged($hub, "door=http peer=$address: GET /none/3", "$who: $field: of a request");
		truncate $hub->{log} . '.err', 0;
	}
	for my $field ('Forwarded: for="', 'Forwarded: 1.2.3.4') {
		is($hub{forwarded}->get('/', raw => "GET /healthz HTTP/1.1\r\nHost: localhost\r\n$field\r\n\r\n")->{status}, 400, "$field: refused");
		is($hub{trusted}->get('/', raw => "GET /healthz HTTP/1.1\r\nHost: localhost\r\n$field\r\nConnection: close\r\n\r\n")->{status}, 200,
			"$field: where it is not looked at");
	}
	my $c = $hub{trusted}->tcp;
	$c->send_bytes(join '', map { "GET /$_ HTTP/1.1\r\nHost: localhost\r\n" . ($_ == 2 ? '' : "X-Forwarded-For: 203.0.113.$_\r\n") . "\r\n" } 1 .. 3);
	logged($hub{trusted}, 'door=http peer=203\.0\.113\.1: GET /1', 'one connection, the first client');
	logged($hub{trusted}, 'door=http peer=127\.0\.0\.1:\d+: GET /2', 'the proxy itself');
	logged($hub{trusted}, 'door=http peer=203\.0\.113\.3: GET /3', 'another client');
	$_->stop for values %hub;
};

subtest 'the PROXY protocol' => sub {
	for my $tls (0, 1) {
		my $name = $tls ? 'TLS' : 'plain';
		my $hub = Hub->start(listen => 'none', args => [ '--log-level', $loud, '--listen-proxy', '127.0.0.1:0',
			'--trust-proxy', '127.0.0.1,192.0.2.0/24', '--header-timeout', 2 * slow(),
			$tls ? ('--tls-cert', $cert, '--tls-key', $key) : () ]);
		is_deeply($hub->{ready}{listen}, [], "$name: no other address");
		my ($port) = $hub->{ready}{listen_proxy}[0] =~ /:(\d+)$/;
		my $ask = sub {
			my ($header, $bytes) = @_;
			return Hub::Client->tcp($port)->send_bytes($header . $bytes) unless $tls;
			return Hub::Client->tcp($port)->send_bytes($header) if $bytes eq '';
			# openssl connects to a relay, which says the header first.
			my $listen = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $!\n";
			spawn([ $^X, $script, fileno $listen, $port, unpack 'H*', $header ], pass => [$listen]);
			return Hub::Client->_through([ 'openssl', 's_client', '-quiet', '-CAfile', $cert, '-connect',
				'127.0.0.1:' . $listen->sockport ])->send_bytes($bytes);
		};
		my $n = 0;
		for my $case (
			[ 'IPv4', v2(1, 0x11, $client), '198\.51\.100\.1:4711' ],
			[ 'with extensions', v2(1, 0x11, $client . "\x04\0\x80" . 'x' x 128), '198\.51\.100\.1:4711' ],
			[ 'IPv6', v2(1, 0x21, pack('H32 H32 n n', '20010db8000000000000000000000007', '0' x 32, 4711, 443)),
				'\[2001:db8::7\]:4711' ],
			[ 'LOCAL', v2(0, 0, ''), '127\.0\.0\.1:\d+' ],
			[ 'UNSPEC', v2(1, 0, 'any'), '127\.0\.0\.1:\d+' ],
			[ 'a Unix socket', v2(1, 0x31, "/run/x.sock" . "\0" x 205), '127\.0\.0\.1:\d+' ],
			[ 'version 1', "PROXY TCP4 198.51.100.1 10.0.0.1 4711 443\r\n", '198\.51\.100\.1:4711' ],
			[ 'version 1 of nobody', "PROXY UNKNOWN\r\n", '127\.0\.0\.1:\d+' ],
			[ 'a proxy behind a proxy', v2(1, 0x11, pack('C4 C4 n n', 192, 0, 2, 1, 10, 0, 0, 1, 4711, 443)), '203\.0\.113\.5' ],
		    ) {
			my ($what, $header, $address) = @$case;
			my $path = '/' . ++$n;
			my $c = $ask->($header, "GET $path HTTP/1.1\r\nHost: localhost\r\n"
				. ($what =~ /behind/ ? "X-Forwarded-For: 203.0.113.5\r\n" : '') . "Connection: close\r\n\r\n");
			wait_for { $c->{complete} || $c->{gone} } "$what: an answer", undef, $c;
			is($c->{status}, 404, "$name: $what: answered");
			logged($hub, "door=http peer=$address: GET $path", "$name: $what: as whom");
		}
		for my $case (
			[ 'no header', "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" ],
			[ 'no header but TLS', "\x16\x03\x01\x02\0\x01\0" ],
			[ 'a broken one', v2(2, 0x11, $client) ],
			[ 'one that is too long', v2(1, 0x11, $client . 'x' x 5000) ],
			[ 'a line that does not end', 'PROXY UNKNOWN ' . 'x' x 200 ],
			[ 'half of one', substr v2(1, 0x11, $client), 0, 20 ],
			[ 'nothing', '' ],
		    ) {
			my ($what, $bytes) = @$case;
			my $c = Hub::Client->tcp($port)->send_bytes($bytes);
			wait_for { $c->{gone} } "$what: the end", 20, $c;
			is($c->{status}, undef, "$name: $what: ends without a word");
		}
		my $c = Hub::Client->tcp($port)->send_bytes(substr v2(1, 0x11, $client), 0, 20);
		shutdown $c->{fh}, 1;
		wait_for { $c->{gone} } 'the end', 20, $c;
		pass("$name: half of one, and an end");
		if (!$tls) {
			my $slow = Hub::Client->tcp($port);
			for my $byte (split //, v2(1, 0x11, $client) . "GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") {
				$slow->send_bytes($byte);
				pump(0.002, $slow);
			}
			wait_for { $slow->{complete} || $slow->{gone} } 'an answer', undef, $slow;
			is($slow->{status}, 404, 'byte by byte');
			logged($hub, 'door=http peer=198\.51\.100\.1:4711: GET /slow', 'as the same');
		}
		logged($hub, 'door=tcp peer=127\.0\.0\.1:\d+: a proxy: no PROXY header', "$name: what was wrong is logged");
		$hub->stop;
	}
};

subtest 'who is no proxy' => sub {
	my $hub = Hub->start(args => [ '--listen-proxy', '127.0.0.1:0', '--trust-proxy', '192.0.2.1', '--log-level', $loud ]);
	my ($port) = $hub->{ready}{listen_proxy}[0] =~ /:(\d+)$/;
	my $c = Hub::Client->tcp($port)->send_bytes(v2(1, 0x11, $client) . "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wait_for { $c->{gone} } 'the end', 20, $c;
	is($c->{status}, undef, 'gets nothing');
	like($hub->get('/metrics')->{body}, qr/^hubd_refusals_total\{reason="untrusted_proxy"\} 1$/m, 'is counted');
	logged($hub, 'door=tcp peer=127\.0\.0\.1:\d+: not a proxy that trust-proxy names', 'and named');
	my $got = $hub->tcp->send_bytes(v2(1, 0x11, $client) . "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wait_for { $got->{gone} || $got->{complete} } 'an answer', undef, $got;
	is($got->{status}, 400, 'elsewhere such a header is no request');
	$hub->stop;
};

# A slot that has said nothing makes room here too.
subtest 'many that say nothing' => sub {
	my $hub = Hub->start(listen => 'none', args => [ '--listen-proxy', '127.0.0.1:0', '--trust-proxy', '127.0.0.1', '--max-connections', 8 ]);
	my ($port) = $hub->{ready}{listen_proxy}[0] =~ /:(\d+)$/;
	my @silent = map { Hub::Client->tcp($port) } 1 .. 20;
	my $c = Hub::Client->tcp($port)->send_bytes(v2(1, 0x11, $client) . "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wait_for { $c->{gone} || $c->{complete} } 'an answer', undef, $c;
	is($c->{status}, 200, 'another one comes in');
	$hub->stop;
};

for my $case (
	[ qr/^hubd: --trust-proxy: '10\.0\.0\.0\/40': the bits of a network are 0 to 32 /, '--trust-proxy', '127.0.0.1, 10.0.0.0/40' ],
	[ qr/^hubd: --trust-proxy: 'localhost': not an IP address/, '--trust-proxy', 'localhost' ],
	[ qr/^hubd: --trust-proxy: '10\.0\.0\.1\/8': the address has more bits/, '--trust-proxy', '10.0.0.1/8' ],
	[ qr/^hubd: listen-proxy needs trust-proxy/, '--listen-proxy', '127.0.0.1:0' ],
	[ qr/^hubd: --listen-proxy: 'nonsense' is not HOST:PORT /, '--listen-proxy', 'nonsense', '--trust-proxy', '::1' ],
    ) {
	my ($like, @args) = @$case;
	my $result = Hub->refuses(@args);
	is($result->{status}, 64, "@args: bad usage");
	like($result->{err}, $like, "@args: in words");
}

done_testing;
