#!/usr/bin/env bash
# Redis 7.0.15: a script that is refused for want of memory may have published already.
#
# One would expect a script, which runs as one step, to be refused whole or not at all. But the limit
# of memory is looked at when the first command that needs memory is called, and PUBLISH is none:
# "publish, then append to the stream" delivers the message and then fails. The caller is told OOM,
# the subscribers hold a record that the log never got, and a caller who tries again sends it twice.
# Appending first keeps both quiet. So does a first line "#!lua", which asks for the check up front.
#
# A hub that keeps its log in a stream and wakes readers by PUBLISH has to write first, publish last.
#
# Assumes apt-get and dpkg of Debian 12.
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

version=5:7.0.15-1~deb12u10
(cd "$tmp" && timeout 40 apt-get download "redis-tools=$version") >"$tmp/log" 2>&1 || skip "no redis-tools $version"
dpkg -x "$tmp"/redis-tools_*.deb "$tmp/pkg"
# The server is the same file under another name.
ln "$tmp/pkg/usr/bin/redis-check-rdb" "$tmp/redis-server"
"$tmp/redis-server" --port 0 --unixsocket "$tmp/s" --save '' --dir "$tmp" >"$tmp/log" 2>&1 &
pids=$!
redis() { timeout 5 "$tmp/pkg/usr/bin/redis-cli" -s "$tmp/s" "$@" 2>&1; }
for _ in $(seq 50); do redis PING >"$tmp/ping" && break; sleep 0.1; done
grep -q PONG "$tmp/ping" || skip "redis-server does not start"

timeout 20 "$tmp/pkg/usr/bin/redis-cli" -s "$tmp/s" SUBSCRIBE room >"$tmp/heard" &
pids="$pids $!"
for _ in $(seq 50); do grep -q '^1$' "$tmp/heard" && break; sleep 0.1; done

redis CONFIG SET maxmemory 1 >"$tmp/log"
publish='redis.call("PUBLISH", "room", ARGV[1])'
append='redis.call("XADD", KEYS[1], "*", "record", ARGV[1])'
first=$(redis EVAL "$publish $append" 1 log publish-then-append)
second=$(redis EVAL "$append $publish" 1 log append-then-publish)
third=$(redis EVAL $'#!lua\n'"$publish $append" 1 log with-a-first-line)
redis CONFIG SET maxmemory 0 >"$tmp/log"
redis PUBLISH room last >"$tmp/log"
for _ in $(seq 50); do grep -q '^last$' "$tmp/heard" && break; sleep 0.1; done
heard=$(grep -x -e '.*-.*' "$tmp/heard" || :)
length=$(redis XLEN log)

redis INFO server | grep redis_version
cat <<EOF
expected: three refusals and an empty log, and yet the message of the first script is heard
seen:     publish, append       ${first%% when*}
          append, publish       ${second%% when*}
          the first, by #!lua   ${third%% when*}
          entries in the log    $length
          subscriber heard      ${heard//$'\n'/, }
EOF
[[ $first == OOM* && $second == OOM* && $third == OOM* ]] && [ "$length" = 0 ] && [ "$heard" = publish-then-append ] ||
	{ echo "CHANGED"; exit 1; }
echo "as stated"
