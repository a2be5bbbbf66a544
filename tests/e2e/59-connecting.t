# One thread.
# What there is between a client and its hub: a proxy, TLS with a certificate of the client's own, a password. The
# options for it have the same names in all programs, and do the same.
use strict;
use warnings;
use Hub;
use Hub::Connect;
use Hub::Proxy;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);

delete @ENV{qw(http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY)};
my $pem = Hub::Proxy::certificate();
my $hub = Hub->start(args => [ '--tls-cert', $pem->{cert}, '--tls-key', $pem->{key} ]);
my $plain = Hub->start;
$ENV{SSL_CERT_FILE} = $pem->{ca};
my $url = "wss://127.0.0.1:$hub->{port}/ws";

my $recording = scratch() . "/played.ndjson";
my $recorder = spawn([ "$ENV{HUB_BUILD}/hubreplay", 'record', '-u', "unix:$plain->{socket}", '-o', $recording, 'take' ]);
wait_for { -s $recording } 'the recorder to have joined';
run($plain->hubcat([qw(-p take)]), in => qq({"type":"t"}\n));
wait_for { slurp($recording) =~ /"type":"t"/ } 'a record';
$recorder->kill('TERM');
$recorder->wait;

# How each program says a word to the hub at URL, with these options; {status}, {err}.
my %says = (
	hubcat => sub { run([ 'hubcat', '-u', $_[0], @_[ 1 .. $#_ ], qw(-p --no-reconnect s) ], in => qq({"type":"t"}\n)) },
	'hubcat --stats' => sub { run([ 'hubcat', '--stats', '-u', $_[0], @_[ 1 .. $#_ ], qw(-n 1) ]) },
	'hubreplay play' => sub { run([ 'hubreplay', 'play', '-u', $_[0], @_[ 1 .. $#_ ], qw(--fast --as s), $recording ]) },
	hubbench => sub { run([ 'hubbench', '-u', $_[0], @_[ 1 .. $#_ ], qw(-c 3 -d 0.2 --warmup 0 --expect lost==0) ]) },
);
# Those that end where there is no connection.
my @ends = ('hubcat', 'hubcat --stats', 'hubbench');

subtest 'a proxy' => sub {
	my $proxy = Hub::Connect->start;
	my $guarded = Hub::Connect->start(user => 'ann:p@ss:word');
	for my $program (sort keys %says) {
		for my $case ([ 'TLS', $url, $hub ], [ 'no TLS', "ws://127.0.0.1:$plain->{port}/ws", $plain ]) {
			my ($what, $to, $via) = @$case;
			my $before = $proxy->asked;
			my $r = $says{$program}->($to, '--proxy', $proxy->{address});
			is($r->{status}, 0, "$program, --proxy, $what") or diag($r->{err});
			my @asked = ($proxy->asked)[ $before .. $proxy->asked - 1 ];
			cmp_ok(scalar @asked, '>=', 1, 'goes there');
			is_deeply([ grep { !/^CONNECT 127\.0\.0\.1:$via->{port} / } @asked ], [], 'and asks for the hub');
			my $name = $what eq 'TLS' ? 'https_proxy' : 'http_proxy';
			local $ENV{$name} = "http://$proxy->{address}/";
			$before = $proxy->asked;
			is($says{$program}->($to)->{status}, 0, "$program, \$$name");
			cmp_ok(scalar $proxy->asked, '>', $before, 'goes there');
			$before = $proxy->asked;
			is($says{$program}->($to, qw(--proxy none))->{status}, 0, "$program, --proxy none");
			local $ENV{no_proxy} = '127.0.0.1';
			is($says{$program}->($to)->{status}, 0, "$program, \$no_proxy");
			is(scalar $proxy->asked, $before, 'go by themselves');
		}
		my $r = $says{$program}->($url, '--proxy', "ann:p\@ss:word\@$guarded->{address}");
		is($r->{status}, 0, "$program, a proxy with a password") or diag($r->{err});
	}
	for my $program (@ends) {
		my $r = $says{$program}->($url, '--proxy', $guarded->{address});
		isnt($r->{status}, 0, "$program, without the password");
		$r = $says{$program}->($url, '--proxy', 'nonsense');
		is($r->{status}, 64, "$program, no proxy at all");
	}
	$_->stop for $proxy, $guarded;
};

subtest 'any certificate' => sub {
	local $ENV{SSL_CERT_FILE} = '/dev/null';
	is($says{$_}->($url, '--insecure')->{status}, 0, "$_ --insecure") for sort keys %says;
	for my $program (@ends) {
		my $r = $says{$program}->($url);
		isnt($r->{status}, 0, "$program without");
		like($r->{err}, qr/certificate/, 'says why');
	}
};

# A proxy in front of the hub that asks for both.
subtest 'who one is' => sub {
	my $nginx = Hub::Proxy::program('nginx') or plan skip_all => 'no nginx here';
	my $dir = scratch() . '/guard';
	mkdir $dir;
	my @port = map { my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => own_address()) or die "listen: $!\n"; $l->sockport } 1 .. 2;
	my $both = own_address();
	my $pass = <<"END";
		ssl_certificate $pem->{cert};
		ssl_certificate_key $pem->{key};
		location / {
			proxy_pass http://127.0.0.1:$plain->{port};
			proxy_http_version 1.1;
			proxy_set_header Upgrade \$http_upgrade;
			proxy_set_header Connection upgrade;
		}
END
	my $temp = join '', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
	my $password = encode_base64('ann:p@ss:word', '');
	my $conf = spew("$dir/nginx.conf", <<"END");
daemon off;
pid $dir/pid;
error_log stderr;
events { worker_connections 100; }
http {
	$temp
	access_log off;
	server {
		listen $both:$port[0] ssl;
		ssl_client_certificate $pem->{ca};
		ssl_verify_client on;
		$pass
	}
	server {
		listen $both:$port[1] ssl;
		if (\$http_authorization != "Basic $password") {
			return 401;
		}
		$pass
	}
}
END
	my $proc = spawn([ $nginx, '-e', 'stderr', '-p', $dir, '-c', $conf ], err => "$dir/err");
	wait_for {
		die 'nginx: ' . slurp("$dir/err") unless $proc->running;
		IO::Socket::INET->new(PeerAddr => "$both:$port[1]");
	} 'nginx to listen';
	my @own = ('--cert', $pem->{cert}, '--key', $pem->{key});
	my ($wants, $asks) = map { "$both:$_" } @port;
	for my $program (sort keys %says) {
		my $r = $says{$program}->("wss://$wants/ws", @own);
		is($r->{status}, 0, "$program shows a certificate") or diag($r->{err});
		$r = $says{$program}->("wss://ann:p%40ss:word\@$asks/ws");
		is($r->{status}, 0, "$program gives a password") or diag($r->{err});
		unlike($r->{err} . $r->{out}, qr/p(?:\@|%40)ss/, 'and does not show it');
	}
	for my $program (@ends) {
		isnt($says{$program}->("wss://$wants/ws")->{status}, 0, "$program without a certificate");
		isnt($says{$program}->("wss://$asks/ws")->{status}, 0, "$program without a password");
		my $r = $says{$program}->("wss://ann:wrong\@$asks/ws");
		isnt($r->{status}, 0, "$program with a wrong one");
		unlike($r->{err}, qr/wrong/, 'which it does not show');
		is($says{$program}->("wss://$wants/ws", '--cert', $pem->{cert})->{status}, 64, "$program --cert alone");
	}
	$proc->kill('TERM');
	$proc->wait;
};

# What is asked for, byte by byte, is in 36-hubcat-connections.t; that hubbench asks for the same:
subtest 'headers' => sub {
	my $l = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1') or die "listen: $!\n";
	my $bench = spawn([ "$ENV{HUB_BUILD}/hubbench", '-u', 'ws://user:p%40ss@127.0.0.1:' . $l->sockport . '/x', '-c', 1,
			'--header', 'X-One: 1', '--header', 'X-Two: 2', qw(-d 0.1 --warmup 0) ]);
	my ($c, $head) = ($l->accept, '');
	while ($head !~ /\r\n\r\n/) {
		sysread $c, $head, 4096, length $head or last;
	}
	like($head, qr/^Authorization: Basic dXNlcjpwQHNz\r$/m, 'the user and the password');
	like($head, qr/^X-$_\r$/m, '--header') for 'One: 1', 'Two: 2';
	$bench->kill('KILL');
	$bench->wait;
};

# What speaks no TLS will not do so later.
subtest 'wss:// to a port of ws://' => sub {
	for my $args ([ 'hubcat', '-l', 's' ], [ 'hubcat', '-p', 's' ], [ 'hubreplay', 'record', '-o', scratch() . '/none.ndjson', 's' ]) {
		my ($program, @rest) = @$args;
		my @command = $program eq 'hubcat' ? ('hubcat', '-u', "wss://127.0.0.1:$plain->{port}/ws", @rest)
		    : ('hubreplay', 'record', '-u', "wss://127.0.0.1:$plain->{port}/ws", @rest[ 1 .. $#rest ]);
		my $r = run(\@command);
		is($r->{status}, 69, "@$args: ends at once");
		like($r->{err}, qr{no TLS with it: is it ws://}, 'and says what to do');
	}
};

$_->stop for $hub, $plain;
done_testing;
