# An HTTP proxy that knows CONNECT (RFC 9110 section 9.3.6), by name or address, and wants a user and a password where
# it is told. It keeps what it was asked for.
package Hub::Connect;

use strict;
use warnings;

use Hub ();
use IO::Socket::INET;
use IO::Select;
use MIME::Base64 qw(encode_base64);

# user => "user:password" that it wants.
sub start {
	my ($class, %o) = @_;
	my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "listen: $!\n";
	my $self = bless { %o, address => '127.0.0.1:' . $listener->sockport, asked => Hub::spew(Hub::scratch() . '/asked.' . $listener->sockport, '') },
	    $class;
	$self->{proc} = Hub::spawn(
		[ $^X, (map { "-I$_" } @INC), '-MHub::Connect', '-e', 'Hub::Connect::run(@ARGV)', fileno $listener,
			$self->{asked}, $o{user} // '' ],
		pass => [$listener], err => '/dev/stderr');
	close $listener;
	return $self;
}

# The request lines so far; their number in scalar context.
sub asked {
	my ($self) = @_;
	my @asked = Hub::slurp($self->{asked}) =~ /^(CONNECT .*?)\r?$/mg;
	return @asked;
}

sub stop {
	my ($self) = @_;
	$self->{proc}->kill('TERM');
	$self->{proc}->wait;
}

# --- the process

sub run {
	my ($fd, $asked, $user) = @_;
	my $listener = IO::Socket::INET->new_from_fd($fd, 'r') or die "the listener: $!\n";
	$SIG{CHLD} = 'IGNORE';
	while (my $client = $listener->accept) {
		next if fork;
		_serve($client, $asked, $user);
		exit 0;
	}
}

sub _serve {
	my ($client, $asked, $user) = @_;
	my $head = '';
	while ($head !~ /\r\n\r\n/) {
		sysread $client, $head, 4096, length $head or return;
	}
	open my $log, '>>', $asked or die "$asked: $!\n";
	syswrite $log, $head;
	my ($host, $port) = $head =~ m{^CONNECT \[?([^\s\]]+?)\]?:(\d+) HTTP/1\.[01]\r$}m;
	my $allowed = $user eq '' || $head =~ /^Proxy-Authorization: Basic (\S+)\r$/mi && $1 eq encode_base64($user, '');
	my $server = $host && $allowed ? IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) : undef;
	my $answer = !$host ? '400 Bad Request' : !$allowed ? '407 Proxy Authentication Required' : !$server ? '502 Bad Gateway' : '200 Connected';
	syswrite $client, "HTTP/1.1 $answer\r\nVia: 1.1 test\r\n\r\n";
	return if !$server;
	my %other = ($client => $server, $server => $client);
	my $select = IO::Select->new($client, $server);
	while (my @ready = $select->can_read) {
		for my $from (@ready) {
			my $n = sysread $from, my $bytes, 65536;
			return if !$n;
			for (my $done = 0; $done < $n;) {
				$done += syswrite($other{$from}, $bytes, $n - $done, $done) // return;
			}
		}
	}
}

1;
