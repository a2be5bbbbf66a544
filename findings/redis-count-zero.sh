#!/usr/bin/env bash
# Redis 7.0.15: COUNT 0 is "none" to XRANGE and "all" to XREAD and XREADGROUP.
#
# A reader that asks for as many entries as it has room for says COUNT 0 when it has none. One would expect the
# three commands that read a stream to agree on it, or to refuse it. XRANGE and XREVRANGE answer null, as if the
# stream were empty, and not even the empty list that a range without entries has. XREAD and XREADGROUP answer with
# the whole stream, and XREADGROUP makes all of it pending for this consumer. -1 goes the same ways.
#
# A hub that paces itself by COUNT gets everything at the moment when it can take nothing; one that reads
# null as "no more" believes that it has caught up. Ask only when there is room for one.
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

for id in 1-1 2-1 3-1; do redis XADD log $id record x >"$tmp/log"; done
redis XGROUP CREATE log readers 0 >"$tmp/log"
# The ids in an answer, or the answer if there is none.
ask() { echo "$* -> $(redis --json "$@" | grep -oE '[0-9]-1' | paste -sd ' ' | grep . || redis --json "$@")"; }
seen=$(
	ask XRANGE log 5 +
	ask XRANGE log - + COUNT 0
	ask XREVRANGE log + - COUNT 0
	ask XREAD COUNT 0 STREAMS log 0
	ask XREADGROUP GROUP readers one COUNT 0 STREAMS log '>'
	echo "pending for it: $(redis XPENDING log readers | head -n 1)"
	ask XRANGE log - + COUNT -1
	ask XREAD COUNT -1 STREAMS log 0
)
expected='XRANGE log 5 + -> []
XRANGE log - + COUNT 0 -> null
XREVRANGE log + - COUNT 0 -> null
XREAD COUNT 0 STREAMS log 0 -> 1-1 2-1 3-1
XREADGROUP GROUP readers one COUNT 0 STREAMS log > -> 1-1 2-1 3-1
pending for it: 3
XRANGE log - + COUNT -1 -> null
XREAD COUNT -1 STREAMS log 0 -> 1-1 2-1 3-1'

redis INFO server | grep redis_version
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
