# How hubbench ends: told to, before its time; with nobody there; asked for what cannot be; and through TLS.
use strict;
use warnings;
use Hub;
use Hub::Bench;
use POSIX ();

my $hub = Hub->start;
my $url = "ws://127.0.0.1:$hub->{port}/ws";

sub start_bench {
	my ($file, @args) = @_;
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubbench", '-u', $url, '--json', $file, @args ]);
	wait_for { slurp($file) =~ /\n/ || !$proc->running } 'a second of it';
	return $proc;
}

for my $signal (qw(INT TERM)) {
	subtest "SIG$signal" => sub {
		my $file = scratch() . "/$signal.json";
		my $proc = start_bench($file, '-c', 10, '-r', 500, '-d', 3600, '--warmup', 0.1);
		$proc->kill($signal);
		is($proc->wait >> 8, 0, 'exit 0');
		my $r = unjson((split /\n/, slurp($file))[-1]);
		is($r->{type}, 'hubbench_result', 'a result');
		ok($r->{happened}{interrupted}, 'which says that it was interrupted');
		cmp_ok($r->{happened}{seconds}, '<', 3600, 'before the time it had');
		is(audit_of({ result => $r }), '', 'what was under way has arrived');
		cmp_ok($r->{happened}{sent}, '>', 0, 'and counts');
		like(slurp($proc->{out}), qr/^verdict /m, 'and for people');
	};
}

subtest 'while clients connect' => sub {
	my $file = scratch() . '/early.json';
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubbench", '-u', $url, '--json', $file, '-c', 1000, '--ramp', 100 ]);
	wait_for { $hub->health->{connections} >= 4 } 'some to be there';
	$proc->kill('INT');
	is($proc->wait >> 8, 0, 'exit 0');
	my $h = unjson((split /\n/, slurp($file))[-1])->{happened};
	cmp_ok($h->{clients_joined}, '>=', 3, 'who was there counts');
	is($h->{clients_failed}, 0, 'who had not come yet has not failed');
};

subtest 'a second signal' => sub {
	my $server = wrong_server(lose => 2);
	my $file = scratch() . '/second.json';
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubbench", '-u', $server->{url}, '--dialect', 'raw', '--json', $file,
		'-d', 3600, '--warmup', 0, '--drain', 3600 ]);
	wait_for { slurp($file) =~ /\n/ } 'a second of it';
	$proc->kill('INT');
	my $told = 0;
	wait_for { $proc->kill('INT') if $told++; !$proc->running } 'its end';
	is($proc->wait >> 8, 1, 'ends at once, with what it has');
	like(slurp($file), qr/"type":"hubbench_result"/, 'a result');
};

subtest 'nobody there' => sub {
	for my $nowhere ('ws://' . own_address() . ':4820/ws', 'unix:' . scratch() . '/none') {
		my $run = run([ 'hubbench', '-u', $nowhere, '-c', 3 ]);
		is($run->{status}, 69, "$nowhere: exit 69");
		like($run->{err}, qr/^hubbench: \Q$nowhere\E: client \d: connect: .+\n\z/, 'one line says why');
	}
	my $run = run([ 'hubbench', '-u', "ws://127.0.0.1:$hub->{port}/nowhere", '-c', 3 ]);
	is($run->{status}, 69, 'a wrong path: exit 69');
	like($run->{err}, qr/nowhere: the server speaks hub at the path \/ws\n\z/, 'and where it is');
};

for my $case (
	[ 'http://x', '-u', 'http://x' ],
	[ 'scenario', '--scenario', 'nonsense' ],
	[ 'dialect', '--dialect', 'nonsense' ],
	[ '-r', '-r', 'fast' ],
	[ '--ramp', '--ramp', '5/h' ],
	[ '-b', '-b', '20' ],
	[ '-s', '-c', '2', '-s', '3' ],
	[ '--publishers', '-c', '2', '--publishers', '3' ],
	[ '--closed', '--closed', '3', '-r', '5' ],
	[ '--closed', '--closed', '5000', '--acks' ],
	[ '--acks', '--acks', '--dialect', 'raw' ],
	[ '--no-echo', '--no-echo' ],
	[ '--churn', '--churn', '5' ],
	[ '--slow', '--slow', '5' ],
	[ '--expect', '--expect', 'p99' ],
	[ '--expect', '--scenario', 'search' ],
	[ '--pid', '--expect', 'rss<1GiB' ],
	[ '--pid', '--expect', 'bytes_per_client<2KiB' ],
	[ '--pid', '--expect', 'deliveries_per_cpu_s>1' ],
	[ '--compare', '--expect', 'p99<=1.2*base' ],
	[ 'no number', '--expect', 'p99<=bas' ],
	[ '--report', '--report', 'x.txt' ],
	[ '--pid', '--pid', '1,x' ],
	[ '--json', '--json', 'x.svg', '--report', 'x.svg' ],
	[ '--header', '--header', 'no colon' ],
	[ '--header', '--header', "a: b\r\nc: d" ],
	[ '--join', '--join', 'hello' ],
	[ '--room', '--room', 'r' ],
	[ 'mark', '--message', 'nothing in it' ],
	[ '-s', '--dialect', 'raw', '-c', 4, '-s', '2' ],
	[ 'argument', 'operand' ],
    ) {
	my ($about, @args) = @$case;
	my $run = run([ 'hubbench', '-u', $url, @args ]);
	is($run->{status}, 64, "@args: exit 64");
	like($run->{err}, qr/^hubbench: [^\n]*\Q$about\E[^\n]*\n\z/i, 'one line, which names it');
}

