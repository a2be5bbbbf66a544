# nginx and haproxy in front of a hubd, run by the examples in contrib with the addresses and files of this test
# in place of theirs, and nothing else changed. They listen on an address of the test's own.
package Hub::Proxy;

use strict;
use warnings;

use Hub;
use IO::Socket::INET;

# The program, where it is installed.
sub program {
	my ($name) = @_;
	my ($path) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
	return $path;
}

# A certificate for localhost and 127.0.0.0/8's own address of this test, signed by a CA of its own: {ca}, {cert},
# {key}, and {both}: certificate and key in one file.
sub certificate {
	my $dir = scratch();
	my %pem = map { $_ => "$dir/$_.pem" } qw(ca ca_key cert key both);
	my $run = sub {
		my $r = run([ 'openssl', @_ ]);
		die "openssl @_: $r->{err}\n" if $r->{status};
	};
	my @new = (qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes));
	$run->(qw(req -x509), @new, '-keyout', $pem{ca_key}, '-out', $pem{ca}, qw(-days 2 -subj), '/CN=hub test CA');
	$run->('req', @new, '-keyout', $pem{key}, '-out', "$dir/csr.pem", '-subj', '/CN=localhost');
	my $names = spew("$dir/names", 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:' . own_address() . "\n");
	$run->('x509', '-req', '-in', "$dir/csr.pem", '-CA', $pem{ca}, '-CAkey', $pem{ca_key}, '-CAcreateserial',
		'-days', 2, '-extfile', $names, '-out', $pem{cert});
	spew($pem{both}, slurp($pem{cert}), slurp($pem{key}));
	return \%pem;
}

# The public key of a certificate, as Chromium wants to be told of one that it is to trust.
sub public_key {
	my ($pem) = @_;
	my $der = scratch() . '/public.der';
	run([ 'openssl', 'x509', '-in', $pem->{cert}, '-pubkey', '-noout', '-out', "$der.pem" ]);
	run([ 'openssl', 'pkey', '-pubin', '-in', "$der.pem", '-outform', 'der', '-out', $der ]);
	require Digest::SHA;
	return Digest::SHA::sha256_base64(slurp($der)) . '=';
}

# Puts what the test has in the place of each pattern, which must be there.
sub _adapt {
	my ($file, @pairs) = @_;
	my $text = slurp(root() . "/contrib/$file") || die "contrib/$file: $!\n";
	while (my ($pattern, $new) = splice @pairs, 0, 2) {
		$text =~ s/$pattern/$new/mg or die "contrib/$file: nothing like $pattern\n";
	}
	return $text;
}

# Both give {plain} and {tls}: where they listen.

# name => of its own, where there are several; change => [ more patterns and what takes their place ].
sub nginx {
	my ($class, $hub, $pem, %o) = @_;
	my $program = program('nginx') or return undef;
	my $self = $class->_new($o{name} // 'nginx');
	my $site = spew("$self->{dir}/hubd.conf", _adapt('nginx/hubd.conf',
		'listen 80;', "listen $self->{plain};",
		'listen 443 ', "listen $self->{tls} ",
		'^\tserver 127\.0\.0\.1:4820(?=;)', "\tserver 127.0.0.1:$hub->{port}",
		'/etc/ssl/certs/\S+(?=;)', $pem->{cert},
		'/etc/ssl/private/\S+(?=;)', $pem->{key}, @{ $o{change} || [] }));
	# What is around it is as Debian has it, and compresses more.
	my $temp = join '', map { "${_}_temp_path $self->{dir}/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
	my $conf = spew("$self->{dir}/nginx.conf", <<"END");
daemon off;
worker_processes 2;
pid $self->{dir}/pid;
error_log stderr;
events { worker_connections 768; }
http {
	$temp
	access_log off;
	sendfile on;
	tcp_nopush on;
	gzip on;
	gzip_types *;
	include $site;
}
END
	return $self->_run([ $program, '-e', 'stderr', '-p', $self->{dir}, '-c', $conf ]);
}

# {tcp}: where bytes are carried behind the PROXY protocol. others => [ ports of two more hubs ].
sub haproxy {
	my ($class, $hub, $pem, %o) = @_;
	my $program = program('haproxy') or return undef;
	my $self = $class->_new('haproxy' . ($hub->{port} // ''), 'tcp');
	my ($behind) = ($hub->{ready}{listen_proxy}[0] // '127.0.0.1:1') =~ /:(\d+)$/;
	my $conf = spew("$self->{dir}/haproxy.cfg", _adapt('haproxy/hubd.cfg',
		'bind :80$', "bind $self->{plain}",
		'bind :443 ', "bind $self->{tls} ",
		'bind :4443$', "bind $self->{tcp}",
		'^\tserver hubd1 127\.0\.0\.1:4820', "\tserver hubd1 127.0.0.1:" . ($hub->{port} // 1),
		'^\tserver hubd1 127\.0\.0\.1:4821', "\tserver hubd1 127.0.0.1:$behind",
		'/etc/haproxy/hub\S+', $pem->{both},
		map { my $i = $_; ("^\t#server hubd$i 127\\.0\\.0\\.1:48\\d\\d", "\tserver hubd$i 127.0.0.1:$o{others}[ $i - 2 ]") }
		    $o{others} ? (2, 3) : ()));
	return $self->_run([ $program, '-db', '-f', $conf ]);
}

sub _new {
	my ($class, $name, @more) = @_;
	my $dir = scratch() . "/$name";
	mkdir $dir;
	# Free ports of an address that no other test has.
	my @listen = map { IO::Socket::INET->new(Listen => 1, LocalAddr => own_address()) || die "listen: $!\n" } 'plain', 'tls', @more;
	my $self = bless { name => $name, dir => $dir }, $class;
	@$self{ 'plain', 'tls', @more } = map { own_address() . ':' . $_->sockport } @listen;
	return $self;
}

sub _run {
	my ($self, $command) = @_;
	$self->{proc} = spawn($command, out => "$self->{dir}/out", err => "$self->{dir}/err");
	wait_for {
		die "$self->{name}: " . slurp("$self->{dir}/err") unless $self->{proc}->running;
		IO::Socket::INET->new(PeerAddr => $self->{tls});
	} "$self->{name} to listen";
	return $self;
}

sub stop {
	my ($self) = @_;
	$self->{proc}->kill('TERM');
	$self->{proc}->wait(60);
}

1;
