#!/usr/bin/env bash
# python3-websockets 10.4 and tornado 6.2: a client that asks for the smallest window gets 500 instead of a connection.
#
# permessage-deflate (RFC 7692) lets a client bound the server's window, from 8 to 15 bits. A server that cannot
# keep to it declines: it takes the client's next offer, or goes on without compression. Both of these accept an 8
# and hand it to zlib, which has no raw deflate with a window of 256 octets: "Invalid initialization option", while
# they build the answer. That a plain offer stands behind it does not help; 9 is fine. ws 8.23.0 answers 8 and
# works, because Node makes 9 of it, and zlib refers back by less than 256 octets then.
#
# A small device that knows its memory cannot connect, and the log of the server speaks of zlib. Offer 9.
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

command -v node npm >"$tmp/log" && [ -x /usr/bin/python3 ] || skip "no node, npm or python3"
(cd "$tmp" && timeout 60 apt-get download python3-websockets=10.4-1 python3-tornado=6.2.0-3+deb12u4) >"$tmp/log" 2>&1 ||
	skip "no python3-websockets or python3-tornado of these versions"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts ws@8.23.0 \
	>"$tmp/log" 2>&1 || skip "no ws 8.23.0"

cat >"$tmp/server.py" <<'EOF'
import asyncio, sys
import tornado.httpserver, tornado.netutil, tornado.web, tornado.websocket, websockets

async def echo(client, *_):
    async for message in client:
        await client.send(message)

class Echo(tornado.websocket.WebSocketHandler):
    def get_compression_options(self):
        return {}
    def on_message(self, message):
        self.write_message(message)

async def main():
    server = await websockets.serve(echo, "127.0.0.1", 0)
    print("websockets", server.sockets[0].getsockname()[1])
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(tornado.web.Application([("/", Echo)])).add_sockets(sockets)
    print("tornado", sockets[0].getsockname()[1], flush=True)
    print("python3-websockets", websockets.__version__, "tornado", tornado.version, file=sys.stderr, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
EOF
cat >"$tmp/try.js" <<'EOF'
const { readFileSync } = require('node:fs');
const { get } = require('node:http');
const { WebSocketServer } = require('ws');

async function offer(name, port, bits) {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket',
    'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Extensions': `permessage-deflate; server_max_window_bits=${bits}, permessage-deflate` };
  const answer = await new Promise((resolve) => get({ host: '127.0.0.1', port, headers }, resolve).on('upgrade', resolve));
  const word = /server_max_window_bits=\d+/.exec(answer.headers['sec-websocket-extensions']);
  console.log(`${name}, ${bits} or any: ${answer.statusCode}${word ? `, ${word}` : ''}`);
  answer.socket.destroy();
}
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true }, async () => {
  const servers = readFileSync(process.argv[2], 'latin1').trim().split('\n').map((line) => line.split(' '));
  servers.push(['ws', server.address().port]);
  for (const [name, port] of servers) for (const bits of [9, 8]) await offer(name, port, bits);
  process.exit();
});
EOF
PYTHONPATH=$tmp/pkg/usr/lib/python3/dist-packages timeout 90 /usr/bin/python3 "$tmp/server.py" >"$tmp/ports" 2>"$tmp/errors" &
pids=$!
for _ in $(seq 150); do grep -q python3-websockets "$tmp/errors" && break; sleep 0.1; done
grep python3-websockets "$tmp/errors" || skip "the servers do not start"
seen=$(timeout 20 node "$tmp/try.js" "$tmp/ports" 2>"$tmp/log") || :
seen="$seen
$(grep '^ValueError' "$tmp/errors" | sort | uniq -c | sed 's/^ *//')"
expected='websockets, 9 or any: 101, server_max_window_bits=9
websockets, 8 or any: 500
tornado, 9 or any: 101, server_max_window_bits=9
tornado, 8 or any: 500
ws, 9 or any: 101, server_max_window_bits=9
ws, 8 or any: 101, server_max_window_bits=8
2 ValueError: Invalid initialization option'

echo "ws 8.23.0, node $(node --version), $(/usr/bin/python3 --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
