# Runs tables of bytes against a hubd over TCP, many connections at a time, and judges what comes back.
#
# A row is [ section, name, bytes, outcome, {more} ]. The outcome of HTTP is a list of answers and how it
# ends: "200 HEAD:404 stay", "200*10 stay", "(400|501) end"; each is a pattern of one word. That of a WebSocket, whose
# bytes follow the handshake and a join, is "stay" or the code it is closed with: "1002"; 1005 for none.
# That a connection stays is shown by one more request that must be answered, with nothing before its answer
# that the row does not name: no row waits for a time to pass.
#
# More of HTTP: like, unlike: patterns of all that came, heads and bodies.
# More of a WebSocket:
#   texts    what is said back, in this order: "record TYPE", "error CODE" or another message's type
#   pongs    payloads of pings: of those that come together only the last has to be answered
#   lossy    the texts (and pongs) may end early, since the connection does
#   records  how many come into the log; without it as many as texts has
package Hub::Battery;

use strict;
use warnings;

use Exporter 'import';
use Hub qw(ok diag slow);
use Hub::Client;
use Time::HiRes qw(time);

our @EXPORT_OK = qw(frame message);

my $window = 24;         # connections at a time
my $byte_by_byte = 600;  # up to so many bytes
my $key = 'aHViIHRlc3QgY2xpZW50IQ==';

# --- bytes

