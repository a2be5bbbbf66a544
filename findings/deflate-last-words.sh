#!/usr/bin/env bash
# undici 7.30.2 (the WebSocket of Node): last messages are lost if they are compressed and TCP ends behind them.
#
# A server that stops sends what is left, a close frame, and its FIN, in one go. One would expect the
# client to deliver what came before the FIN, compressed or not. Uncompressed, undici does: three
# messages, code 1000. With permessage-deflate the same three messages vanish, even the first, and so
# does the close frame: an error and code 1006. It inflates in another thread and parses on only when a
# message is done; the end of the socket does not wait for that. ws 8.23.0 delivers all, either way.
#
# A hub that says good-bye (why it stops, where to go, what was the last number) has to keep the
# connection until the client has answered the close, or its words reach some clients only.
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

const frame = (first, payload) => Buffer.concat([Buffer.from([first, payload.length]), payload]);
const text = {
  plain: (s) => frame(0x81, Buffer.from(s)),
  deflate: (s) => frame(0xc1, deflateRawSync(s, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)),
};
const server = createServer().on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  const [, how, end] = request.url.split('/');
  const extension = how === 'plain' ? [] : ['Sec-WebSocket-Extensions: permessage-deflate'];
  socket.on('error', () => {});
  socket.write(['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`, ...extension, '', ''].join('\r\n'));
  socket.write(Buffer.concat([...['one', 'two', 'three'].map(text[how]), frame(0x88, Buffer.from([0x03, 0xe8]))]));
  if (end === 'at-once') socket.end();
  else socket.once('data', () => socket.end()); // the client's close
});
server.listen(0, '127.0.0.1', async () => {
  for (const name of ['ws', 'undici']) {
    const { WebSocket } = require(name);
    for (const path of ['plain/at-once', 'deflate/at-once', 'deflate/answered']) {
      const client = new WebSocket(`ws://127.0.0.1:${server.address().port}/${path}`);
      const heard = [];
      client.onmessage = ({ data }) => heard.push(data);
      client.onerror = () => heard.push('(error)');
      await new Promise((resolve) => {
        client.onclose = ({ code }) => resolve(console.log(`${name} ${path}: ${heard.join(' ')} ${code}`));
      });
    }
  }
  process.exit();
});
EOF
seen=$(timeout 15 node "$tmp/try.js" 2>"$tmp/log") || :
expected='ws plain/at-once: one two three 1000
ws deflate/at-once: one two three 1000
ws deflate/answered: one two three 1000
undici plain/at-once: one two three 1000
undici deflate/at-once: (error) 1006
undici deflate/answered: one two three 1000'

echo "undici 7.30.2, ws 8.23.0, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
