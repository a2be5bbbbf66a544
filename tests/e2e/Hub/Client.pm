# One connection to hubd, over the Unix socket or as a WebSocket, spoken by hand so that a test can
# also do what no decent client would: stop reading, lie about lengths, vanish.
#
# Nothing blocks: pump() moves bytes for all connections of the process; everything that waits calls
# it until a condition holds or the deadline passes.
package Hub::Client;

use strict;
use warnings;

use Compress::Raw::Zlib;
use Digest::SHA qw(sha1_base64);
use Errno qw(EAGAIN EINTR EINPROGRESS);
use Exporter 'import';
use IO::Poll qw(POLLIN POLLOUT POLLERR POLLHUP);
use JSON::PP ();
use Scalar::Util qw(weaken);
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

our @EXPORT_OK = qw(pump wait_for json unjson slow now inflated deflated);

$SIG{PIPE} = 'IGNORE';

my %all;    # descriptor => client, weak
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# How much slower than usual all may be: sanitizers set it.
sub slow {
	return $ENV{HUB_TEST_SLOW} || 1;
}

sub json {
	return $json->encode($_[0]);
}

sub unjson {
	my ($text) = @_;
	my $value = eval { $json->decode($text) };
	die "not JSON: $text\n" if $@;
	return $value;
}

# Seconds on a clock that nobody sets.
sub now {
	return clock_gettime(CLOCK_MONOTONIC);
}

# wait_for { condition } 'what', SECONDS, clients...: the condition's value once it is true; dies at
# the deadline, which is for what does not come at all and says nothing of how fast it has to be. Without
# clients, all of the process are served meanwhile.
sub wait_for(&$;$@) {
	my ($condition, $what, $seconds, @clients) = @_;
	my $deadline = now() + ($seconds ? $seconds * slow() : 100 + 20 * slow());
	# Where this process stood still all the time, what it waits for may lie there unread.
	my $late = 0;
	while (1) {
		my $value = $condition->();
		return $value if $value;
		die "gave up waiting for $what\n" if now() > $deadline && $late++ > 5;
		pump(0.02, @clients);
	}
}

# Moves what can be moved within SECONDS; returns after the first thing that happened.
sub pump {
	my ($seconds, @clients) = @_;
	my @poll;
	for my $c (@clients ? @clients : values %all) {
		next unless $c && $c->{fh};
		my $mask = ($c->{reading} ? POLLIN : 0) | (length $c->{wbuf} ? POLLOUT : 0);
		push @poll, $c->{fd}, $mask if $mask;
	}
	return select undef, undef, undef, $seconds unless @poll;
	my $ready = IO::Poll::_poll(int($seconds * 1000), @poll);
	return unless $ready > 0;
	for (my $i = 0; $i < @poll; $i += 2) {
		my $c = $poll[ $i + 1 ] ? $all{ $poll[$i] } : undef;
		next unless $c;
		$c->_write if $poll[ $i + 1 ] & POLLOUT;
		$c->_read if $c->{reading} && $poll[ $i + 1 ] & (POLLIN | POLLERR | POLLHUP);
	}
}

sub _new {
	my ($class, $fh, %o) = @_;
	my $self = bless {
		fh => $fh,
		fd => fileno $fh,
		in => [],          # messages as they came, not yet taken by the test
		presence => [],    # who came and went, apart so that it disturbs no other test
		rbuf => '',
		wbuf => '',
		reading => 1,
		auto_pong => 1,
		pings => 0,        # WebSocket pings from the hub
		pongs => [],       # payloads of the pongs from the hub
		kind => 'unix',
		%o,
	}, $class;
	$fh->blocking(0);
	weaken($all{ $self->{fd} } = $self);
	return $self;
}

sub DESTROY {
	$_[0]->vanish;
}

