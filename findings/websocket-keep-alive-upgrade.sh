#!/usr/bin/env bash
# undici 7.30.2, Deno 2.9.6, aiohttp 3.8.4: "Connection: keep-alive, Upgrade" in the answer ends the WebSocket handshake.
#
# Connection is a list, in requests and in answers. Firefox asks with "keep-alive, Upgrade", and any server takes it.
# One would expect a client to take it too: RFC 6455 (section 4.1) wants an answer whose Connection has the token
# "upgrade", not one that is nothing else. These three compare the whole field, and refuse a 101 that a proxy or
# a framework has put its usual keep-alive into, in one field or in two. ws 8.23.0 and python3-websockets 10.4 take
# all of them.
#
# A server tried with ws alone cannot be reached from Node's own WebSocket. Answer "Upgrade" and no more.
#
# Assumes apt-get and dpkg of Debian 12, python3 (3.11), node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" && [ -x /usr/bin/python3 ] || skip "no node, npm or python3"
packages='python3-websockets=10.4-1 python3-aiohttp=3.8.4-1+deb12u2 python3-multidict=6.0.4-1+b1 python3-yarl=1.8.2-1+b1
	python3-async-timeout=4.0.2-1 python3-frozenlist=1.3.3-1+b1 python3-aiosignal=1.3.1-1 python3-attr=22.2.0-1
	python3-charset-normalizer=3.0.1-2 python3-idna=3.3-1+deb12u1'
# shellcheck disable=SC2086
(cd "$tmp" && timeout 60 apt-get download $packages) >"$tmp/log" 2>&1 || skip "no python packages of these versions"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
timeout 90 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	undici@7.30.2 ws@8.23.0 deno@2.9.6 >"$tmp/log" 2>&1 || skip "no undici 7.30.2, ws 8.23.0 or deno 2.9.6"

cat >"$tmp/aiohttp.client.py" <<'EOF'
import aiohttp, asyncio, sys

async def main():
    async with aiohttp.ClientSession() as session, session.ws_connect(sys.argv[1]) as client:
        return await client.receive_str()

try:
    print(asyncio.run(main()))
except aiohttp.WSServerHandshakeError:
    print("refused")
EOF
cat >"$tmp/websockets.client.py" <<'EOF'
import asyncio, sys, websockets

async def main():
    async with websockets.connect(sys.argv[1]) as client:
        return await client.recv()

try:
    print(asyncio.run(main()))
except websockets.InvalidHandshake:
    print("refused")
EOF
cat >"$tmp/client.mjs" <<'EOF'
const [name, url] = globalThis.Deno ? Deno.args : process.argv.slice(2);
const { WebSocket } = name === 'deno' ? globalThis : await import(name);
const client = new WebSocket(url);
const end = (text) => { console.log(text); (globalThis.Deno ?? process).exit(); };
client.onmessage = (event) => end(event.data);
client.onerror = () => end('refused');
EOF
cat >"$tmp/try.js" <<'EOF'
const { execFile } = require('node:child_process');
const { createHash } = require('node:crypto');
const { createServer } = require('node:http');
const tmp = process.argv[2];

const fields = [['Upgrade'], ['keep-alive, Upgrade'], ['keep-alive', 'Upgrade']];
const server = createServer().on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  const connection = fields[request.url.slice(1)].map((field) => `Connection: ${field}`);
  socket.on('error', () => {}).once('data', () => socket.end());
  socket.write(['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', ...connection,
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`, '', ''].join('\r\n'));
  socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello'), Buffer.from([0x88, 2, 0x03, 0xe8])]));
});
server.listen(0, '127.0.0.1', async () => {
  const clients = { undici: ['node', 'client.mjs', 'undici'], deno: ['node_modules/.bin/deno', 'run', '-A', 'client.mjs', 'deno'],
    aiohttp: ['/usr/bin/python3', 'aiohttp.client.py'], ws: ['node', 'client.mjs', 'ws'],
    websockets: ['/usr/bin/python3', 'websockets.client.py'] };
  for (const [name, [program, ...args]] of Object.entries(clients)) {
    const seen = [];
    for (const i in fields) {
      const url = `ws://127.0.0.1:${server.address().port}/${i}`;
      const said = await new Promise((resolve) => {
        execFile(program, [...args, url], { cwd: tmp, timeout: 20000 }, (_, out) => resolve(out.trim()));
      });
      seen.push(`${fields[i].join(' + ')}: ${said}`);
    }
    console.log(`${name}  ${seen.join('; ')}`);
  }
  process.exit();
});
EOF
export PYTHONPATH=$tmp/pkg/usr/lib/python3/dist-packages DENO_DIR=$tmp/deno DENO_NO_UPDATE_CHECK=1
print='import aiohttp, websockets; print("aiohttp", aiohttp.__version__, "websockets", websockets.__version__)'
versions=$(/usr/bin/python3 -c "$print" 2>"$tmp/log") || skip "python packages cannot be imported"
seen=$(timeout 120 node "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
refused='Upgrade: hello; keep-alive, Upgrade: refused; keep-alive + Upgrade: refused'
expected="undici  $refused
deno  $refused
aiohttp  $refused
ws  ${refused//refused/hello}
websockets  ${refused//refused/hello}"

echo "undici 7.30.2, ws 8.23.0, deno 2.9.6, $versions, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
