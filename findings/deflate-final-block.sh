#!/usr/bin/env bash
# undici 7.30.2 (the WebSocket of Node): of messages that end with a final block it hears only the first.
#
# RFC 7692 lets a sender end a message with a DEFLATE block whose BFINAL bit is set, followed by one
# octet 0x00 (7.2.3.4 shows it), and a receiver has to go on with the next message. ws 8.23.0 does. In
# undici the first message arrives, every later one arrives as an empty string: no error, no close, and
# onmessage fires the right number of times. Its one inflate stream has seen its end and is not renewed,
# although no context is carried over. The same texts ended by a sync flush all arrive.
#
# A hub that compresses a message once for all, with a library that ends its output by a final block
# (libdeflate knows no other way), has clients that count every record and read none.
#
# Assumes node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts undici@7.30.2 ws@8.23.0 \
	>"$tmp/log" 2>&1 || skip "no undici 7.30.2 or ws 8.23.0"

cat >"$tmp/try.js" <<'EOF'
const { createServer } = require('node:http');
const { createHash } = require('node:crypto');
const { deflateRawSync, constants } = require('node:zlib');

const compress = {
  sync: (text) => deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4),
  final: (text) => Buffer.concat([deflateRawSync(text), Buffer.from([0])]),
};
const server = createServer().on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  socket.on('error', () => {});
  socket.write(['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`,
    'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover', '', ''].join('\r\n'));
  for (const text of ['one', 'two', 'three']) {
    const payload = compress[request.url.slice(1)](text);
    socket.write(Buffer.concat([Buffer.from([0xc1, payload.length]), payload])); // FIN, RSV1, text
  }
  socket.write(Buffer.from([0x88, 2, 0x03, 0xe8])); // close, 1000
  socket.once('data', () => socket.end()); // the client's close
});
server.listen(0, '127.0.0.1', async () => {
  for (const name of ['ws', 'undici']) {
    const { WebSocket } = require(name);
    for (const how of Object.keys(compress)) {
      const client = new WebSocket(`ws://127.0.0.1:${server.address().port}/${how}`);
      const heard = [];
      client.onmessage = ({ data }) => heard.push(data);
      client.onerror = () => heard.push(new Error('error'));
      await new Promise((resolve) => {
        client.onclose = ({ code }) => resolve(console.log(name, how, JSON.stringify(heard), code));
      });
    }
  }
  process.exit();
});
EOF
seen=$(timeout 15 node "$tmp/try.js" 2>"$tmp/log") || :
expected='ws sync ["one","two","three"] 1000
ws final ["one","two","three"] 1000
undici sync ["one","two","three"] 1000
undici final ["one","",""] 1000'

echo "undici 7.30.2, ws 8.23.0, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