# A masked frame. fin => 0; rsv => bits; mask => four bytes, or '' for none; length => a lie;
# form => 16 or 64: bits that the length is written with.
sub frame {
	my ($op, $payload, %o) = @_;
	my $mask = $o{mask} // pack 'N', 1 + int rand 0xffffffff;
	my $bit = length $mask ? 0x80 : 0;
	my $len = $o{length} // length $payload;
	my $form = $o{form} // ($len < 126 ? 7 : $len < 65536 ? 16 : 64);
	my $head = pack 'C', ($o{fin} // 1 ? 0x80 : 0) | ($o{rsv} // 0) << 4 | $op;
	$head .=
	      $form == 7  ? pack 'C', $bit | $len
	    : $form == 16 ? pack 'Cn', $bit | 126, $len
	    :               pack 'CQ>', $bit | 127, $len;
	return $head . $payload unless $bit;
	return $head . $mask . ($payload ^ substr $mask x (length($payload) / 4 + 1), 0, length $payload);
}

# A message of this type that has so many bytes.
sub message {
	my ($type, $size) = @_;
	my $text = qq({"type":"$type","x":"");
	return $size ? substr($text, 0, -1) . 'x' x ($size - length($text) - 1) . '"}' : qq({"type":"$type"});
}

# --- one run of a row

# mode: 'whole', 'bytes' or 'cuts'.
sub _begin {
	my ($self, $group, $row, $mode) = @_;
	my ($section, $name, $bytes, $outcome, $more) = @$row;
	my $peer = Hub::Battery::Peer->tcp($self->{hub}{port});
	@$peer{qw(outcome more name mode)} = ($outcome, $more || {}, "$group: $section: $name, $mode", $mode);
	$peer->{deadline} = time + 60 * slow();
	$peer->{pieces} = [ _pieces($bytes, $mode) ];
	if ($group->{frames}) {
		my $session = 'row' . ++$self->{sessions};
		$peer->{joining} = 1;
		$peer->{frames} = 1;
		$peer->{key} = $key;
		$peer->{follow} = frame(1, '{"type":"ping","ping_id":"follow"}');
		$peer->{deflates} = $group->{deflates};
		$peer->send_bytes(join "\r\n", 'GET /ws HTTP/1.1', 'Host: hub', 'Upgrade: websocket', 'Connection: Upgrade',
			"Sec-WebSocket-Key: $key", 'Sec-WebSocket-Version: 13',
			$group->{deflates} ? 'Sec-WebSocket-Extensions: permessage-deflate' : (), '', '');
		$peer->{first} = frame(1, qq({"type":"session_associate","session_id":"$session"}));
	} else {
		($peer->{key}) = $bytes =~ /^sec-websocket-key:[ \t]*(\S+)/mi;
		$peer->{heads} = [ map { /^HEAD:/ ? 1 : 0 } split ' ', $outcome ];
		$peer->{empty} = () = $outcome =~ /204/g;
		$peer->{follow} = "OPTIONS * HTTP/1.1\r\nHost: follow\r\n\r\n";
		$peer->{first} = frame(1, '{"type":"ping","ping_id":"follow"}') if $outcome =~ /101/;
	}
	return $peer;
}

sub _pieces {
	my ($bytes, $mode) = @_;
	return $bytes if $mode eq 'whole' || length $bytes < 2;
	return split //, $bytes if $mode eq 'bytes';
	my %cuts = map { 1 + int rand(length($bytes) - 1) => 1 } 0 .. rand 5;
	my ($at, @pieces) = (0);
	for my $cut (sort { $a <=> $b } keys %cuts) {
		push @pieces, substr $bytes, $at, $cut - $at;
		$at = $cut;
	}
	return @pieces, substr $bytes, $at;
}

# --- what came, against what was to come: a text, empty where all is well

sub judge {
	my ($outcome, $more, $seen) = @_;
	my @wrong = @{ $seen->{wrong} };
	push @wrong, 'nothing came in time' if $seen->{late};
	my $found = $seen->{frames} ? _judge_frames($outcome, $more, $seen) : _judge_answers($outcome, $more, $seen);
	return join '; ', grep { length } @wrong, $found;
}

sub _judge_answers {
	my ($outcome, $more, $seen) = @_;
	my $got = join ' ', @{ $seen->{answers} }, $seen->{followed} ? 'stay' : $seen->{ended} ? 'end' : 'neither';
	(my $want = $outcome) =~ s/HEAD://g;
	$want =~ s/(\S+)\*(\d+)/join ' ', ($1) x $2/e;
	my $pattern = join ' ', map { "(?:$_)" } split ' ', $want;
	return "got '$got'" if $got !~ /\A$pattern\z/;
	return 'lacks ' . $more->{like} if $more->{like} && $seen->{all} !~ $more->{like};
	return 'has ' . $more->{unlike} if $more->{unlike} && $seen->{all} =~ $more->{unlike};
	return '';
}

sub _judge_frames {
	my ($outcome, $more, $seen) = @_;
	my $got = $seen->{followed} ? 'stay' : $seen->{ended} ? $seen->{code} // 'an end without a close' : 'neither';
	return "got '$got'" if $got !~ /\A(?:$outcome)\z/;
	# Records have an order, answers have one; the two have none between them.
	for my $records (1, 0) {
		my ($texts, $want) = map { [ grep { !/^record / != $records } @{ $_ || [] } ] } $seen->{texts}, $more->{texts};
		splice @$want, @$texts if $more->{lossy} && @$texts < @$want;
		return "said '@$texts'" if "@$texts" ne "@$want";
	}
	return _judge_pongs($more, @{ $seen->{pongs} });
}

sub _judge_pongs {
	my ($more, @pongs) = @_;
	my @pings = @{ $more->{pongs} || [] };
	my $last = @pongs ? $pongs[-1] : undef;
	return 'no pong' if @pings && !@pongs && !$more->{lossy};
	return 'not the last pong' if @pings && @pongs && $last ne $pings[-1] && !$more->{lossy};
	for my $pong (@pongs) {
		shift @pings while @pings && $pings[0] ne $pong;
		return 'a pong that was not asked for' unless @pings;
		shift @pings;
	}
	return '';
}

sub _shown {
	my ($bytes) = @_;
	$bytes =~ s/([^\t\n -~])/$1 eq "\r" ? '' : sprintf '\\x%02x', ord $1/ge;
	return $bytes;
}

# Whether the row would notice: none of these may pass for what it wants.
sub _notices {
	my ($outcome, $more, $seen) = @_;
	my $other = $seen->{ended} ? 'followed' : 'ended';
	my @wrong = ({ %$seen, ended => 0, followed => 0, $other => 1, code => 1000 + ($seen->{code} // 0) });
	push @wrong, { %$seen, answers => [ @{ $seen->{answers} }, 599 ] } unless $seen->{frames};
	push @wrong, { %$seen, code => 4321 } if $seen->{code};
	push @wrong, { %$seen, texts => [ @{ $seen->{texts} }, 'record invented' ] } if $seen->{frames};
	return !grep { judge($outcome, $more, $_) eq '' } @wrong;
}

# --- all of them

sub new {
	my ($class, %o) = @_;
	return bless { sessions => 0, records => 0, runs => 0, blind => [], good => 0, %o }, $class;
}

# A test for each run of each row. each => called after each of them. deflates => permessage-deflate is offered.
sub run {
	my ($self, $name, $rows, %o) = @_;
	my $group = bless { name => $name, frames => $o{frames}, deflates => $o{deflates} }, 'Hub::Battery::Group';
	my (@waiting, @live);
	for my $row (@$rows) {
		die "not a row: $row->[1]\n" if @$row < 4 || @$row > 5 || $row->[3] =~ /[^\w:() |*]/;
		push @waiting, map { [ $row, $_ ] } 'whole', length $row->[2] <= $byte_by_byte ? 'bytes' : (), 'cuts';
	}
	while (@waiting || @live) {
		push @live, $self->_begin($group, @{ shift @waiting }) while @waiting && @live < $window;
		Hub::Client::pump((grep { @{ $_->{pieces} } } @live) ? 0.001 : 0.02);
		$_->step for @live;
		$self->_end($_, $o{each}) for grep { $_->done } @live;
		@live = grep { !$_->done } @live;
	}
	return;
}

sub _end {
	my ($self, $peer, $each) = @_;
	my ($outcome, $more) = @$peer{qw(outcome more)};
	my $wrong = judge($outcome, $more, $peer);
	ok($wrong eq '', "$peer->{name}: $outcome") or diag("$wrong\n" . _shown(substr $peer->{all}, 0, 2000));
	push @{ $self->{blind} }, $peer->{name} if $wrong eq '' && !_notices($outcome, $more, $peer);
	$self->{records} += $more->{records} // grep { /^record / } @{ $more->{texts} || [] } if $peer->{frames};
	$self->{runs}++;
	$self->{resets}++ if ($peer->{ended} || '') =~ /reset/;
	$peer->vanish;
	$each->() if $each;
}

package Hub::Battery::Group;

use overload '""' => sub { $_[0]{name} };

# --- a connection that only sends what it is told, and notes all that comes

package Hub::Battery::Peer;

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use Errno qw(EAGAIN EINTR);
use Time::HiRes qw(time);

our @ISA = ('Hub::Client');

sub _new {
	my $self = Hub::Client::_new(@_);
	@$self{qw(wrong answers texts pongs all)} = ([], [], [], [], '');
	return $self;
}

sub done {
	my ($self) = @_;
	return $self->{followed} || $self->{ended} || $self->{late};
}

# Sends the next piece, then what shows that the connection stays.
sub step {
	my ($self) = @_;
	$self->{late} = 1 if time > $self->{deadline};
	return if $self->done || length $self->{wbuf} || $self->{joining};
	if (@{ $self->{pieces} }) {
		$self->send_bytes(shift @{ $self->{pieces} });
	} elsif (defined $self->{code}) {
		$self->send_bytes(Hub::Battery::frame(8, pack 'n', 1000)) unless $self->{answered}++;
	} elsif (!$self->{asked} && $self->{outcome} =~ /stay/ && $self->_may_ask) {
		$self->{asked} = 1;
		$self->send_bytes($self->{kind} eq 'ws' && !$self->{frames} ? $self->{first} : $self->{follow});
	}
}

# Which question it is depends on what the connection has become.
sub _may_ask {
	my ($self) = @_;
	return $self->{outcome} !~ /101/ || $self->{kind} eq 'ws';
}

sub _read {
	my ($self) = @_;
	my $n = sysread $self->{fh}, my $bytes, 1 << 18;
	return if !defined $n && ($! == EAGAIN || $! == EINTR);
	if (!$n) {
		$self->{ended} = defined $n ? 'end' : "reset: $!";
		$self->_wrong('half an answer') if length $self->{rbuf};
		return $self->_gone($self->{ended});
	}
	$self->{rbuf} .= $bytes;
	$self->{all} .= $bytes unless length $self->{all} > 1 << 20;
	1 while $self->{kind} eq 'ws' ? $self->_take_frame : $self->_take_answer;
}

sub _wrong {
	my ($self, $what) = @_;
	push @{ $self->{wrong} }, $what;
	return 0;
}

# RFC 9112 section 4, and what RFC 9110 wants of every answer.
sub _take_answer {
	my ($self) = @_;
	$self->{rbuf} =~ /\A(.*?\r\n)\r\n/s or return 0;
	my ($head, $size) = ($1, $+[0]);
	$head =~ m{\AHTTP/1\.1 (\d{3}) [\t -~]*\r\n(?:[!#\$%&'*+.^_`|~0-9A-Za-z-]+:[ \t]*[\t -~]*\r\n)*\z}
	    or $self->_wrong('an answer that is none');
	my $status = $1 // 0;
	my ($length) = $head =~ /^content-length: *(\d+)\r$/mi;
	my $bare = $status < 200 || $status == 204;
	my $headless = $self->{heads}[ @{ $self->{answers} } ];
	$self->_wrong("a length in $status") if $bare && defined $length;
	$self->_wrong("no length in $status") if !$bare && !defined $length;
	$self->_wrong("no date in $status")
	    if $status >= 200
	    && $head !~ /^date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r$/mi;
	$length = 0 if $bare || $headless || !defined $length;
	return 0 if length $self->{rbuf} < $size + $length;
	substr $self->{rbuf}, 0, $size + $length, '';
	$self->_switch($head) if $status == 101;
	if ($status == 204 && !$self->{empty}--) {
		$self->_wrong('more behind the last answer') if length $self->{rbuf};
		$self->{followed} = 1;
		return 0;
	}
	$self->_wrong('an answer behind the last one') if $self->{last}++ && $status != 101;
	$self->{last} = 0 unless $head =~ /^connection:.*\bclose\b/mi;
	push @{ $self->{answers} }, $status if !$self->{frames};
	return 1;
}

sub _switch {
	my ($self, $head) = @_;
	my $accept = sha1_base64(($self->{key} // '') . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
	$self->{kind} = 'ws';
	$self->_wrong('a wrong accept') if $head !~ /^sec-websocket-accept: \Q$accept\E\r$/mi;
	$self->_wrong('no upgrade') if $head !~ /^upgrade: websocket\r$/mi || $head !~ /^connection: upgrade\r$/mi;
	$self->_wrong('an extension') if !$self->{deflates} && $head =~ /^sec-websocket-extensions:/mi;
	$self->send_bytes($self->{first}) if $self->{joining};
}

# RFC 6455 section 5.2: what a server may send.
sub _take_frame {
	my ($self) = @_;
	return 0 if length $self->{rbuf} < 2;
	my ($b0, $b1) = unpack 'CC', $self->{rbuf};
	my ($len, $head) = ($b1 & 0x7f, $b1 == 126 ? 4 : $b1 == 127 ? 10 : 2);
	return 0 if length $self->{rbuf} < $head;
	$len = unpack $head == 4 ? 'x2n' : 'x2Q>', $self->{rbuf} if $head > 2;
	return 0 if length $self->{rbuf} < $head + $len;
	my $payload = substr $self->{rbuf}, $head, $len;
	substr $self->{rbuf}, 0, $head + $len, '';
	($b0, $payload) = (0x81, Hub::Client::inflated($payload)) if $b0 == 0xc1 && $self->{deflates};
	$self->_wrong("a frame of $b0") unless $b0 == 0x81 || $b0 == 0x88 || $b0 == 0x89 || $b0 == 0x8a;
	$self->_wrong('a masked frame') if $b1 & 0x80;
	$self->_wrong('a long length') if $head > 2 && $len < ($head == 4 ? 126 : 65536);
	$self->_wrong('a control frame that is too long') if $b0 >= 0x88 && $len > 125;
	$self->_wrong('a message behind the close') if defined $self->{code} && $b0 == 0x81;
	$self->_wrong('two closes') if defined $self->{code} && $b0 == 0x88;
	$self->_got_close($payload) if $b0 == 0x88;
	push @{ $self->{pongs} }, $payload if $b0 == 0x8a;
	$self->_got_text($payload) if $b0 == 0x81;
	return 1;
}

sub _got_close {
	my ($self, $payload) = @_;
	$self->{code} = length $payload ? unpack 'n', $payload : 1005;
	$self->_wrong('half a code') if length $payload == 1;
	$self->_wrong('a reason that is no text') if length $payload > 2 && !utf8::decode(my $reason = substr $payload, 2);
}

sub _got_text {
	my ($self, $text) = @_;
	return if $text =~ /^\{"type":"(?:client_(?:dis)?connected|connection_status)"/;
	my $value = Hub::Client::unjson($text);
	my $type = $value->{type};
	if ($self->{joining} && $type eq 'session_associated') {
		$self->{joining} = 0;
	} elsif ($type eq 'pong' && ($value->{ping_id} // '') eq 'follow') {
		# Records may come behind the answers of their turn, but not of a later one.
		if ($self->{turns}++) {
			$self->{followed} = 1;
		} else {
			$self->send_bytes(Hub::Battery::frame(1, '{"type":"ping","ping_id":"follow"}'));
		}
	} else {
		push @{ $self->{texts} },
		      $type eq 'error' ? "error $value->{data}{code}"
		    : defined $value->{seq} && $type ne 'ack' ? "record $type"
		    :                                           $type;
	}
}

1;
