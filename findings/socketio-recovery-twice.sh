#!/usr/bin/env bash
# socket.io 4.8.4 (npm): a client that recovers before its old connection is known to be lost goes deaf.
#
# With connectionStateRecovery a client that comes back shows its pid and gets what it missed. One would
# expect the server to end the connection that had the pid before, or to refuse the second. But once the
# client was recovered, its pid stays good: while the old connection lies on a dead network, the new one is
# recovered under the same socket.id, and there are two. When the old one ends, at its ping timeout, the
# rooms of that id are left. The new one is connected, with socket.recovered true, and hears nothing more of
# its room; and when it comes back again it is recovered once more, without what it missed.
#
# A mobile client that changes networks twice within pingInterval + pingTimeout is such a one. A hub that
# takes a token for coming back must end who had it before, and keep what it is in by connection.
#
# Assumes node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 60 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	socket.io@4.8.4 ws@8.18.0 >"$tmp/log" 2>&1 || skip "no socket.io 4.8.4 or ws 8.18.0"

cat >"$tmp/try.js" <<'EOF'
const { Server } = require('socket.io');
const WebSocket = require('ws');

const io = new Server(0, { transports: ['websocket'], connectionStateRecovery: {} });
let present = 0;
io.on('connection', (socket) => {
  present++;
  if (!socket.recovered) socket.join('room');
  socket.on('disconnect', () => present--);
  socket.on('ask', (answer) => answer());
});
const say = (n) => io.to('room').emit('n', n);
const until = async (condition) => {
  while (!condition()) await new Promise((done) => setTimeout(done, 10));
};

// A client by hand, so that its loss and its return are where we want them.
async function connect(auth = {}) {
  const c = { got: [], ws: new WebSocket(`ws://127.0.0.1:${io.httpServer.address().port}/socket.io/?EIO=4&transport=websocket`) };
  c.ws.on('message', (data) => {
    const packet = String(data);
    if (packet[0] === '0') c.ws.send('40' + JSON.stringify(auth));
    else if (packet.startsWith('40')) c.hello = JSON.parse(packet.slice(2));
    else if (packet.startsWith('42')) {
      const [, n, offset] = JSON.parse(packet.slice(2));
      c.got.push(n);
      c.offset = offset;
    } else if (packet.startsWith('43')) c.answered = true;
  });
  await until(() => c.hello);
  return c;
}

// What was said before has come when an answer has.
async function settle(c) {
  c.answered = false;
  c.ws.send('421["ask"]');
  await until(() => c.answered);
}

async function lose(c) {
  const before = present;
  c.ws.terminate();
  await until(() => present === before - 1);
}

(async () => {
  const first = await connect();
  say(1);
  await settle(first);
  const pid = first.hello.pid;
  await lose(first);
  const second = await connect({ pid, offset: first.offset });
  say(2);
  await settle(second);
  // Its network is gone, which nobody has noticed.
  const third = await connect({ pid, offset: second.offset });
  say(3);
  await settle(third);
  await lose(second);
  say(4);
  await settle(third);
  await lose(third);
  say(5);
  const fourth = await connect({ pid, offset: third.offset });
  await settle(fourth);
  for (const [name, c] of Object.entries({ second, third, fourth }))
    console.log(`${name}: ${c.hello.pid === pid ? 'recovered' : 'new'}, got ${c.got.join(' ') || 'nothing'}`);
  process.exit();
})();
EOF
seen=$(timeout 20 node "$tmp/try.js" 2>"$tmp/log") || :
expected='second: recovered, got 2
third: recovered, got 3
fourth: recovered, got nothing'

echo "socket.io 4.8.4, ws 8.18.0, node $(node --version)"
printf 'expected of a recovery: third got 3 4, fourth got 5\nas stated:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
