#!/usr/bin/env bash
# python3-websockets 10.4 against ws 8.23.0: a client that is slow declares the server dead.
#
# One would expect a slow reader to fall behind, and a keepalive to notice a peer that is gone. But when
# 32 messages wait (max_queue), the client stops reading its socket, and the pong to its own ping lies
# behind the messages it does not read. A handler that takes 0.1 s, on a stream of 200 small messages a
# second, ends the connection with 1011 "keepalive ping timeout", although the server has answered each
# ping at once and both run well. With a queue without bound, or a fast handler, it stays up.
#
# To a hub it looks as if a healthy client left with an error of its own, came back, asked for what it
# had missed, and left again. The defaults are 20 s and 20 s; here both are 1 s to save time.
#
# Assumes apt-get and dpkg of Debian 12, python3 (3.11), node and npm.
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

command -v node npm python3 >"$tmp/log" || skip "no node, npm or python3"
version=10.4-1
(cd "$tmp" && timeout 20 apt-get download "python3-websockets=$version") >"$tmp/log" 2>&1 || skip "no python3-websockets $version"
dpkg -x "$tmp"/python3-websockets_*.deb "$tmp/pkg"
timeout 20 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts ws@8.23.0 \
	>"$tmp/log" 2>&1 || skip "no ws 8.23.0"

cat >"$tmp/server.js" <<'EOF'
// 200 messages a second to everyone. ws answers pings by itself; how many there were is told at the end.
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => console.log(server.address().port));
server.on('connection', (client, request) => {
  let pings = 0;
  client.on('ping', () => pings++);
  const timer = setInterval(() => client.send('{"type":"tick"}'), 5);
  client.on('close', (code) => {
    clearInterval(timer);
    if (code === 1011) console.log(`server: closed with ${code} by ${request.url.slice(1)}, having answered ${pings} ping`);
  });
});
EOF
cat >"$tmp/client.py" <<'EOF'
import asyncio, sys, time
import websockets

async def run(name, uri, pause, max_queue):
    async with websockets.connect(f"{uri}/{name}", ping_interval=1, ping_timeout=1, close_timeout=1, max_queue=max_queue) as client:
        end, why = time.monotonic() + 6, "still connected"
        try:
            while time.monotonic() < end:
                await asyncio.wait_for(client.recv(), 5)
                await asyncio.sleep(pause)
        except websockets.ConnectionClosed as e:
            why = f"{e.sent.code} {e.sent.reason}" if e.sent else repr(e)
        return f"{name}: {why}"

async def main(uri):
    seen = await asyncio.gather(run("fast", uri, 0, 32), run("slow", uri, 0.1, 32), run("unbounded", uri, 0.1, None))
    print(*seen, sep="\n")

print("python3-websockets", websockets.__version__, file=sys.stderr)
asyncio.run(main(sys.argv[1]))
EOF
timeout 50 node "$tmp/server.js" >"$tmp/server" 2>"$tmp/log" &
pids=$!
for _ in $(seq 50); do [ -s "$tmp/server" ] && break; sleep 0.1; done
[ -s "$tmp/server" ] || skip "the server does not start"
seen=$(PYTHONPATH=$tmp/pkg/usr/lib/python3/dist-packages timeout 20 python3 "$tmp/client.py" "ws://127.0.0.1:$(head -n 1 "$tmp/server")" \
	2>"$tmp/version") || :
seen="$seen
$(grep server: "$tmp/server" || :)"
expected='fast: still connected
slow: 1011 keepalive ping timeout
unbounded: still connected
server: closed with 1011 by slow, having answered 1 ping'

grep python3-websockets "$tmp/version" || skip "python3-websockets cannot be imported"
echo "ws 8.23.0, node $(node --version), $(python3 --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
