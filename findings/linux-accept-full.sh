#!/usr/bin/env bash
# Linux (6.18): accept() at the limit of descriptors says EMFILE even where nobody waits to be accepted, since it
# takes the descriptor before it looks for a connection.
#
# A loop of "accept until EAGAIN" that counts each EMFILE as a client it had to turn away, or sheds one by
# means of a spare descriptor, counts and logs clients that never were, at each wakeup. Ask poll() first, or
# free the spare one and accept again: EAGAIN then means that there was nobody.
#
# Assumes Linux and perl.
set -eu

[ "$(uname -s)" = Linux ] && command -v perl >/dev/null || { echo "cannot be tried: no Linux or no perl"; exit 77; }

seen=$(ulimit -n 64 && timeout 15 perl - <<'EOF'
use strict;
use warnings;
use Errno qw(EAGAIN EMFILE);
use IO::Socket::INET;
use POSIX ();

my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Blocking => 0) or die "$!\n";
sub try { return $listener->accept ? 'a connection' : $! == EMFILE ? 'EMFILE' : $! == EAGAIN ? 'EAGAIN' : "$!" }

print 'nobody waits: ', try(), "\n";
my @taken;
while (defined(my $fd = POSIX::dup(0))) { push @taken, $fd }
print 'nobody waits, no descriptor is left: ', try(), "\n";
POSIX::close(pop @taken);
print 'nobody waits, one is left: ', try(), "\n";
EOF
) || :
expected='nobody waits: EAGAIN
nobody waits, no descriptor is left: EMFILE
nobody waits, one is left: EAGAIN'

echo "Linux $(uname -r | cut -d. -f1,2), perl $(perl -e 'printf "%vd", $^V')"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
