#!/usr/bin/env bash
# Linux (6.18, TCP): with SO_LINGER close() waits although the socket is non-blocking, and shutdown() does not wait at all.
#
# socket(7) says of SO_LINGER that close() and shutdown() return when all was sent or the time has passed. Of a
# non-blocking socket one would expect neither to wait, or an error that says so. But close() holds the thread for
# the whole time, here 2 s, and then returns 0, whether all was sent or not: nothing tells the two apart. And
# shutdown() returns at once. The time does not end the connection either: a peer that reads later gets all of it.
#
# An event loop that sets it "so that the last words arrive" stands still for everybody once one reader is slow. To
# know that they have arrived: shutdown(SHUT_WR), and go on polling until the peer's end comes.
#
# Assumes Linux and perl.
set -eu

[ "$(uname -s)" = Linux ] && command -v perl >/dev/null || { echo "cannot be tried: no Linux or no perl"; exit 77; }

seen=$(timeout 30 perl - <<'EOF'
use strict;
use warnings;
use IO::Socket::INET;
use Socket;
use Time::HiRes 'time';

my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "$!\n";

sub try {
    my ($what, $full, $end) = @_;
    my $reader = IO::Socket::INET->new('127.0.0.1:' . $listener->sockport) or die "$!\n";
    my $writer = $listener->accept;
    $writer->blocking(0);
    setsockopt $writer, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 2;
    my $sent = 0;
    while (my $n = syswrite $writer, 'x' x 65536) { $sent += $n; last if !$full }
    my $begin = time;
    my $answer = $end->($writer) ? 0 : -1;
    my $waited = time - $begin > 1.5 ? 'after its 2 s' : 'at once';
    my ($read, $n) = (0);
    shutdown $writer, SHUT_WR if fileno $writer;
    $read += $n while $n = sysread $reader, my $data, 1 << 20;
    print "$what: $answer $waited, then the reader gets ", $read == $sent ? 'all' : 'a part', "\n";
}
try('close, the reader reads nothing', 1, sub { close $_[0] });
try('close, all is acknowledged', 0, sub { close $_[0] });
try('shutdown, the reader reads nothing', 1, sub { shutdown $_[0], SHUT_WR });
EOF
) || :
expected='close, the reader reads nothing: 0 after its 2 s, then the reader gets all
close, all is acknowledged: 0 at once, then the reader gets all
shutdown, the reader reads nothing: 0 at once, then the reader gets all'

echo "Linux $(uname -r | cut -d. -f1,2), perl $(perl -e 'printf "%vd", $^V')"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
