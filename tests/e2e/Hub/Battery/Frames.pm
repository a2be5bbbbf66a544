# WebSocket framing, RFC 6455 sections 5 and 8: what a client may send, and all it may not.
package Hub::Battery::Frames;

use strict;
use warnings;

use Hub::Battery qw(frame message);

my $t = message('t');
my @record = ('1002', { records => 0 });
my %names = (0 => 'continuation', 1 => 'text', 2 => 'binary', 8 => 'close', 9 => 'ping', 10 => 'pong');

sub one { return { texts => [ ('record t') x ($_[0] // 1) ] } }

# Published, perhaps told, before it ends.
sub before { return { texts => [ ('record t') x ($_[0] // 1) ], lossy => 1, records => $_[0] // 1 } }

sub payload_of { return $_[0] == 8 ? pack 'n', 1000 : $_[0] >= 9 ? 'p' : $t }

sub lengths {
	my $s = '6455 5.2';
	my @rows = map { [ $s, "$_ bytes", frame(1, message('t', $_)), 'stay', one() ] }
	    20, 124 .. 129, 255, 256, 1000, 4095, 4096, 4097, 16384, 32768, 65535, 65536;
	push @rows, [ $s, 'no bytes', frame(1, ''), 'stay', { texts => ['error bad_json'] } ];
	for my $size (0, 1, 12, 125) {
		push @rows, [ $s, "$size in 16 bits", frame(1, 'x' x $size, form => 16), '1002' ];
		push @rows, [ $s, "ping of $size in 16 bits", frame(9, 'x' x $size, form => 16), '1002' ];
	}
	push @rows, [ $s, "$_ in 64 bits", frame(1, 'x' x $_, form => 64), '1002' ]
	    for 0, 1, 12, 125, 126, 127, 65535;
	push @rows, [ $s, "the length $_", pack('CC', 0x81, 0xff) . pack('H*', $_) . 'mask', '1002' ]
	    for qw(8000000000000000 8000000000000001 ffffffffffffffff c000000000000000 8000000000010000);
	push @rows, [ $s, "the length $_ without more", pack('CC', 0x81, 0xff) . pack('H*', $_), '1002' ]
	    for qw(8000000000000000 ffffffffffffffff);
	push @rows, [ '6455 10.4', "only the header of $_ bytes", frame(1, '', length => $_), '1009' ]
	    for 65537, 65538, 1 << 20, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 40, ~0 >> 1;
	push @rows, [ '6455 10.4', 'one byte too large', frame(1, message('t', 65537)), '1009' ];
	push @rows, [ '6455 10.4', 'one byte too large in fragments',
		frame(1, 'x' x 65536, fin => 0) . frame(0, '', length => 1), '1009' ];
	push @rows, [ '6455 10.4', 'too large in fragments',
		frame(1, 'x' x 40000, fin => 0) . frame(0, '', length => 30000, fin => 0), '1009' ];
	push @rows, [ '6455 10.4', 'far too large in fragments',
		frame(1, 'x' x 40000, fin => 0) . frame(0, '', length => 1 << 62), '1009' ];
	push @rows, [ '6455 10.4', 'lengths whose sum wraps in 32 bits',
		frame(1, 'x' x 40000, fin => 0) . frame(0, '', length => (1 << 32) - 40000), '1009' ];
	my $big = message('t', 65536);
	push @rows, [ '6455 5.4', 'as large as it may be, in fragments',
		frame(1, substr($big, 0, 1), fin => 0) . frame(0, substr($big, 1, 65534), fin => 0) . frame(0, '}'),
		'stay', one() ];
	return @rows;
}

sub masks {
	my @rows = map { [ '6455 5.1', "$names{$_} without a mask", frame($_, payload_of($_), mask => ''), '1002' ] }
	    0, 1, 2, 8, 9, 10;
	push @rows, [ '6455 5.1', 'empty text without a mask', frame(1, '', mask => ''), '1002' ];
	push @rows, [ '6455 5.1', 'a second frame without a mask', frame(1, $t) . frame(1, $t, mask => ''), '1002',
		before() ];
	push @rows, [ '6455 5.1', 'a fragment without a mask', frame(1, substr($t, 0, 3), fin => 0)
		    . frame(0, substr($t, 3), mask => ''), '1002' ];
	push @rows, [ '6455 5.1', 'a large frame without a mask, its header only',
		substr(frame(1, message('t', 1000), mask => ''), 0, 4), '1002' ];
	push @rows, [ '6455 5.3', 'the mask ' . $_, frame(1, $t, mask => pack 'H*', $_), 'stay', one() ]
	    for qw(00000000 ffffffff 01020304 80808080 00000001 ff000000 7b227479);
	push @rows, [ '6455 5.3', "a mask over $_ bytes", frame(1, message('t', $_), mask => "\1\2\3\4"), 'stay', one() ]
	    for 21 .. 40, 63 .. 66;
	push @rows, [ '6455 5.3', 'each fragment has its own mask', frame(1, substr($t, 0, 5), fin => 0, mask => 'abcd')
		    . frame(0, substr($t, 5), mask => 'wxyz'), 'stay', one() ];
	push @rows, [ '6455 5.3', 'the wrong mask gives no text', frame(1, $t ^ "\x80" x length $t, mask => "\0\0\0\0"),
		'1007' ];
	return @rows;
}

sub reserved {
	my @rows;
	for my $op (sort { $a <=> $b } keys %names) {
		push @rows, map { [ '6455 5.2', "reserved bits $_ in $names{$op}", frame($op, payload_of($op), rsv => $_), '1002' ] }
		    1 .. 7;
	}
	push @rows, [ '6455 5.2', 'reserved bits in a fragment', frame(1, substr($t, 0, 3), fin => 0)
		    . frame(0, substr($t, 3), rsv => 4), '1002' ];
	push @rows, [ '6455 5.2', 'reserved bits after a message', frame(1, $t) . frame(1, $t, rsv => 2), '1002', before() ];
	for my $op (3 .. 7, 11 .. 15) {
		push @rows, [ '6455 5.2', "opcode $op", frame($op, $t), '1002' ];
		push @rows, [ '6455 5.2', "opcode $op of no bytes", frame($op, ''), '1002' ];
		push @rows, [ '6455 5.2', "opcode $op between fragments",
			frame(1, substr($t, 0, 3), fin => 0) . frame($op, '') . frame(0, substr $t, 3), '1002' ];
	}
	push @rows, [ '6455 5.6', 'binary', frame(2, $t), '1003' ];
	push @rows, [ '6455 5.6', 'binary of no bytes', frame(2, ''), '1003' ];
	push @rows, [ '6455 5.6', 'binary in fragments', frame(2, 'ab', fin => 0) . frame(0, 'c'), '1003' ];
	push @rows, [ '6455 5.6', 'the first fragment of binary', frame(2, 'ab', fin => 0), '1003' ];
	push @rows, [ '6455 5.6', 'binary that is not UTF-8', frame(2, "\xff\xfe"), '1003' ];
	push @rows, [ '6455 5.6', 'text after binary is not taken', frame(2, 'x') . frame(1, $t), '1003' ];
	return @rows;
}

sub control {
	my @rows;
	for my $op (8, 9, 10) {
		my $start = $op == 8 ? pack 'n', 1000 : '';
		for my $size (0, 2, 125) {
			my $payload = substr $start . 'p' x 125, 0, $size;
			push @rows, [ '6455 5.5', "$names{$op} of $size in fragments", frame($op, $payload, fin => 0), '1002' ];
		}
		for my $size (126, 127, 1000, 65536) {
			push @rows, [ '6455 5.5', "$names{$op} of $size", frame($op, $start . 'p' x ($size - length $start)), '1002' ];
			push @rows, [ '6455 5.5', "the header of $names{$op} of $size", frame($op, '', length => $size), '1002' ];
		}
	}
	push @rows, [ '6455 5.4', 'a ping between fragments',
		frame(1, substr($t, 0, 3), fin => 0) . frame(9, 'a') . frame(0, substr $t, 3), 'stay',
		{ %{ one() }, pongs => ['a'] } ];
	push @rows, [ '6455 5.4', 'a pong between fragments',
		frame(1, substr($t, 0, 3), fin => 0) . frame(10, 'a') . frame(0, substr $t, 3), 'stay', one() ];
	push @rows, [ '6455 5.4', 'pings between all fragments',
		frame(1, '', fin => 0) . join('', map { frame(9, $_) . frame(0, $_, fin => 0) } split //, $t) . frame(0, ''),
		'stay', { %{ one() }, pongs => [ split //, $t ] } ];
	push @rows, [ '6455 5.5.1', 'a close between fragments',
		frame(1, substr($t, 0, 3), fin => 0) . frame(8, pack 'n', 1001) . frame(0, substr $t, 3), '1001' ];
	push @rows, [ '6455 5.5', 'a ping in fragments between fragments',
		frame(1, substr($t, 0, 3), fin => 0) . frame(9, 'a', fin => 0) . frame(0, substr $t, 3), '1002' ];
	return @rows;
}

sub fragments {
	my @rows;
	my $long = message('t', 60);
	for my $size (1, 2, 3, 7, 30, 59, 60) {
		my @parts = $long =~ /(.{1,$size})/gs;
		push @rows, [ '6455 5.4', "pieces of $size",
			join('', map { frame($_ ? 0 : 1, $parts[$_], fin => $_ == $#parts) } 0 .. $#parts), 'stay', one() ];
	}
	my ($a, $b) = (substr($t, 0, 4), substr $t, 4);
	push @rows,
	    [ '6455 5.4', 'an empty first piece', frame(1, '', fin => 0) . frame(0, $t), 'stay', one() ],
	    [ '6455 5.4', 'an empty last piece', frame(1, $t, fin => 0) . frame(0, ''), 'stay', one() ],
	    [ '6455 5.4', 'an empty piece in the middle',
		frame(1, $a, fin => 0) . frame(0, '', fin => 0) . frame(0, $b), 'stay', one() ],
	    [ '6455 5.4', 'only empty pieces', frame(1, '', fin => 0) . frame(0, '', fin => 0) . frame(0, ''), 'stay',
		{ texts => ['error bad_json'] } ],
	    [ '6455 5.4', 'a thousand empty pieces', frame(1, $a, fin => 0) . frame(0, '', fin => 0) x 1000 . frame(0, $b),
		'stay', one() ],
	    [ '6455 5.4', 'two messages in pieces', join('', map { frame(1, $a, fin => 0) . frame(0, $b) } 1, 2), 'stay', one(2) ],
	    [ '6455 5.4', 'whole, in pieces, whole', frame(1, $t) . frame(1, $a, fin => 0) . frame(0, $b) . frame(1, $t),
		'stay', one(3) ],
	    [ '6455 5.4', 'a hundred messages', frame(1, $t) x 100, 'stay', one(100) ],
	    [ '6455 5.4', 'pieces of all length forms', frame(1, $a, fin => 0) . frame(0, ' ' x 200, fin => 0)
		    . frame(0, ' ' x 200, fin => 0) . frame(0, $b), 'stay', { texts => ['error bad_type'] } ],
	    [ '6455 5.4', 'a continuation of nothing', frame(0, $t), '1002' ],
	    [ '6455 5.4', 'an empty continuation of nothing', frame(0, ''), '1002' ],
	    [ '6455 5.4', 'a piece of nothing', frame(0, $t, fin => 0), '1002' ],
	    [ '6455 5.4', 'a continuation after a whole message', frame(1, $t) . frame(0, $t), '1002', before() ],
	    [ '6455 5.4', 'a continuation after the last piece',
		frame(1, $a, fin => 0) . frame(0, $b) . frame(0, $b), '1002', before() ],
	    [ '6455 5.4', 'a continuation after a ping', frame(9, 'p') . frame(0, $t), '1002', { pongs => ['p'] } ],
	    [ '6455 5.4', 'text inside text', frame(1, $a, fin => 0) . frame(1, $t), '1002' ],
	    [ '6455 5.4', 'a first piece inside text', frame(1, $a, fin => 0) . frame(1, $a, fin => 0), '1002' ],
	    [ '6455 5.4', 'binary inside text', frame(1, $a, fin => 0) . frame(2, $t), '1002' ],
	    [ '6455 5.4', 'empty text inside text', frame(1, $a, fin => 0) . frame(1, ''), '1002' ],
	    [ '6455 5.4', 'text inside text after a piece',
		frame(1, $a, fin => 0) . frame(0, 'x', fin => 0) . frame(1, $t), '1002' ],
	    [ '6455 5.4', 'text inside binary', frame(2, $a, fin => 0) . frame(1, $t), '1003' ];
	return @rows;
}

# RFC 3629: in a string of JSON.
my @good = qw(24 c280 c2a2 c3a9 dfbf e0a080 e282ac ed9fbf ee8080 efbfbd efbfbe efbfbf f0908080 f09f9880 f3bfbfbf
    f48fbfbd f48fbfbf 61cc81 cebae1bdb9cf83cebcceb5);
my @bad = qw(80 bf c0 c080 c0af c180 c1bf c2 c200 c2c0 df7f e080 e08080 e09fbf e28028 e2c280 ed a0 eda080 edad7f
    edae80 edbfbf eda080edb080 ee8000 f0808080 f08fbfbf f0288080 f09080c0 f4908080 f48fc080 f5808080 f7bfbfbf f8888080
    f888808080 fc8480808080 fe ff feff fffe);
my @half = qw(c2 df e0a0 e282 ed9f ef f0 f09f f09f98 f48fbf);

sub utf8_rows {
	my @rows;
	for my $hex (@good) {
		my $text = '{"type":"t","x":"' . pack('H*', $hex) . '"}';
		push @rows, [ '6455 8.1', "good: $hex", frame(1, $text), 'stay', one() ];
	}
	for my $hex (qw(c3a9 e282ac f09f9880)) {
		my $text = '{"type":"t","x":"' . pack('H*', $hex) . '"}';
		push @rows, [ '6455 5.6', "$hex cut into pieces behind byte $_",
			frame(1, substr($text, 0, 17 + $_), fin => 0) . frame(0, substr $text, 17 + $_), 'stay', one() ]
		    for 1 .. length($hex) / 2 - 1;
	}
	for my $hex (@bad) {
		my $start = '{"type":"t","x":"' . pack 'H*', $hex;
		push @rows, [ '6455 8.1', "bad: $hex", frame(1, qq($start"})), '1007' ];
		# The rest of it never comes: nothing may wait for that.
		push @rows, [ '6455 8.1', "bad at once: $hex", frame(1, $start . 'more', length => 5000), '1007' ];
		push @rows, [ '6455 8.1', "bad in a first piece: $hex", frame(1, qq($start"}), fin => 0), '1007' ];
	}
	for my $hex (@half) {
		my $start = '{"type":"t","x":"' . pack 'H*', $hex;
		push @rows, [ '6455 8.1', "ends inside a character: $hex", frame(1, $start), '1007' ];
		push @rows, [ '6455 8.1', "ends inside a character, empty last piece: $hex",
			frame(1, $start, fin => 0) . frame(0, ''), '1007' ];
		push @rows, [ '6455 8.1', "goes on with what does not belong: $hex",
			frame(1, $start, fin => 0) . frame(0, '"', length => 3000, fin => 0), '1007' ];
	}
	push @rows, [ '6455 8.1', 'a good message, then a bad one', frame(1, $t) . frame(1, "\xff"), '1007', before() ];
	push @rows, [ '6455 8.1', 'a bad piece after a ping in it',
		frame(1, '{"type":"', fin => 0) . frame(9, 'a') . frame(0, "\xff", fin => 0), '1007', { pongs => ['a'] } ];
	push @rows, [ '6455 8.1', 'a ping of bytes that are no text', frame(9, "\xff\xfe"), 'stay', { pongs => ["\xff\xfe"] } ];
	push @rows, [ '6455 8.1', 'bad after 60,000 good bytes', frame(1, 'x' x 60000 . "\xff", length => 65536), '1007' ];
	return @rows;
}

sub closes {
	my @rows = map { [ '6455 7.4', "code $_", frame(8, pack 'n', $_), $_ ] }
	    1000 .. 1003, 1007 .. 1014, 3000, 3001, 3999, 4000, 4001, 4999;
	push @rows, [ '6455 7.4', "code $_ is none", frame(8, pack 'n', $_), '1002' ]
	    for 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5001, 65535;
	push @rows, [ '6455 5.5.1', 'no code', frame(8, ''), '1005' ];
	push @rows, [ '6455 5.5.1', 'half a code', frame(8, "\3"), '1002' ];
	push @rows, [ '6455 5.5.1', "a reason of $_ bytes", frame(8, pack('n', 1000) . 'r' x $_), '1000' ]
	    for 1, 2, 50, 122, 123;
	push @rows, [ '6455 5.5.1', "a reason: $_", frame(8, pack('n', 1000) . pack 'H*', $_), '1000' ]
	    for qw(c3a9 e282ac f09f9880 00);
	push @rows, [ '6455 5.5.1', "a reason that is no text: $_", frame(8, pack('n', 1000) . pack 'H*', $_), '1007' ]
	    for qw(ff 80 c0af eda080 f4908080 e282 61f09f98);
	push @rows, [ '6455 7.4', 'no code and no text', frame(8, pack('n', 1005) . "\xff"), '1002' ];
	my $close = frame(8, pack 'n', 1000);
	push @rows,
	    [ '6455 5.5.1', 'a message after a close', $close . frame(1, $t), '1000', { records => 0 } ],
	    [ '6455 5.5.1', 'a ping after a close', $close . frame(9, 'p'), '1000' ],
	    [ '6455 5.5.1', 'a close after a close', $close . frame(8, pack 'n', 1001), '1000' ],
	    [ '6455 5.5.1', 'no frame after a close', $close . "\xff" x 50, '1000' ],
	    [ '6455 5.5.1', 'a megabyte after a close, but a little', $close . "\xff" x 1_000_000, '1000' ],
	    [ '6455 7.1.7', 'a message after a failure', frame(1, $t, rsv => 1) . frame(1, $t), '1002', { records => 0 } ],
	    [ '6455 7.1.7', 'a close after a failure', frame(3, '') . $close, '1002' ],
	    [ '6455 5.5.1', 'a message before a close', frame(1, $t) . $close, '1000', one() ],
	    [ '6455 5.5.1', 'a hundred messages before a close', frame(1, $t) x 100 . $close, '1000', one(100) ],
	    [ '6455 5.5.1', 'what is no message before a close', frame(1, '{') . $close, '1000', { texts => ['error bad_json'] } ],
	    [ '6455 5.5.1', 'half a message before a close', frame(1, '{"ty', fin => 0) . $close, '1000' ],
	    [ '6455 5.5.1', 'a ping before a close', frame(9, 'p') . $close, '1000', { pongs => ['p'] } ],
	    [ '6455 5.5.1', 'binary before a close', frame(2, 'x') . $close, '1003' ],
	    [ '6455 5.5.1', 'message, ping, binary, close', frame(1, $t) . frame(9, 'p') . frame(2, 'x') . $close, '1003',
		{ %{ before() }, pongs => ['p'] } ];
	return @rows;
}

sub pings {
	my @rows = map { [ '6455 5.5.2', "a ping of $_", frame(9, 'p' x $_), 'stay', { pongs => [ 'p' x $_ ] } ] }
	    0, 1, 2, 7, 64, 124, 125;
	for my $from (0, 125, 250) {
		my $bytes = join '', map { chr($_ & 255) } $from .. $from + 124;
		push @rows, [ '6455 5.5.2', "a ping of the bytes from $from", frame(9, $bytes), 'stay', { pongs => [$bytes] } ];
	}
	push @rows, [ '6455 5.5.3', "$_ pings", join('', map { frame(9, "p$_") } 1 .. $_), 'stay',
		{ pongs => [ map { "p$_" } 1 .. $_ ] } ]
	    for 2, 3, 10, 100, 1000;
	push @rows,
	    [ '6455 5.5.2', 'message, ping, message', frame(1, $t) . frame(9, 'a') . frame(1, $t), 'stay',
		{ %{ one(2) }, pongs => ['a'] } ],
	    [ '6455 5.5.3', 'a pong that was not asked for', frame(10, 'a'), 'stay' ],
	    [ '6455 5.5.3', 'an empty pong', frame(10, ''), 'stay' ],
	    [ '6455 5.5.3', 'a pong of 125', frame(10, "\xff" x 125), 'stay' ],
	    [ '6455 5.5.3', 'many pongs', frame(10, 'a') x 200, 'stay' ],
	    [ '6455 5.5.2', 'a ping before a failure', frame(9, 'a') . frame(3, ''), '1002', { pongs => ['a'] } ],
	    [ '6455 5.5.2', 'a ping before text that is none', frame(9, 'a') . frame(1, "\xff"), '1007', { pongs => ['a'] } ],
	    [ '6455 5.5.2', 'a ping before binary', frame(9, 'a') . frame(2, 'x'), '1003', { pongs => ['a'] } ],
	    [ '6455 5.5.2', 'a ping after binary', frame(2, 'x') . frame(9, 'a'), '1003', { pongs => ['a'], lossy => 1 } ],
	    [ '6455 5.5.2', 'an empty ping among others', frame(9, 'a') . frame(9, '') . frame(9, 'b'), 'stay',
		{ pongs => [ 'a', '', 'b' ] } ];
	return @rows;
}

sub groups {
	return (
		[ 'lengths', [ lengths() ] ], [ 'masks', [ masks() ] ], [ 'bits and opcodes', [ reserved() ] ],
		[ 'control frames', [ control() ] ], [ 'fragments', [ fragments() ] ], [ 'UTF-8', [ utf8_rows() ] ],
		[ 'closes', [ closes() ] ], [ 'pings', [ pings() ] ]);
}

1;
