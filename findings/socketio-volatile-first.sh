#!/usr/bin/env bash
# socket.io 4.8.4 (npm): of volatile events sent together the first is delivered, and behind another event none.
#
# Volatile events are said to be dropped if the connection is not ready, and one would expect that on an idle one
# over loopback nothing is. But a connection is "not ready" from each emit until the write was done, so never twice
# in one turn of the loop. Of three positions emitted in a row the client gets the first, the oldest; of a volatile
# event behind a plain one it never gets any. So do broadcasts, and the client's own volatile emits.
#
# A server that tells of a goal and then, volatile, of the score loses every score. One that drains a queue in a
# loop sends what is stale and drops what is new. Join what belongs together into one event, or send the newest
# alone, in a turn of its own.
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
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');

async function session(transport) {
  const io = new Server(0, { transports: [transport] });
  const url = `http://127.0.0.1:${io.httpServer.address().port}`;
  const client = connect(url, { transports: [transport] });
  const server = await new Promise((resolve) => io.on('connection', resolve));
  const heard = [];
  for (const side of [client, server]) {
    side.on('say', (what) => heard.push(what));
    side.on('ask', (answer) => answer());
  }
  // Each try begins on a connection that has been idle: both sides have answered, and time has passed.
  const idle = async () => {
    await server.emitWithAck('ask');
    await client.emitWithAck('ask');
    await new Promise((done) => setTimeout(done, 300));
  };
  const tries = {
    'volatile x3': () => { for (const n of [1, 2, 3]) server.volatile.emit('say', n); },
    'plain, volatile': () => { server.emit('say', 'goal'); server.volatile.emit('say', 'score'); },
    'volatile, plain': () => { server.volatile.emit('say', 'score'); server.emit('say', 'goal'); },
    'broadcast x3': () => { for (const n of [1, 2, 3]) io.volatile.emit('say', n); },
    'by the client x3': () => { for (const n of [1, 2, 3]) client.volatile.emit('say', n); },
    'in turns x3': async () => {
      for (const n of [1, 2, 3]) { server.volatile.emit('say', n); await new Promise((done) => setTimeout(done, 300)); }
    },
  };
  for (const [name, run] of Object.entries(tries)) {
    await idle();
    heard.length = 0;
    await run();
    await idle();
    console.log(`${transport}, ${name}: ${heard.join(' ')}`);
  }
  client.close();
  io.close();
}
session('websocket').then(() => session('polling')).then(() => process.exit());
EOF
seen=$(timeout 40 node "$tmp/try.js" 2>"$tmp/log") || :
expected=$(for transport in websocket polling; do
	cat <<-EOF
		$transport, volatile x3: 1
		$transport, plain, volatile: goal
		$transport, volatile, plain: score goal
		$transport, broadcast x3: 1
		$transport, by the client x3: 1
		$transport, in turns x3: 1 2 3
	EOF
done)

echo "socket.io 4.8.4, socket.io-client 4.8.4, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
