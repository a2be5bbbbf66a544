#!/usr/bin/env bash
# Redis 7.0.15: a script reads every byte of every string that it makes, a byte at a time.
#
# Redis has Lua 5.1, which keeps each string once, by a hash. One would expect a long string to cost
# its copying: Lua 5.1 hashes some 32 bytes of it, however long it is. Redis hashes all of them (so
# that nobody can make strings that collide), at some four cycles a byte, several times what the
# copying takes. Each argument of EVAL is such a string, and so is each part of what redis.call()
# returns, what ".." joins and what string.sub() cuts out, even where it is only handed on.
#
# For a hub whose script numbers, keeps and publishes batches: hand a batch over as it is to be kept,
# rather than with a head joined to it; know how long old entries are without reading them.
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

redis_version=5:7.0.15-1~deb12u10
lua_version=5.1.5-9
for package in "redis-tools=$redis_version" "lua5.1=$lua_version" "liblua5.1-0=$lua_version"; do
	(cd "$tmp" && timeout 40 apt-get download "$package") >"$tmp/log" 2>&1 || skip "no $package"
done
for package in "$tmp"/*.deb; do dpkg -x "$package" "$tmp/pkg"; done
# The server is the same file under another name.
ln "$tmp/pkg/usr/bin/redis-check-rdb" "$tmp/redis-server"
"$tmp/redis-server" --port 0 --unixsocket "$tmp/s" --save '' --dir "$tmp" >"$tmp/log" 2>&1 &
pids=$!
redis() { timeout 60 "$tmp/pkg/usr/bin/redis-cli" -s "$tmp/s" "$@" 2>&1; }
for _ in $(seq 50); do redis PING >"$tmp/ping" && break; sleep 0.1; done
grep -q PONG "$tmp/ping" || skip "redis-server does not start"

# Makes so many strings of 256 KiB, each another one.
script='local long, n = string.rep("x", 262144), 0
for i = 1, 2000 do n = n + #(long .. i) end
return n'
cpu() { awk '{ print ($14 + $15) * 10 }' "/proc/$1/stat"; }
before=$(cpu "$pids")
redis EVAL "$script" 0 >"$tmp/n"
in_redis=$(($(cpu "$pids") - before))
printf 'function run()\n%s\nend\nrun()\nio.write(math.floor(os.clock() * 1000))\n' "$script" >"$tmp/script.lua"
alone=$(LD_LIBRARY_PATH=$(echo "$tmp"/pkg/usr/lib/*-linux-gnu) timeout 60 "$tmp/pkg/usr/bin/lua5.1" "$tmp/script.lua") ||
	skip "lua5.1 does not run"

redis INFO server | grep redis_version
cat <<EOF
expected: about as much CPU for 2000 strings of 256 KiB in Redis as in Lua 5.1 by itself
seen:     Redis    $in_redis ms
          Lua 5.1  $alone ms
EOF
[ "$in_redis" -gt $((2 * alone)) ] || { echo "CHANGED"; exit 1; }
echo "as stated"