subtest 'what it cannot have' => sub {
	my $run = run([ 'sh', '-c', 'ulimit -n 200; exec "$@"', 'sh', "$ENV{HUB_BUILD}/hubbench", '-u', $url, '-c', 1000 ]);
	is($run->{status}, 71, 'more clients than descriptors');
	like($run->{err}, qr/ulimit -n \d+/, 'and the remedy');
	$run = run([ 'hubbench', '-u', $url, '--json', '/nonexistent/file' ]);
	is($run->{status}, 73, 'a file that cannot be');
	$run = run([ 'hubbench', '-u', $url, '--play', '/nonexistent/file' ]);
	is($run->{status}, 74, 'a recording that is not there');
	$run = run([ 'hubbench', '-u', $url, '--play', spew(scratch() . '/bad', qq({"type":"x"}\n)) ]);
	is($run->{status}, 65, 'a recording that is none');
	$run = run([ 'hubbench', '-u', $url, '--compare', '/nonexistent/file' ]);
	is($run->{status}, 66, 'a result that is not there');
	$run = run([ 'hubbench', '-u', $url, '--pid', "$$,2147483647" ]);
	is($run->{status}, 69, 'a process that is not there');
	like($run->{err}, qr/^hubbench: --pid: there is no process 2147483647$/m, 'and which');
};

subtest 'what it cannot write' => sub {
	my $bench = "$ENV{HUB_BUILD}/hubbench -u $url -c 2 -d 0.2 --warmup 0";
	for my $to ('>/dev/full', '--json /dev/full', '--json - >/dev/full') {
		my $run = run([ 'sh', '-c', "$bench $to" ]);
		is($run->{status}, 74, "$to: exit 74");
		like($run->{err}, qr/No space left on device/, 'and why');
	}
	my $err = scratch() . '/err';
	my $run = run([ 'sh', '-c', "{ $bench -d 1.5 --json - 2>'$err'; echo \$? >&2; } | head -1" ]);
	is($run->{err}, "0\n", 'exit 0 where nobody reads standard output any more');
	unlike(slurp($err), qr/^hubbench: /m, 'and not a word of it');
};

subtest 'an output that nobody takes' => sub {
	my $fifo = scratch() . '/fifo';
	POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!";
	my $proc = spawn([ "$ENV{HUB_BUILD}/hubbench", '-u', $url, '--json', $fifo ]);
	wait_for { slurp("/proc/$proc->{pid}/stat") =~ /\(hubbench\) S/ } 'its waiting';
	$proc->kill('INT');
	is($proc->wait & 127, 2, 'is interrupted');
};

subtest 'nothing but refusals' => sub {
	my $run = bench($url, '-d', 0.2, '--warmup', 0, '-c', 2, '--message', '{mark}');
	is($run->{status}, 1, 'exit 1');
	is($run->{result}{verdict}, 'failed', 'failed');
	like($run->{result}{verdict_why}, qr/refused/, 'and why');
};

subtest 'what is expected' => sub {
	my @short = ('-d', 0.2, '--warmup', 0, '-c', 5);
	is(bench($url, @short, '--expect', 'lost==0', '--expect', 'delivered>=50')->{status}, 0, 'is so');
	is(bench($url, @short, '--expect', 'lost==0', '--expect', 'delivered>1e9')->{status}, 1, 'or is not');
};

subtest 'through TLS' => sub {
	my ($key, $cert) = map { scratch() . "/$_.pem" } 'key', 'cert';
	my $made = run([ 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
		'-keyout', $key, '-out', $cert, '-days', '2', '-subj', '/CN=localhost', '-addext',
		'subjectAltName=DNS:localhost,IP:127.0.0.1' ]);
	is($made->{status}, 0, 'a certificate');
	my $secure = Hub->start(args => [ '--tls-cert', $cert, '--tls-key', $key ]);
	my $wss = "wss://127.0.0.1:$secure->{port}/ws";
	my @short = ('-d', 0.5, '--warmup', 0, '-c', 20, '-r', 200);
	local $ENV{SSL_CERT_FILE} = $cert;
	my $run = bench($wss, @short, '-b', 3000);
	is($run->{status}, 0, 'exit 0') or diag($run->{err});
	is(audit_of($run), '', 'all came');
	is($run->{result}{audit}{delivered}, 100 * 20, 'each to each');
	is($run->{result}{latency_ns}{tls}{n}, 20, 'and each handshake is timed');
	delete local $ENV{SSL_CERT_FILE};
	$run = bench($wss, @short);
	is($run->{status}, 69, 'a certificate that nobody vouches for is refused');
	like($run->{err}, qr/certificate: self-signed/, 'and it says so');
	# The hub does not mind handshakes that fail.
	$run = bench($wss, @short, '--insecure');
	is($run->{status}, 0, 'any certificate will do where that is allowed') or diag($run->{err});
	$secure->stop;
};

$hub->stop;
done_testing;
