# HTTP/1.1 and the opening handshake, RFC 9110, RFC 9112 and RFC 6455 section 4: requests, and what must
# become of them. Where an RFC lets a server choose, the outcome is what hubd has chosen: the strict way.
package Hub::Battery::Requests;

use strict;
use warnings;

use Hub::Battery qw(frame);

my $ok = '/healthz';

# A request: its line, then field lines; Host by itself.
sub req { return join "\r\n", $_[0], 'Host: hub', @_[ 1 .. $#_ ], '', '' }
sub get { return req("GET $ok HTTP/1.1", @_) }
sub raw { return join "\r\n", @_, '', '' }

sub visible {
	my ($text) = @_;
	$text =~ s/([^!-~ ])/sprintf '\\x%02x', ord $1/ge;
	return length $text > 60 ? substr($text, 0, 60) . '...' : $text;
}

# Rows of one section and outcome, named by what stands in them.
sub each_of {
	my ($section, $what, $outcome, $make, @inputs) = @_;
	return map { [ $section, "$what: '" . visible($_) . "'", $make->($_), $outcome ] } @inputs;
}

sub request_lines {
	my $line = sub { return req($_[0]) };
	return (
		each_of('9112 3', 'line', '200 stay', $line, "GET $ok HTTP/1.1", "GET $ok? HTTP/1.1", "GET $ok?a=b&c HTTP/1.1",
			"GET http://hub$ok HTTP/1.1", "GET HTTP://HUB:4820$ok?x HTTP/1.1", "GET http://[::1]$ok HTTP/1.1",
			"GET http://127.0.0.1:1$ok HTTP/1.1"),
		each_of('9110 2.5', 'a later minor version', '200 stay', $line, "GET $ok HTTP/1.2", "GET $ok HTTP/1.9"),
		each_of('9110 15.6.6', 'another major version', '505 end', $line, map { "GET $ok HTTP/$_" }
			    qw(0.9 0.0 2.0 2.1 3.0 9.9)),
		each_of('9112 2.3', 'a version that is none', '400 end', $line, map { "GET $ok $_" }
			    qw(HTTP/1 HTTP/1. HTTP/.1 HTTP/11 HTTP/1.10 HTTP/01.1 HTTP/1.1.1 http/1.1 Http/1.1 HTTP1.1
			    HTTP/1.1x HTTP/1.x HTTP/-1.1 xHTTP/1.1 ICY/1.1 HTTP/ HTTP HTTPS/1.1 /1.1), 'HTTP/1,1', "HTTP/1\x00.1"),
		each_of('9112 3', 'a line that is none', '400 end', $line, "GET $ok", 'GET', "GET  $ok HTTP/1.1",
			"GET $ok  HTTP/1.1", " GET $ok HTTP/1.1", "GET $ok HTTP/1.1 ", "GET $ok HTTP/1.1 x", "GET\t$ok HTTP/1.1",
			"GET $ok\tHTTP/1.1", "GET\x0b$ok HTTP/1.1", "GET\x0c$ok HTTP/1.1", "GET $ok\rHTTP/1.1", 'GET  HTTP/1.1',
			"GET $ok x HTTP/1.1", "\x00", "GET $ok\x00 HTTP/1.1", "GET\xa0$ok HTTP/1.1", 'HTTP/1.1 200 OK',
			"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\xef\xbb\xbfGET $ok HTTP/1.1"),
		each_of('9110 9.1', 'a method we have not', '501 end', sub { req("$_[0] $ok HTTP/1.1") },
			qw(get Get gET GETS GE FOO M-SEARCH PROPFIND BREW), '!#$%&', 'X' x 1000),
		each_of('9110 5.6.2', 'a method that is no token', '400 end', sub { req("$_[0] $ok HTTP/1.1") },
			'', 'G(T', '"GET"', 'GET,', 'G/T', 'G@T', "G\xc9T", "G\x01T", 'G{T', 'GET:'),
		each_of('9112 3.2', 'a target that is none', '400 end', sub { req("GET $_[0] HTTP/1.1") },
			'healthz', '*', '?x', '#', "$ok#f", '/%', '/%4', '/%zz', '/%4g', '/<', '/>', '/"', '/\\', "/\x80", "/\xff",
			"/\x7f", "/\x01", 'ftp://hub/', 'http:/hub/', 'http:hub', 'http://', 'http:///x', 'http://:80/', 'http://h:x/',
			'http://h:99999/', 'http://u@h/', 'http://u:p@h/', 'http://[::1/', 'http://h h/', 'http://h#f', 'hub:80',
			'://hub/', "$ok?<", "$ok?\"", "$ok?\x80"),
		each_of('9112 3.2', 'what is not there', '404 stay', sub { req("GET $_[0] HTTP/1.1") },
			'/', '//', '//healthz', '/HEALTHZ', '/healthz/', '/healthz/..', '/../healthz', '/ws/', '/wss', '/%00', '/;',
			'/a;b=c', '/%2e%2e/%2e%2e/etc/passwd', "/[]^|", 'http://hub', 'http://hub/', 'http://hub?x',
			'/' . 'x' x 8000),
		[ '9112 3.2.4', 'OPTIONS *', req('OPTIONS * HTTP/1.1'), '204 stay' ],
		each_of('9112 3.2.4', '* is for OPTIONS', '400 end', sub { req("$_[0] * HTTP/1.1") }, qw(GET HEAD POST DELETE)),
		each_of('9112 3.2.3', 'CONNECT', '501 stay', sub { req("CONNECT $_[0] HTTP/1.1") },
			'hub:80', '[::1]:443', '127.0.0.1:4820'),
		each_of('9112 3.2.3', 'CONNECT to nothing', '400 end', sub { req("CONNECT $_[0] HTTP/1.1") },
			'/ws', 'hub', 'hub:', ':80', '*', 'http://hub/', 'hub:99999', 'u@hub:80'),
		[ '9112 3', 'a target that is too long', req('GET /' . 'x' x 20000 . ' HTTP/1.1'), '414 end' ],
		[ '9112 3', 'a query that is too long', req("GET $ok?" . 'x' x 20000 . ' HTTP/1.1'), '414 end' ],
		[ '9112 3', 'a target without an end', 'GET /' . 'x' x 17000, '414 end' ],
		[ '9112 3', 'a method without an end', 'G' x 17000, '501 end' ],
		[ '9110 7.4', 'https without TLS', req("GET https://hub$ok HTTP/1.1"), '421 stay' ],
		[ '9110 7.4', 'a WebSocket by https without TLS', handshake(line => 'GET https://hub/ws HTTP/1.1'),
			'421 stay' ],
		[ '9112 2.2', 'an empty line before', "\r\n" . get(), '200 stay' ],
		[ '9112 2.2', 'two empty lines before', "\r\n\r\n" . get(), '400 end' ],
		[ '9112 2.2', 'a line feed before', "\n" . get(), '400 end' ],
		[ '9112 2.2', 'a space and an empty line before', " \r\n" . get(), '400 end' ],
		[ '9113 3.4', 'the preface of HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", '(400|501|505) end' ]);
}

sub methods {
	return (
		[ '9110 9.3.1', 'GET', get(), '200 stay', { like => qr/\r\n\r\n\{.*"status":"ok".*\}\n/s } ],
		[ '9110 9.3.2', 'HEAD', req("HEAD $ok HTTP/1.1"), 'HEAD:200 stay',
			{ like => qr/^content-length: [1-9]/mi, unlike => qr/"status"/ } ],
		[ '9110 9.3.2', 'HEAD of nothing', req('HEAD /nothing HTTP/1.1'), 'HEAD:404 stay',
			{ like => qr/^content-length: [1-9]/mi, unlike => qr/not found: / } ],
		[ '9110 9.3.2', 'HEAD where a WebSocket is', req('HEAD /ws HTTP/1.1'), 'HEAD:405 stay',
			{ like => qr/^allow: GET/mi } ],
		(map { [ '9110 15.5.6', "$_ $ok", req("$_ $ok HTTP/1.1"), '405 stay', { like => qr/^allow: GET, HEAD/mi } ] }
			qw(POST PUT DELETE TRACE PATCH)),
		(map { [ '9110 15.5.6', "$_ /ws", req("$_ /ws HTTP/1.1"), '405 stay', { like => qr/^allow: GET/mi } ] }
			qw(POST PUT DELETE TRACE PATCH)),
		(map { [ '9110 9.3.7', "OPTIONS $_", req("OPTIONS $_ HTTP/1.1"), '204 stay', { like => qr/^allow: GET/mi } ] }
			$ok, '/ws', '/%68ealthz', 'http://hub/healthz', '/sessions/x/records', '/sessions/x/events?y'),
		[ '9110 15.5.5', 'OPTIONS of nothing', req('OPTIONS /nothing HTTP/1.1'), '404 stay' ],
		(map { [ '9110 15.5.6', "POST of $_", req("POST $_ HTTP/1.1"), '405 stay', { like => qr/^allow: GET, HEAD, OPTIONS\r$/mi } ] }
			'/sessions/x/events', '/sessions/x/state', '/sessions/x/state/k', '/sessions/x/presence', '/sessions'),
		[ '9110 9.3.8', 'TRACE says nothing back', req("TRACE $ok HTTP/1.1", 'X-Secret: abracadabra'), '405 stay',
			{ unlike => qr/abracadabra/ } ],
		[ '9110 7.8', 'h2c is passed over', get('Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings',
				'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'), '200 stay' ],
		[ '9110 7.8', 'an upgrade to what we have not', get('Upgrade: foo/2, TLS/1.3', 'Connection: upgrade'), '200 stay' ],
		[ '9110 7.8', 'a WebSocket where none is', handshake(path => $ok), '200 stay' ],
		[ '9110 7.8', 'a WebSocket at nothing', handshake(path => '/nothing'), '404 stay' ]);
}

sub fields {
	my $one = sub { return get($_[0]) };
	my $filler = sub { return map { "X-$_: y" } 1 .. $_[0] };
	my $fill = 16384 - length get('X: ');
	return (
		each_of('9112 5', 'field', '200 stay', $one, 'X:', 'X: ', 'X:y', "X: \t y \t ", 'X: a: b', "X: a\tb",
			"X: \xe9\xff", "!#\$%&'*+-.^_`|~X9: y", 'x: "unclosed', 'X: ' . 'y' x 10000, 'X' x 1000 . ': y', 'User-Agent: (',
			'Content-Type: what is this', 'Cookie: a=b', 'Accept: */*;q=9', 'TE: trailers', 'Range: bytes=9-1'),
		each_of('9112 5.1', 'a name that is none', '400 end', $one, 'X : y', "X\t: y", ' X: y', "\tX: y", 'X y: z', '(X): y',
			'X": y', ': y', 'X', "X\x00: y", "\xe9: y", 'X@: y', 'X[: y', 'X{: y', 'X/: y', 'X=: y', 'X;: y', 'X,: y',
			'X\\: y', 'X?: y', 'X<: y', "\x7f: y"),
		each_of('9110 5.5', 'a value that is none', '400 end', $one, "X: \x00", "X: a\x00b", "X: \x01", "X: a\x0bb",
			"X: a\x0cb", "X: a\x1bb", "X: \x7f", "X: a\rb", "X: a\nb", "X: a\r", "X: a\n\r", "X: \r\r", "X: \x08"),
		each_of('9112 5.2', 'folded', '400 end', $one, "X: a\r\n b", "X: a\r\n\tb", "X:\r\n y", "X: a\r\n  \r\nY: b"),
		[ '9112 2.2', 'line feeds alone', "GET $ok HTTP/1.1\nHost: hub\n\n", '400 end' ],
		[ '9112 2.2', 'a line feed alone at the end', "GET $ok HTTP/1.1\r\nHost: hub\r\n\n", '400 end' ],
		[ '9112 2.2', 'carriage returns alone', "GET $ok HTTP/1.1\rHost: hub\r\r", '400 end' ],
		[ '9112 2.2', 'two carriage returns', "GET $ok HTTP/1.1\r\r\nHost: hub\r\n\r\n", '400 end' ],
		[ '9112 2.2', 'white space before the fields', "GET $ok HTTP/1.1\r\n Host: hub\r\n\r\n", '400 end' ],
		[ '6585 5', 'a hundred fields', get($filler->(99)), '200 stay' ],
		[ '6585 5', 'one field more', get($filler->(100)), '431 end' ],
		[ '6585 5', 'a thousand fields', get($filler->(1000)), '431 end' ],
		[ '6585 5', 'twenty thousand fields', get(('X: y') x 20_000), '431 end' ],
		[ '6585 5', 'as many bytes as may be', get('X: ' . 'y' x $fill), '200 stay' ],
		[ '6585 5', 'one byte more', get('X: ' . 'y' x ($fill + 1)), '431 end' ],
		[ '6585 5', 'a large field', get('X: ' . 'y' x 100_000), '431 end' ],
		[ '6585 5', 'a name without an end', "GET $ok HTTP/1.1\r\n" . 'X' x 17000, '431 end' ],
		[ '9112 3.2', 'no Host', raw("GET $ok HTTP/1.1"), '400 end' ],
		[ '9112 3.2', 'no Host with an absolute target', raw("GET http://hub$ok HTTP/1.1"), '400 end' ],
		[ '9112 3.2', 'two Hosts', get('Host: other'), '400 end' ],
		[ '9112 3.2', 'the same Host twice', get('Host: hub'), '400 end' ],
		[ '9112 3.2', 'two Hosts in HTTP/1.0', raw("GET $ok HTTP/1.0", 'Host: a', 'Host: b'), '400 end' ],
		[ '9112 3.2.2', 'another Host than the target', req("GET http://other$ok HTTP/1.1"), '200 stay' ],
		each_of('9112 3.2', 'Host', '200 stay', sub { raw("GET $ok HTTP/1.1", "$_[0]") }, 'Host: hub', 'Host:', 'Host: hub:',
			'Host: hub:80', 'hOsT: HUB', 'HOST:127.0.0.1:4820', 'Host: [::1]', 'Host: [::ffff:1.2.3.4]:80', 'Host: a.b-c_d~e',
			"Host:\t hub \t", 'Host: %41', 'Host: [1:2:3:4:5:6:7:8]', 'Host: h:65535'),
		each_of('9112 3.2', 'a Host that is none', '400 end', sub { raw("GET $ok HTTP/1.1", "Host: $_[0]") }, 'a b', 'a/b',
			'u@h', 'h:port', 'h:99999', 'h:65536', 'h:-1', '[::1', '::1', '[::1]x', '[::1]:x', '[]', '[1:2]', '[:::]',
			'[1:2:3:4:5:6:7:8:9]', '[fe80::1%25eth0]', '[::1.2.3.256]', '[g::]', 'h?', 'h#', 'h\\', 'h<', '"h"', "\xc3\xa9",
			'%zz', '%', 'h:80:80', 'http://h'));
}

sub connections {
	my $conn = sub { return get("Connection: $_[0]") };
	return (
		each_of('9112 9.6', 'Connection', '200 end', $conn, 'close', 'Close', 'CLOSE', 'keep-alive, close',
			'close, keep-alive', ',close', 'close,', 'x,,close', " close\t", 'Upgrade, close'),
		each_of('9112 9.3', 'Connection', '200 stay', $conn, 'keep-alive', '', 'x', 'clos', 'close-x', '"close"', 'closed',
			'keep-alive, Upgrade', ',,,'),
		[ '9112 9.3', 'Connection twice', get('Connection: x', 'Connection: close'), '200 end' ],
		[ '9112 9.3', 'Keep-Alive alone', get('Keep-Alive: timeout=5'), '200 stay' ],
		[ '9112 9.3', 'Proxy-Connection is nothing', get('Proxy-Connection: close'), '200 stay' ],
		[ '9112 9.3', 'HTTP/1.0', raw("GET $ok HTTP/1.0"), '200 end' ],
		[ '9112 9.3', 'HTTP/1.0 with a Host', req("GET $ok HTTP/1.0"), '200 end' ],
		[ '9112 9.3', 'HTTP/1.0 that goes on', raw("GET $ok HTTP/1.0", 'Connection: keep-alive'), '200 stay',
			{ like => qr/^connection: keep-alive\r$/mi } ],
		[ '9112 9.3', 'HTTP/1.0 that goes on and closes', raw("GET $ok HTTP/1.0", 'Connection: keep-alive, close'),
			'200 end' ],
		[ '9112 9.3', 'HEAD of HTTP/1.0', raw("HEAD $ok HTTP/1.0"), 'HEAD:200 end' ],
		[ '9112 9.6', 'says that it closes', get('Connection: close'), '200 end', { like => qr/^connection: close\r$/mi } ],
		(map { [ '9112 9.3.2', "$_ in one go", get() x $_, "200*$_ stay" ] } 2, 3, 10, 100, 1000),
		[ '9112 9.3.2', 'different ones', get() . req('GET /no HTTP/1.1') . req("POST $ok HTTP/1.1"), '200 404 405 stay' ],
		[ '9112 9.3.2', 'HEAD among others', get() . req("HEAD $ok HTTP/1.1") . get(), '200 HEAD:200 200 stay' ],
		[ '9112 9.3.2', 'OPTIONS among others', get() . req('OPTIONS * HTTP/1.1') . get(), '200 204 200 stay' ],
		[ '9112 9.6', 'nothing behind a close', get() . get('Connection: close') . get() x 5, '200 200 end' ],
		[ '9112 9.6', 'no mess behind a close', get('Connection: close') . "\x00\r\n", '200 end' ],
		[ '9112 9.6', 'nothing behind HTTP/1.0', raw("GET $ok HTTP/1.0") . get(), '200 end' ],
		[ '9112 9.3.2', 'a mistake behind good ones', get() . get('X : y') . get(), '200 400 end' ],
		[ '9112 9.3.2', 'a version behind good ones', get() x 2 . req("GET $ok HTTP/2.0") . get(), '200 200 505 end' ],
		[ '9112 2.2', 'an empty line between', get() . "\r\n" . get(), '200 200 stay' ],
		[ '9112 2.2', 'two empty lines between', get() . "\r\n\r\n" . get(), '200 400 end' ],
		[ '9112 9.3.2', 'a WebSocket behind others', get() . handshake(), '200 101 stay' ],
		[ '9112 9.3.2', 'a WebSocket at the second try', handshake(version => 12) . handshake(), '426 101 stay' ],
		[ '9112 9.3.2', 'no WebSocket after a bad try', handshake(key => 'x') . handshake(), '400 end' ]);
}

sub post {
	my ($body, @fields) = @_;
	return req('POST /nothing HTTP/1.1', @fields) . $body;
}

sub chunked { return post($_[0], 'Transfer-Encoding: chunked') }

# The answer to a head does not wait for what it carries; behind a body that is none there is no other.
sub bodies {
	my $length = sub { return post('hello', "Content-Length: $_[0]") };
	my $coding = sub { return post("0\r\n\r\n", "Transfer-Encoding: $_[0]") };
	my $end = "0\r\n\r\n";
	return (
		each_of('9110 8.6', 'Content-Length', '404 stay', $length, '5', '005', " 5\t", '0' x 50 . '5'),
		[ '9110 8.6', 'no content', post('', 'Content-Length: 0'), '404 stay' ],
		[ '9110 8.6', 'neither length nor coding', post(''), '404 stay' ],
		[ '9110 9.3.1', 'GET with content', get('Content-Length: 5') . 'hello', '200 stay' ],
		[ '9110 9.3.2', 'HEAD with content', req("HEAD $ok HTTP/1.1", 'Content-Length: 5') . 'hello', 'HEAD:200 stay' ],
		[ '9110 9.3.7', 'OPTIONS with content', req('OPTIONS * HTTP/1.1', 'Content-Length: 5') . 'hello', '204 stay' ],
		[ '9112 6.2', 'content that looks like a request', post(get(), 'Content-Length: ' . length get()), '404 stay' ],
		[ '9112 6.2', 'less content than a request behind it', post('GET', 'Content-Length: 3') . get(), '404 200 stay' ],
		[ '9112 6.2', 'more content than was said', post("hello\r\n", 'Content-Length: 3'), '404 400 end' ],
		[ '9112 6.2', '65536 bytes', post('x' x 65536, 'Content-Length: 65536'), '404 stay' ],
		[ '9110 15.5.14', '65537 bytes', post('', 'Content-Length: 65537'), '413 end' ],
		[ '9110 15.5.14', 'a megabyte', post('x' x 900_000, 'Content-Length: 1000000'), '413 end' ],
		[ '9110 15.5.14', 'all there is', post('', 'Content-Length: 9223372036854775807'), '413 end' ],
		each_of('9110 8.6', 'a Content-Length that is none', '400 end', $length, '', 'x', '-5', '+5', '5.0', '5e0', '0x5', '5 5',
			'5,5', '5, 5', '5,6', ',5', '5,', '"5"', '9223372036854775808', '18446744073709551616', '18446744073709551621',
			'9' x 100, "5\x0b", '5;'),
		[ '9112 6.3', 'the same length twice', post('hello', ('Content-Length: 5') x 2), '400 end' ],
		[ '9112 6.3', 'two lengths', post('hello', 'Content-Length: 5', 'Content-Length: 6'), '400 end' ],
		[ '9112 6.3', 'a length and a coding', post($end, 'Content-Length: 5', 'Transfer-Encoding: chunked'), '400 end' ],
		[ '9112 6.3', 'a coding and a length', post($end, 'Transfer-Encoding: chunked', 'Content-Length: 5'), '400 end' ],
		[ '9112 6.3', 'a length of 0 and a coding', post($end, 'Content-Length: 0', 'Transfer-Encoding: chunked') . get(),
			'400 end' ],
		[ '9112 6.1', 'a coding in HTTP/1.0', req('POST /no HTTP/1.0', 'Transfer-Encoding: chunked') . $end, '400 end' ],
		each_of('9112 7', 'coding', '404 stay', $coding, 'chunked', 'Chunked', 'CHUNKED', " chunked\t"),
		each_of('9112 6.3', 'a coding that is not chunked at last', '400 end', $coding, 'gzip', 'identity', 'xchunked',
			'chunked, identity', 'chunked, gzip', 'chunked x', 'chunked;q=1', '"chunked"', '', 'chunke', "chunked\x0b"),
		each_of('9112 6.1', 'a coding we have not', '501 end', $coding, 'gzip, chunked', 'identity, chunked', 'x,chunked'),
		each_of('9112 7', 'chunked twice', '400 end', $coding, 'chunked, chunked', 'chunked, gzip, chunked'),
		[ '9112 7', 'chunked in two lines', post($end, ('Transfer-Encoding: chunked') x 2), '400 end' ],
		each_of('9112 7.1', 'chunks', '404 stay', \&chunked, $end, "5\r\nhello\r\n$end", "5\r\nhello\r\n1\r\n!\r\n$end",
			"0005\r\nhello\r\n0000\r\n\r\n", "a\r\n0123456789\r\nA\r\n0123456789\r\n$end", "1F\r\n" . 'x' x 31 . "\r\n$end",
			"00000000000000005\r\nhello\r\n$end" =~ s/^0//r, "5;x\r\nhello\r\n$end", "5;x=y\r\nhello\r\n$end",
			"5;x=\"y;z\"\r\nhello\r\n$end", "5;;\r\nhello\r\n$end", "5 ;x\r\nhello\r\n$end", "5\t;x\r\nhello\r\n$end",
			"0;x\r\n\r\n", "0\r\nX: y\r\n\r\n", "0\r\nX:\r\nY: \xff\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n",
			"2\r\n\r\n\r\n$end", "3\r\n0\r\n\r\n$end", "1\r\nx\r\n" x 200 . $end, "10000\r\n" . 'x' x 65536 . "\r\n$end"),
		each_of('9112 7.1', 'chunks that are none', '404 end', \&chunked, "\r\n", "g\r\n", "-5\r\nhello\r\n$end",
			"+5\r\nhello\r\n$end", "0x5\r\nhello\r\n$end", " 5\r\nhello\r\n$end", "5 \r\nhello\r\n$end", "5\x0b\r\nhello\r\n$end",
			"5\nhello\n0\n\n", "5\r\nhello\n$end", "5\r\nhello$end", "5\r\nhellox\r\n$end", "4\r\nhello\r\n$end",
			"6\r\nhello\r\n$end", "5\rhello\r\n$end", "5;x\nhello\r\n$end", "5;\x00\r\nhello\r\n$end", "5 x\r\nhello\r\n$end",
			"8000000000000000\r\nx", "ffffffffffffffff\r\nx", "10000000000000000\r\nx", '0' x 17 . "5\r\nhello\r\n$end",
			"\x00\r\n", "5,5\r\nhello\r\n$end", "5\r\r\nhello\r\n$end", '5;' . 'x' x 5000 . "\r\nhello\r\n$end"),
		[ '9112 7.1', 'chunks of more than is taken', chunked("10001\r\n" . 'x' x 65537 . "\r\n$end"), '404 end' ],
		[ '9112 7.1', 'a chunk of more than is taken', chunked("fffffff\r\n" . 'x' x 70000), '404 end' ],
		each_of('9112 7.1.2', 'trailers that are none', '404 end', \&chunked, "0\r\nX\r\n\r\n", "0\r\nX : y\r\n\r\n",
			"0\r\n: y\r\n\r\n", "0\r\nX: y\r\n z\r\n\r\n", "0\r\nX: \x00\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\n\n", "0\r\nX: y\r\n\n",
			"0\r\n\r\r\n", "0\r\nX: " . 'y' x 5000 . "\r\n\r\n"),
		[ '9112 7.1', 'a request behind chunks', chunked("5\r\nhello\r\n$end") . get(), '404 200 stay' ],
		[ '9112 7.1.2', 'a request behind trailers', chunked("0\r\nX: y\r\n\r\n") . get(), '404 200 stay' ],
		[ '9112 11.2', 'a request in the chunks', chunked(sprintf("%x\r\n%s\r\n%s", length get(), get(), $end)), '404 stay' ],
		[ '9110 10.1.1', 'Expect, the body waits', post('', 'Content-Length: 5', 'Expect: 100-continue'), '404 end' ],
		[ '9110 10.1.1', 'Expect, the body comes', post('hello', 'Content-Length: 5', 'Expect: 100-Continue'), '404 end' ],
		[ '9110 10.1.1', 'Expect with chunks', post('', 'Transfer-Encoding: chunked', 'Expect: 100-continue'), '404 end' ],
		[ '9110 10.1.1', 'Expect without a body', get('Expect: 100-continue'), '200 stay' ],
		[ '9110 10.1.1', 'Expect with no content', post('', 'Content-Length: 0', 'Expect: 100-continue'), '404 stay' ],
		[ '9110 10.1.1', 'Expect in HTTP/1.0', req('POST /no HTTP/1.0', 'Content-Length: 5', 'Expect: 100-continue')
			    . 'hello', '404 end' ],
		[ '9110 5.6.1', 'Expect with an empty element', get('Expect: 100-continue,'), '200 stay' ],
		each_of('9110 10.1.1', 'an expectation that is none', '417 end', sub { get("Expect: $_[0]") },
			'200-ok', '100-continue, x', '100', 'x=y'));
}

# line or path; drop => { field => 1 }; upgrade, connection, key, version, host: other values; more => [lines];
# behind => bytes
sub handshake {
	my (%o) = @_;
	my $drop = $o{drop} || {};
	my @fields = (
		[ Host => $o{host} // 'hub' ], [ Upgrade => $o{upgrade} // 'websocket' ],
		[ Connection => $o{connection} // 'Upgrade' ],
		[ 'Sec-WebSocket-Key' => $o{key} // 'dGhlIHNhbXBsZSBub25jZQ==' ],
		[ 'Sec-WebSocket-Version' => $o{version} // 13 ]);
	my $path = $o{path} // '/ws';
	return raw($o{line} // "GET $path HTTP/1.1", (map { "$_->[0]: $_->[1]" } grep { !$drop->{ $_->[0] } } @fields),
		@{ $o{more} || [] }) . ($o{behind} // '');
}

sub upgrades {
	my $hs = sub { my ($name) = @_; return sub { handshake($name => $_[0]) } };
	my $s = '6455 4.2.1';
	my $offer = sub { return handshake(more => [ map { "Sec-WebSocket-Protocol: $_" } @_ ]) };
	my $hub = qr/^sec-websocket-protocol: hub\r$/mi;
	my $any = qr/^sec-websocket-protocol/mi;
	return (
		[ '6455 1.3', 'the example', handshake(), '101 stay',
			{ like => qr/^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/mi, unlike => $any } ],
		[ $s, 'a frame right behind', handshake(behind => frame(10, 'early')), '101 stay' ],
		[ $s, 'a query', handshake(path => '/ws?token=x'), '101 stay' ],
		[ '9112 3.2.2', 'an absolute target', handshake(line => 'GET http://hub/ws HTTP/1.1'), '101 stay' ],
		each_of($s, 'Upgrade', '101 stay', $hs->('upgrade'), 'WebSocket', 'WEBSOCKET', 'h2c, websocket', 'websocket, x/1',
			',websocket,', " websocket\t", 'a,b,c,d,websocket'),
		each_of($s, 'Upgrade', '426 stay', $hs->('upgrade'), 'websockets', 'web socket', 'h2c', '', '"websocket"', 'websocket/13',
			'websocket;x', 'x websocket'),
		each_of($s, 'Connection', '101 stay', $hs->('connection'), 'upgrade', 'UPGRADE', 'keep-alive, Upgrade',
			'Upgrade,keep-alive', ',Upgrade', 'Upgrade,', 'x,, upgrade ,y', 'Upgrade, close'),
		each_of($s, 'Connection', '400 end', $hs->('connection'), 'keep-alive', '', 'upgrades', '"upgrade"', 'up grade', 'close'),
		[ $s, 'Upgrade in two lines', handshake(upgrade => 'h2c', more => ['Upgrade: websocket']), '101 stay' ],
		[ $s, 'Upgrade twice', handshake(more => ['Upgrade: websocket']), '101 stay' ],
		[ $s, 'Connection in two lines', handshake(connection => 'keep-alive', more => ['Connection: Upgrade']), '101 stay' ],
		[ $s, 'no Upgrade', handshake(drop => { Upgrade => 1 }), '426 stay' ],
		[ $s, 'no Connection', handshake(drop => { Connection => 1 }), '400 end' ],
		[ $s, 'no key', handshake(drop => { 'Sec-WebSocket-Key' => 1 }), '400 end' ],
		[ $s, 'no version', handshake(drop => { 'Sec-WebSocket-Version' => 1 }), '426 stay' ],
		[ $s, 'no Host', handshake(drop => { Host => 1 }), '400 end' ],
		[ $s, 'an empty Host', handshake(host => ''), '400 end' ],
		[ $s, 'nothing but GET', req('GET /ws HTTP/1.1'), '426 stay' ],
		[ $s, 'names in other cases', handshake() =~ s/(Sec-WebSocket-\w+|Upgrade|Connection|Host):/\U$1:/gr, '101 stay' ],
		[ $s, 'names in lower case', handshake() =~ s/^([\w-]+):/\L$1:/gmr, '101 stay' ],
		[ $s, 'fields the other way round', do {
				my ($first, @lines) = split /\r\n/, handshake();
				raw($first, reverse @lines);
			}, '101 stay' ],
		each_of($s, 'key', '101 stay', $hs->('key'), 'AAAAAAAAAAAAAAAAAAAAAA==', '/////////////////////w==',
			'+++++++++++++++++++++g==', ' dGhlIHNhbXBsZSBub25jZQ== ', 'x3JJHMbDL1EzLkh9GBhXDw=='),
		each_of($s, 'a key that is none', '400 end', $hs->('key'), '', 'x', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZQ=',
			'dGhlIHNhbXBsZSBub25jZQ===', 'dGhlIHNhbXBsZSBub25jZQ==x', 'AAAAAAAAAAAAAAAAAAAAAAA=', 'AAAAAAAAAAAAAAAAAAAAAAAA',
			'AAAAAAAAAAAAAAAAAAAA', '!!!!!!!!!!!!!!!!!!!!!!==', '----------------------==', 'dGhlIHNhbXBsZSBub25jZQ==,x',
			'dGhlIHNhbX BsZSBub25jZQ==', 'A' x 1000, '=' x 24, 'dGhlIHNhbXBsZSBub25j=Q=='),
		[ $s, 'two keys', handshake(more => ['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']), '400 end' ],
		[ $s, 'the same key twice', handshake(more => ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']), '400 end' ],
		(map { [ '6455 4.4', "version '$_'", handshake(version => $_), '426 stay',
				{ like => qr/^sec-websocket-version: 13\r$/mi } ] }
			0, 1, 6, 7, 8, 12, 14, 25, 130, 255, 256, '013', '+13', '13.0', '', 'x', '13, 8', '8, 13', '1 3'),
		[ '6455 11.3.5', 'version twice', handshake(more => ['Sec-WebSocket-Version: 13']), '400 end' ],
		[ '9110 15.5.22', 'says which upgrade', req('GET /ws HTTP/1.1'), '426 stay',
			{ like => qr/^upgrade: websocket\r\n(?:.*\r\n)*?connection: upgrade\r$/mi } ],
		[ $s, 'HTTP/1.0', handshake(line => 'GET /ws HTTP/1.0'), '(400|426|505) end' ],
		[ $s, 'HTTP/1.2', handshake(line => 'GET /ws HTTP/1.2'), '101 stay' ],
		(map { [ $s, "by $_", handshake(line => "$_ /ws HTTP/1.1"), '405 stay' ] } qw(POST PUT DELETE PATCH TRACE)),
		[ $s, 'by HEAD', handshake(line => 'HEAD /ws HTTP/1.1'), 'HEAD:405 stay' ],
		[ $s, 'by get', handshake(line => 'get /ws HTTP/1.1'), '501 end' ],
		[ $s, 'with content', handshake(more => ['Content-Length: 5'], behind => 'hello'), '400 end' ],
		[ $s, 'with chunks', handshake(more => ['Transfer-Encoding: chunked'], behind => "0\r\n\r\n"), '400 end' ],
		[ $s, 'with no content', handshake(more => ['Content-Length: 0']), '101 stay' ],
		[ $s, 'with an origin', handshake(more => ['Origin: null']), '101 stay' ],
		[ '6455 9.1', 'extensions are passed over', handshake(more => [
				'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame' ]),
			'101 stay' ],
		[ '6455 9.1', 'an extension that is none', handshake(more => ['Sec-WebSocket-Extensions: ;;,,="']), '400 end' ],
		(map { [ '6455 4.2.2', "protocols: " . join(' + ', map { "'$_'" } @$_), $offer->(@$_), '101 stay', { like => $hub } ] }
			['hub'], ['hub, chat'], ['chat, hub'], ['chat,hub'], [ 'chat', 'hub' ], [ 'hub', 'chat' ], [ 'hub', 'hub' ],
			[ 'a, b', 'c, hub, d' ], ["chat\t,\thub"]),
		(map { [ '6455 4.2.2', "protocols: '$_'", $offer->($_), '101 stay', { unlike => $any } ] }
			'chat', 'HUB', 'Hub', 'hubs', 'a, b, c', 'hub2, xhub', '!#$%&'),
		(map { [ '9110 5.6.1', "protocols: '$_'", $offer->($_), '101 stay', { like => $hub } ] }
			'hub,', ',hub', 'chat,,hub', 'chat, ,hub, '),
		each_of('6455 4.1', 'protocols that are none', '400 end', $offer, 'a b', '"hub"', 'hub;x', 'hub, (x)', 'a/b', "h\xfcb",
			'hub, a=b', '{hub}', '', ','));
}

sub groups {
	return (
		[ 'handshake', [ upgrades() ] ], [ 'request lines', [ request_lines() ] ], [ 'methods', [ methods() ] ],
		[ 'fields', [ fields() ] ], [ 'bodies', [ bodies() ] ], [ 'connections', [ connections() ] ]);
}

1;