sub unix {
	my ($class, $path, %o) = @_;
	my $rcvbuf = delete $o{rcvbuf};
	socket(my $fh, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
	setsockopt $fh, SOL_SOCKET, SO_RCVBUF, $rcvbuf if $rcvbuf;
	connect $fh, pack_sockaddr_un($path) or die "connect $path: $!\n";
	return $class->_new($fh, %o);
}

# A plain TCP connection that has said nothing yet. from: the address that it is to come from.
sub tcp {
	my ($class, $port, %o) = @_;
	my ($rcvbuf, $host, $from) = delete @o{qw(rcvbuf host from)};
	socket(my $fh, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
	setsockopt $fh, SOL_SOCKET, SO_RCVBUF, $rcvbuf if $rcvbuf;
	bind $fh, pack_sockaddr_in(0, inet_aton($from)) or die "bind $from: $!\n" if defined $from;
	connect $fh, pack_sockaddr_in($port, inet_aton($host // '127.0.0.1')) or die "connect $port: $!\n";
	setsockopt $fh, IPPROTO_TCP, TCP_NODELAY, 1;
	return $class->_new($fh, kind => 'http', %o);
}

# A WebSocket whose handshake is done. command: talk through the standard input and output of a
# program (TLS). path, protocol, headers (lines): what to ask for. refused: don't die where the
# answer is not 101 (see $c->{status}, $c->{headers}, $c->{body}). binary: binary messages may come, and are
# given with "binary:" before them. deflate: an offer of permessage-deflate (1: the plainest); {deflated} counts the
# messages that came so.
sub ws {
	my ($class, $port, %o) = @_;
	my %ask = map { $_ => delete $o{$_} } qw(path protocol headers refused command deflate);
	my $self = $ask{command} ? $class->_through($ask{command}, %o) : $class->tcp($port, %o);
	my $key = 'aHViIHRlc3QgY2xpZW50IQ==';
	my @lines = ('GET ' . ($ask{path} || '/ws') . ' HTTP/1.1', "Host: 127.0.0.1:$port",
		'Upgrade: websocket', 'Connection: Upgrade', "Sec-WebSocket-Key: $key",
		'Sec-WebSocket-Version: 13', @{ $ask{headers} || [] });
	push @lines, "Sec-WebSocket-Protocol: $ask{protocol}" if defined $ask{protocol};
	$self->{deflated} = 0 if $ask{deflate};
	push @lines, 'Sec-WebSocket-Extensions: ' . ($ask{deflate} eq 1 ? 'permessage-deflate' : $ask{deflate}) if $ask{deflate};
	$self->{upgrading} = 1;
	$self->send_bytes(join "\r\n", @lines, '', '');
	my $reading = $self->{reading};
	$self->{reading} = 1;
	wait_for { $self->{status} || $self->{gone} } 'an answer to the handshake', undef, $self;
	$self->{reading} = $reading;
	$self->{status} ||= 0;
	return $self if $ask{refused};
	die "the hub is gone ($self->{gone}) before the handshake\n" unless $self->{status};
	die "handshake answered with $self->{status}\n" if $self->{status} != 101;
	my $want = sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
	die "wrong Sec-WebSocket-Accept\n" if $self->{headers}{'sec-websocket-accept'} ne $want;
	return $self;
}

sub _through {
	my ($class, $command, %o) = @_;
	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!\n";
	$o{proc} = Hub::spawn($command, in => $theirs, out => $theirs);
	close $theirs;
	return $class->_new($ours, kind => 'http', %o);
}

# --- bytes in and out

sub _read {
	my ($self) = @_;
	my $n = sysread $self->{fh}, $self->{rbuf}, 1 << 18, length $self->{rbuf};
	if (!defined $n) {
		return if $! == EAGAIN || $! == EINTR;
		return $self->_gone("$!");
	}
	if ($self->{kind} eq 'ws') {
		$self->_parse_ws;
	} elsif ($self->{kind} eq 'unix') {
		$self->_parse_lines;
	} else {
		$self->_parse_http($n == 0);
	}
	$self->_gone('end of file') if $n == 0;
}

sub _write {
	my ($self) = @_;
	return unless length $self->{wbuf} && $self->{fh};
	my $n = syswrite $self->{fh}, $self->{wbuf};
	if (defined $n) {
		substr $self->{wbuf}, 0, $n, '';
	} elsif ($! != EAGAIN && $! != EINTR) {
		# What the hub said before it went may still be there to read.
		$self->{wbuf} = '';
		$self->{unwritable} = "$!";
	}
}

sub _gone {
	my ($self, $why) = @_;
	$self->{gone} = $why;
	$self->vanish;
}

# Closes without a word.
sub vanish {
	my ($self) = @_;
	my $fh = delete $self->{fh} or return;
	delete $all{ $self->{fd} };
	close $fh;
}

# Closes as a machine that lost its memory does: with a reset.
sub abort {
	my ($self) = @_;
	setsockopt $self->{fh}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
	$self->vanish;
}

sub alive {
	return !!$_[0]{fh};
}

sub _got {
	my ($self, $text) = @_;
	$self->{bytes_in} += length $text;
	if ($text =~ /^\{"type":"(?:client_(?:dis)?connected|connection_status)"/) {
		push @{ $self->{presence} }, $text;
	} elsif ($self->{kind} eq 'unix' && $text =~ /^\{"type":"close"/) {
		my $close = unjson($text);
		@$self{qw(close_code close_reason)} = @$close{qw(code reason)};
	} else {
		push @{ $self->{in} }, $text;
	}
}

sub _parse_lines {
	my ($self) = @_;
	my $end = rindex $self->{rbuf}, "\n";
	return if $end < 0;
	$self->_got($_) for split /\n/, substr $self->{rbuf}, 0, $end + 1, '';
}

sub _parse_http {
	my ($self, $eof) = @_;
	if (!$self->{status}) {
		$self->{rbuf} =~ s/\A(.*?)\r\n\r\n//s or return;
		my ($first, @lines) = split /\r\n/, $1;
		$first =~ m{^HTTP/1\.[01] (\d{3})} or die "not HTTP: $first\n";
		$self->{status} = $1;
		$self->{headers} = { map { /^([^:]+):\s*(.*)/ ? (lc $1, $2) : () } @lines };
		if ($1 == 101) {
			$self->{kind} = 'ws';
			return $self->_parse_ws;
		}
	}
	$self->{body} = $self->{rbuf};
	my $length = $self->{headers}{'content-length'};
	$self->{complete} = 1 if $eof || defined $length && length $self->{body} >= $length;
}

sub _parse_ws {
	my ($self) = @_;
	my ($off, $have) = (0, length $self->{rbuf});
	while ($have - $off >= 2) {
		my ($b0, $b1, $head) = (unpack("\@${off} CC", $self->{rbuf}), 2);
		die "the hub masked a frame\n" if $b1 & 0x80;
		my $len = $b1 & 0x7f;
		if ($len == 126) {
			last if $have - $off < 4;
			($len, $head) = (unpack("\@${off} x2 n", $self->{rbuf}), 4);
		} elsif ($len == 127) {
			last if $have - $off < 10;
			($len, $head) = (unpack("\@${off} x2 Q>", $self->{rbuf}), 10);
		}
		last if $have - $off < $head + $len;
		my $payload = substr $self->{rbuf}, $off + $head, $len;
		$off += $head + $len;
		if ($b0 == 0x81 && !defined $self->{partial}) {
			$self->_got($payload);
		} else {
			$self->_frame($b0, $payload);
		}
	}
	substr $self->{rbuf}, 0, $off, '';
}

sub _frame {
	my ($self, $b0, $payload) = @_;
	my $op = $b0 & 0x0f;
	if ($b0 == 0xc1 && $self->{headers}{'sec-websocket-extensions'}) {
		$self->{deflated}++;
		return $self->_got(inflated($payload, $self->{headers}{'sec-websocket-extensions'}));
	}
	die "reserved bits from the hub\n" if $b0 & 0x70;
	if ($op == 8) {
		@$self{qw(close_code close_reason)} =
		    length $payload >= 2 ? unpack 'n a*', $payload : (1005, '');
		$self->frame(8, substr $payload, 0, 2) unless $self->{closing}++;
	} elsif ($op == 9) {
		$self->{pings}++;
		$self->frame(10, $payload) if $self->{auto_pong};
	} elsif ($op == 10) {
		push @{ $self->{pongs} }, $payload;
	} elsif ($op == 2 && $self->{binary}) {
		push @{ $self->{in} }, "binary:$payload";
	} elsif ($op <= 1) {
		$self->{partial} .= $payload;
		$self->_got(delete $self->{partial}) if $b0 & 0x80;
	} else {
		die "frame with opcode $op from the hub\n";
	}
}

# --- permessage-deflate (RFC 7692)

# A message's payload, within the window that the hub has agreed to.
sub inflated {
	my ($payload, $agreed) = @_;
	my ($bits) = ($agreed // '') =~ /server_max_window_bits=(\d+)/;
	my $inflate = Compress::Raw::Zlib::Inflate->new(-WindowBits => -($bits // 15)) or die "no inflate\n";
	die "an empty compressed message from the hub\n" unless length $payload;
	my $status = $inflate->inflate(my $in = "$payload\0\0\xff\xff", my $text);
	die "the hub deflated badly: $status\n" if $status != Z_OK || length $in;
	return $text;
}

# The payload that says it. final: of final blocks, as some clients make it.
sub deflated {
	my ($text, %o) = @_;
	my $deflate = Compress::Raw::Zlib::Deflate->new(-WindowBits => -15, -AppendOutput => 1) or die "no deflate\n";
	my $out = '';
	$deflate->deflate($text, $out);
	$deflate->flush($out, $o{final} ? Z_FINISH : Z_SYNC_FLUSH);
	return $o{final} ? "$out\0" : substr $out, 0, -4;
}

# --- sending

# Exactly these bytes on the transport.
sub send_bytes {
	my ($self, $bytes) = @_;
	$self->{wbuf} .= $bytes;
	$self->_write;
	return $self;
}

# One WebSocket frame; mask => 0, fin => 0, rsv => bits, length => a lie.
sub frame {
	my ($self, $op, $payload, %o) = @_;
	return $self->send_bytes(ws_frame($op, $payload, %o));
}

sub ws_frame {
	my ($op, $payload, %o) = @_;
	my $mask = $o{mask} // 1 ? 0x80 : 0;
	my $len = $o{length} // length $payload;
	my $head = pack 'C', ($o{fin} // 1 ? 0x80 : 0) | ($o{rsv} // 0) << 4 | $op;
	$head .=
	      $len < 126   ? pack 'C', $mask | $len
	    : $len < 65536 ? pack 'Cn', $mask | 126, $len
	    :                pack 'CQ>', $mask | 127, $len;
	return $head . $payload unless $mask;
	my $key = pack 'N', 1 + int rand 0xffffffff;
	return $head . $key . ($payload ^ substr $key x (length($payload) / 4 + 1), 0, length $payload);
}

# One message of exactly this text.
sub send_text {
	my ($self, @texts) = @_;
	return $self->send_bytes(
		join '', map { $self->{kind} eq 'unix' ? "$_\n" : ws_frame(1, $_) } @texts);
}

sub send {
	my ($self, @messages) = @_;
	return $self->send_text(map { json($_) } @messages);
}

# Waits until the kernel has everything.
sub drain {
	my ($self, $seconds) = @_;
	wait_for { !length $self->{wbuf} } 'everything to be sent', $seconds, $self;
	return $self;
}

# --- receiving

# The next message, whatever it is; a value of the decoded JSON.
sub next {
	my ($self, $seconds) = @_;
	wait_for { @{ $self->{in} } || $self->{gone} } 'a message', $seconds, $self;
	die "the hub is gone ($self->{gone})\n" unless @{ $self->{in} };
	return unjson(shift @{ $self->{in} });
}

# The first message of a type, leaving the others where they are.
sub wait_type {
	my ($self, $type, $seconds) = @_;
	my ($in, $seen, $found) = ($self->{in}, 0);
	wait_for {
		for (; $seen < @$in; $seen++) {
			next unless $in->[$seen] =~ /"type":"\Q$type\E"/;
			$found = splice @$in, $seen, 1;
			return 1;
		}
		return $self->{gone};
	} "a message of type $type", $seconds, $self;
	die "the hub is gone ($self->{gone}), no $type came\n" unless $found;
	return unjson($found);
}

# Joins and gives the answer.
sub join_session {
	my ($self, $session, %more) = @_;
	$self->send({ type => 'session_associate', session_id => $session, %more });
	my $answer = $self->wait_type('session_associated');
	$self->{id} = $answer->{client_id};
	return $answer;
}

my $pings = 0;

# A ping to the hub and its pong: everything sent before has been handled by then. Returns the
# messages that came before the pong, decoded.
sub sync {
	my ($self, $seconds) = @_;
	my $id = 'sync' . ++$pings;
	$self->send({ type => 'ping', ping_id => $id });
	my @before;
	while (1) {
		my $message = $self->next($seconds);
		return @before if $message->{type} eq 'pong' && ($message->{ping_id} // '') eq $id;
		push @before, $message;
	}
}

# Waits until the hub has closed the connection; the close code, 0 where it named none.
sub closed {
	my ($self, $seconds) = @_;
	wait_for { $self->{gone} } 'the hub to close the connection', $seconds, $self;
	return $self->{close_code} || 0;
}

1;
