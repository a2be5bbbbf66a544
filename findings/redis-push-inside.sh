#!/usr/bin/env bash
# Redis 7.0.15: a client that hears what it publishes gets the message in the middle of the answer to its EXEC.
#
# In RESP3 a connection can subscribe and send commands. The protocol's promise is that a push stands before or
# behind an answer, never within it. For PUBLISH alone and for a script that is so: message, then answer. In
# MULTI the answer to EXEC says that three elements follow; the first does, then the push, then the others. A
# client that counts takes the push for an element and is one behind from there on. Invalidations of CLIENT
# TRACKING wait for the end of EXEC, as one would expect. node-redis 6.3.1 stops: it knows no push there.
#
# A hub that keeps its log by MULTI and listens on one connection works until it has a subscriber of its own. Use
# a script, or a second connection.
#
# Assumes apt-get and dpkg of Debian 12, perl, node and npm.
set -eu

tmp=$(mktemp -d)
pids=
cleanup() {
	for pid in $pids; do kill "$pid" 2>/dev/null || :; done
	wait
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm perl >"$tmp/log" || skip "no node, npm or perl"
version=5:7.0.15-1~deb12u10
(cd "$tmp" && timeout 40 apt-get download "redis-tools=$version") >"$tmp/log" 2>&1 || skip "no redis-tools $version"
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts redis@6.3.1 \
	>"$tmp/log" 2>&1 || skip "no redis 6.3.1"
dpkg -x "$tmp"/redis-tools_*.deb "$tmp/pkg"
# The server is the same file under another name.
ln "$tmp/pkg/usr/bin/redis-check-rdb" "$tmp/redis-server"
"$tmp/redis-server" --port 0 --unixsocket "$tmp/s" --save '' --dir "$tmp" >"$tmp/log" 2>&1 &
pids=$!
redis() { timeout 5 "$tmp/pkg/usr/bin/redis-cli" -s "$tmp/s" "$@" 2>&1; }
for _ in $(seq 50); do redis PING >"$tmp/ping" && break; sleep 0.1; done
grep -q PONG "$tmp/ping" || skip "redis-server does not start"

cat >"$tmp/try.pl" <<'EOF'
use strict;
use warnings;
use IO::Socket::UNIX;

my $redis = IO::Socket::UNIX->new($ARGV[0]) or die "$!\n";
$redis->autoflush;
# What comes until the answer to an ECHO, which ends it, its lines parted by spaces.
sub ask {
    my ($command) = @_;
    print $redis "$command\r\nECHO end\r\n";
    my $answer = '';
    sysread $redis, $answer, 65536, length $answer or die "no answer\n" until $answer =~ s/\$3\r\nend\r\n\z//;
    return join ' ', split /\r\n/, $answer;
}
ask($_) for 'HELLO 3', 'SUBSCRIBE room';
print "PUBLISH: ", ask('PUBLISH room hi'), "\n";
print "script:  ", ask(q{EVAL "redis.call('PUBLISH', 'room', 'hi') return {7, 8}" 0}), "\n";
# ECHO would be queued: MULTI and EXEC go together.
print "MULTI:   ", ask("MULTI\r\nINCR a\r\nPUBLISH room hi\r\nINCR a\r\nEXEC"), "\n";
ask($_) for 'UNSUBSCRIBE room', 'CLIENT TRACKING ON', 'GET a';
print "tracked: ", ask("MULTI\r\nINCR a\r\nINCR a\r\nEXEC"), "\n";
EOF
cat >"$tmp/try.js" <<'EOF'
const { createClient } = require('redis');

(async () => {
  const client = createClient({ RESP: 3, socket: { path: process.argv[2], reconnectStrategy: false } });
  client.on('error', (error) => { console.log(`node-redis: ${error.message}`); process.exit(); });
  await client.connect();
  await client.subscribe('room', () => {});
  console.log(`node-redis: ${await client.multi().incr('a').publish('room', 'hi').incr('a').exec()}`);
  process.exit();
})();
EOF
seen=$(timeout 10 perl "$tmp/try.pl" "$tmp/s" 2>"$tmp/log") || :
seen="$seen
$(timeout 10 node "$tmp/try.js" "$tmp/s" 2>"$tmp/log")" || :
expected='PUBLISH: >3 $7 message $4 room $2 hi :1
script:  >3 $7 message $4 room $2 hi *2 :7 :8
MULTI:   +OK +QUEUED +QUEUED +QUEUED *3 :1 >3 $7 message $4 room $2 hi :1 :2
tracked: +OK +QUEUED +QUEUED *2 :3 :4 >2 $10 invalidate *1 $1 a
node-redis: Unknown RESP type 62 ">"'

redis INFO server | grep redis_version
echo "redis (npm) 6.3.1, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
