#!/usr/bin/env bash
# Linux (6.18, TCP): when the peer has reset a connection, what it sent before can still be read,
# but getpeername() says ENOTCONN: who it was cannot be asked any more.
#
# A server that asks for the address when it handles a request, and not when it accepts, serves such a
# request for nobody, and its log has no address there. Ask right after accept(), or take the address that
# accept() gives.
#
# Assumes Linux and perl.
set -eu

[ "$(uname -s)" = Linux ] && command -v perl >/dev/null || { echo "cannot be tried: no Linux or no perl"; exit 77; }

seen=$(timeout 15 perl - <<'EOF'
use strict;
use warnings;
use Errno qw(ENOTCONN ECONNRESET);
use IO::Select;
use IO::Socket::INET;
use Socket;

my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "$!\n";
my $client = IO::Socket::INET->new('127.0.0.1:' . $listener->sockport) or die "$!\n";
my $server = $listener->accept;
print 'before: the peer is ', (getpeername $server) ? 'known' : 'unknown', "\n";
syswrite $client, 'hello';
IO::Select->new($server)->can_read(5);
setsockopt $client, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
close $client;
# The reset has come when the socket has an error to tell.
my $poll = '';
vec($poll, fileno $server, 1) = 1;
select undef, undef, my $error = $poll, 0.5;
print 'after the reset: ', (getpeername $server) ? 'known' : $! == ENOTCONN ? 'ENOTCONN' : "$!", "\n";
my $n = sysread $server, my $data, 100;
print 'read: ', defined $n ? $data : "$!", "\n";
$n = sysread $server, $data, 100;
print 'read: ', defined $n ? 'end' : $! == ECONNRESET ? 'ECONNRESET' : "$!", "\n";
EOF
) || :
expected='before: the peer is known
after the reset: ENOTCONN
read: hello
read: ECONNRESET'

echo "Linux $(uname -r | cut -d. -f1,2), perl $(perl -e 'printf "%vd", $^V')"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
