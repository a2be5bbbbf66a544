#!/usr/bin/env bash
# socket.io 4.8.4 (npm): who loses the connection again while it recovers gets the same events twice.
#
# A client that recovers (connectionStateRecovery) is sent what it has missed, then the answer to its CONNECT. It
# keeps the events until the answer has come, and notes the offset of the last one only when it hands them out.
# One would expect it to forget them where the connection is lost in between: it asks for them again, since its
# offset is the old one. But it keeps them, gets them once more, and hands out both, each event twice.
#
# On a network that comes and goes, as in a train, this is not rare: what was missed is longest then. Counters go
# wrong, messages stand twice. `socket.on("disconnect", () => { socket.receiveBuffer = []; })` prevents it.
#
# Assumes node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 60 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	socket.io@4.8.4 socket.io-client@4.8.4 >"$tmp/log" 2>&1 || skip "no socket.io 4.8.4"

cat >"$tmp/try.js" <<'EOF'
const net = require('net');
const { Server } = require('socket.io');
const { io: client } = require('socket.io-client');

const io = new Server(0, { transports: ['websocket'], connectionStateRecovery: {} });
const until = async (condition) => {
  while (!condition()) await new Promise((done) => setTimeout(done, 10));
};

// Between them. The second connection is cut before the answer to its CONNECT, when all else has passed.
let connections = 0;
const proxy = net.createServer((near) => {
  const far = net.connect(io.httpServer.address().port, '127.0.0.1');
  const cuts = ++connections === 2;
  near.pipe(far);
  near.on('error', () => {});
  far.on('error', () => {});
  near.on('close', () => far.destroy());
  far.on('close', () => near.destroy());
  far.on('data', (data) => {
    const answer = cuts ? data.indexOf('40{"sid"') : -1;
    if (answer < 0) {
      near.write(data);
      return;
    }
    far.removeAllListeners('data');
    near.write(data.subarray(0, answer - 2)); // the header of its frame
    setTimeout(() => near.destroy(), 200);
  });
  if (connections === 1) lose = () => near.destroy();
});
let lose;

proxy.listen(0, '127.0.0.1', async () => {
  const socket = client(`http://127.0.0.1:${proxy.address().port}`, { transports: ['websocket'], reconnectionDelay: 10 });
  const got = [];
  socket.on('n', (n) => got.push(n));
  await until(() => socket.connected);
  io.emit('n', 1);
  await until(() => got.length === 1);
  lose();
  await until(() => !socket.connected && io.of('/').sockets.size === 0);
  io.emit('n', 2);
  io.emit('n', 3);
  await until(() => connections === 3 && socket.connected);
  io.emit('n', 4);
  await until(() => got.includes(4));
  console.log(`${socket.recovered ? 'recovered' : 'new'}, got ${got.join(' ')}`);
  process.exit();
});
EOF
seen=$(timeout 20 node "$tmp/try.js" 2>"$tmp/log") || :
expected='recovered, got 1 2 3 2 3 4'

echo "socket.io and socket.io-client 4.8.4, node $(node --version)"
printf 'expected of a recovery: got 1 2 3 4\nas stated:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
