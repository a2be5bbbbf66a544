# With a certificate every address speaks TLS: HTTP and WebSocket work through it, and what is not TLS gets
# nothing. The Unix socket stays as it is.
use strict;
use warnings;
use Hub;

my ($key, $cert) = map { scratch() . "/$_.pem" } 'key', 'cert';
my $made = run([ 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
	'-nodes', '-keyout', $key, '-out', $cert, '-days', '2', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1' ]);
is($made->{status}, 0, 'a certificate') or BAIL_OUT($made->{err});

my $hub = Hub->start(args => [ '--tls-cert', $cert, '--tls-key', $key ]);
my @client = ('openssl', 's_client', '-quiet', '-CAfile', $cert, '-verify_return_error', '-connect',
	"127.0.0.1:$hub->{port}");

# Those who do not trust the certificate go in the middle of the handshake, and none of them counts on.
for (1 .. 5) {
	my $run = run([ 'hubbench', '-u', "wss://127.0.0.1:$hub->{port}/ws", '-c', 3 ]);
	like($run->{err}, qr/certificate: self-signed/, 'refused by clients, it still answers');
}

my $unix = $hub->member('unix', 's');
my @secure = map { Hub::Client->ws($hub->{port}, command => \@client) } 1 .. 3;
$_->join_session('s') for @secure;
$secure[0]->send({ type => 'secret' });
is($_->next->{seq}, 1, 'a record through TLS') for $unix, @secure;
$unix->send_text(map { qq({"type":"n","timestamp":$_,"x":") . 'x' x 3000 . '"}' } 1 .. 300);
for my $c (@secure) {
	wait_for { @{ $c->{in} } == 300 } 'many records';
	is_deeply([ map { /"seq":(\d+)/ } @{ $c->{in} } ], [ 2 .. 301 ], 'many records, in order');
}
$secure[1]->send_text(map { qq({"type":"m","timestamp":$_,"x":") . 'x' x 3000 . '"}' } 1 .. 100);
wait_for { @{ $unix->{in} } == 400 } 'as many the other way';
is_deeply([ map { /"seq":(\d+)/ } splice @{ $unix->{in} } ], [ 2 .. 401 ], 'and the other way');

my $plain = $hub->tcp;
$plain->send_bytes("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
wait_for { $plain->{gone} || $plain->{complete} } 'an end to plain HTTP', undef, $plain;
isnt($plain->{status} // 0, 200, 'plain HTTP gets nothing');

my $https = run([ @client, '-ign_eof' ],
	in => "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
like($https->{out}, qr{^HTTP/1\.1 200}, 'healthz through TLS');
like($https->{out}, qr/"status":"ok"/, 'whole');

# What openssl's client prefers first counts for nothing, but for ChaCha20.
for my $case (
	[ 'TLS_AES_128_GCM_SHA256', '-ciphersuites', 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256' ],
	[ 'TLS_CHACHA20_POLY1305_SHA256', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256' ],
	[ 'ECDHE-ECDSA-AES128-GCM-SHA256', '-tls1_2' ],
	[ 'ECDHE-ECDSA-AES256-GCM-SHA384', '-tls1_2', '-cipher', 'ECDHE-ECDSA-AES256-GCM-SHA384' ],
	[ 'ECDHE-ECDSA-CHACHA20-POLY1305', '-tls1_2', '-cipher', 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256' ])
{
	my ($want, @how) = @$case;
	my $shown = run([ 'openssl', 's_client', '-CAfile', $cert, @how, '-connect', "127.0.0.1:$hub->{port}" ], in => '');
	like($shown->{out}, qr/^New, TLSv1\.[23], Cipher is \Q$want\E$/m, "the cipher: $want");
}

my @cat = ($hub->hubcat([])->[0], '-u', "wss://127.0.0.1:$hub->{port}/ws", '-p', '--no-reconnect', 's');
my $cat = run(\@cat, in => qq({"type":"cat"}\n), env => { SSL_CERT_FILE => $cert });
is($cat->{status}, 0, 'hubcat over wss://') or diag($cat->{err});
is($unix->wait_type('cat')->{type}, 'cat', 'its message');
$cat = run(\@cat, in => qq({"type":"cat"}\n), env => { SSL_CERT_FILE => '/dev/null' });
isnt($cat->{status}, 0, 'hubcat trusts no unknown certificate');
is_deeply([ $unix->sync ], [], 'and says nothing to such a hub');

is(Hub->refuses('--tls-cert', $cert, '--socket', scratch() . '/x', '--listen', '127.0.0.1:0')->{status}, 64,
	'a certificate without a key is bad usage');
my $bad = Hub->refuses('--tls-cert', scratch() . '/none', '--tls-key', $key, '--socket', scratch() . '/x',
	'--listen', '127.0.0.1:0');
isnt($bad->{status}, 0, 'a certificate that is not there');
like($bad->{err}, qr/none/, 'in words');

$hub->stop;
done_testing;
