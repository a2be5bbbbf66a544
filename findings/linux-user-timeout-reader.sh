#!/usr/bin/env bash
# Linux (6.18): TCP_USER_TIMEOUT ends a connection whose reader is alive, answers, and reads all the time.
#
# The option is set to find peers that are gone: "unacknowledged for so long" is what is known of it. But a peer's
# full buffer counts as well, and one would expect that to end as soon as something is read. It does not: a window
# that was closed opens again only when a good part of the buffer is free (a sixteenth, and a segment at least), and
# each answer until then says 0. Who reads 10 kB/s, without a pause, is ended after 3 s with ETIMEDOUT, "timed out",
# in the middle of its buffer. Without the option it goes on; a fast reader never notices.
#
# A server that sets 5 or 10 s, to be quick about dead mobile clients, ends slow ones as soon as it has more to send
# than they hold (TCP_NOTSENT_LOWAT is no help: it is the peer's buffer that is full). Count what the program on the
# other side has answered instead, by pings or acknowledgements, and close on that.
#
# Assumes Linux and perl.
set -eu

if [ "$(uname -s)" != Linux ] || ! command -v perl >/dev/null; then
	echo "cannot be tried: no Linux or no perl"
	exit 77
fi

seen=$(timeout 40 perl - <<'EOF'
use strict;
use warnings;
use Errno qw(EAGAIN ETIMEDOUT);
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_MAXSEG);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);
use constant TCP_USER_TIMEOUT => 18;

$SIG{PIPE} = 'IGNORE';
sub now { return clock_gettime(CLOCK_MONOTONIC) }

# Segments as on an Ethernet, for those of loopback are larger.
my $listener = IO::Socket::INET->new(Listen => 3, LocalAddr => '127.0.0.1') or die "$!\n";
setsockopt $listener, IPPROTO_TCP, TCP_MAXSEG, 1448;
my @pairs = map { { name => $_->[0], timeout => $_->[1], rate => $_->[2], got => 0, end => '' } }
    ['slow, 3 s', 3000, 10_000], ['slow, no timeout', 0, 10_000], ['fast, 3 s', 3000, 10_000_000];
for my $pair (@pairs) {
    $pair->{reader} = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $listener->sockport) or die "$!\n";
    $pair->{sender} = $listener->accept;
    setsockopt $pair->{sender}, IPPROTO_TCP, TCP_USER_TIMEOUT, pack 'I', $pair->{timeout};
    $_->blocking(0) for @$pair{'reader', 'sender'};
}
my $block = 'x' x 65536;
my $begin = now();
for (my $time = 0; $time < 9; $time = now() - $begin) {
    for my $pair (grep { !$_->{end} } @pairs) {
        for (1 .. 400) { defined syswrite $pair->{sender}, $block or last }
        $pair->{end} = $! == ETIMEDOUT ? 'ETIMEDOUT' : "$!" if $! != EAGAIN;
        while ((my $due = $pair->{rate} * $time - $pair->{got}) >= 1) {
            my $n = sysread($pair->{reader}, my $data, $due) or last;
            $pair->{got} += $n;
        }
    }
    sleep 0.05;
}
for my $pair (@pairs) {
    my $read = $pair->{got} >= 20_000 ? 'had read all the time' : 'had read little';
    printf "%s: %s, %s\n", $pair->{name}, $pair->{end} || 'goes on', $read;
}
EOF
) || :
expected='slow, 3 s: ETIMEDOUT, had read all the time
slow, no timeout: goes on, had read all the time
fast, 3 s: goes on, had read all the time'

echo "Linux $(uname -r | cut -d. -f1,2), perl $(perl -e 'printf "%vd", $^V')"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
