#!/usr/bin/env bash
# Redis 7.0.15: one number in one script is written in two ways.
#
# One would expect a whole number far below 2^53 to look the same wherever a Lua script writes it.
# As an argument of redis.call it is exact. Joined to a string with "..", or through cjson, it is
# rounded to 14 digits and gets an exponent, from 10^14 on. A millisecond clock has 13 digits and
# never shows it; a microsecond clock has 16: neighbours in time become the same text, and the
# identifier of a stream entry built with ".." is refused as malformed.
#
# For a hub that numbers or stamps records in a script: keep such numbers strings, from the argument
# to the reply, or hand them to redis.call as they are and never through "..".
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

micros=1732875397123456
as_argument=$(redis EVAL 'redis.call("SET", KEYS[1], tonumber(ARGV[1])) return redis.call("GET", KEYS[1])' 1 t $micros)
joined=$(redis EVAL 'return "" .. tonumber(ARGV[1])' 0 $micros)
neighbour=$(redis EVAL 'return "" .. (tonumber(ARGV[1]) + 1)' 0 $micros)
in_json=$(redis EVAL 'return cjson.encode({t = tonumber(ARGV[1])})' 0 $micros)
as_id=$(redis EVAL 'return redis.call("XADD", KEYS[1], "0-" .. tonumber(ARGV[1]), "a", "1")' 1 log $micros)
millis=$(redis EVAL 'return "" .. tonumber(ARGV[1])' 0 ${micros%???})

redis INFO server | grep redis_version
cat <<EOF
expected: exact as an argument; 14 digits and an exponent from ".." and cjson; milliseconds whole
seen:     argument of redis.call  $as_argument
          joined with ..          $joined
          one microsecond later   $neighbour
          cjson.encode            $in_json
          as a stream identifier  ${as_id%% script:*}
          milliseconds, joined    $millis
EOF
[ "$as_argument" = $micros ] && [ "$joined" = 1.7328753971235e+15 ] && [ "$neighbour" = "$joined" ] &&
	[ "$in_json" = '{"t":1.7328753971235e+15}' ] && [ "$millis" = 1732875397123 ] && [[ $as_id == *"Invalid stream ID"* ]] ||
	{ echo "CHANGED"; exit 1; }
echo "as stated"
