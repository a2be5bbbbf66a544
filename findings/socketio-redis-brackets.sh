#!/usr/bin/env bash
# @socket.io/redis-adapter 8.3.0 (npm): in a namespace with brackets in its name broadcasts reach one server only.
#
# A namespace may have any name, and one would expect that /room[1] is broadcast to like any other. But the adapter
# subscribes to a pattern, the name with a star behind it, and Redis takes [1] in it for the one character 1: no
# server hears what is published to the channel of that name. Requests go by plain channels, so the servers count
# each other and fetchSockets() finds all clients; only what is emitted does not come. With the option "key" it is
# the same: servers with the key app[1] do not hear each other in any namespace.
#
# Names that come from outside, as of dynamic namespaces, have to be encoded before.
#
# Assumes node (20.18 or later), npm, apt-get and dpkg of Debian 12.
set -eu

tmp=$(mktemp -d)
pid=
cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || :
	wait
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 90 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	socket.io@4.8.4 socket.io-client@4.8.4 @socket.io/redis-adapter@8.3.0 redis@6.3.1 >"$tmp/log" 2>&1 ||
	skip "no socket.io 4.8.4 with its adapter"
version=5:7.0.15-1~deb12u10
(cd "$tmp" && timeout 40 apt-get download "redis-tools=$version") >"$tmp/log" 2>&1 || skip "no redis-tools $version"
dpkg -x "$tmp"/redis-tools_*.deb "$tmp/pkg"
# The server is the same file under another name.
ln "$tmp/pkg/usr/bin/redis-check-rdb" "$tmp/redis-server"
"$tmp/redis-server" --port 0 --unixsocket "$tmp/s" --save '' --dir "$tmp" >"$tmp/log" 2>&1 &
pid=$!
for _ in $(seq 50); do timeout 5 "$tmp/pkg/usr/bin/redis-cli" -s "$tmp/s" PING >"$tmp/ping" 2>&1 && break; sleep 0.1; done
grep -q PONG "$tmp/ping" || skip "redis-server does not start"

cat >"$tmp/try.js" <<'EOF'
const { Server } = require('socket.io');
const { Manager } = require('socket.io-client');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');

async function server(key) {
  const pub = createClient({ socket: { path: process.argv[2] } });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect()]);
  return new Server(0, { adapter: createAdapter(pub, sub, { key }) });
}
async function client(io, nsp) {
  const c = new Manager(`http://127.0.0.1:${io.httpServer.address().port}`, { transports: ['websocket'] }).socket(nsp);
  await new Promise((resolve) => c.on('connect', resolve));
  return c;
}
async function attempt(key, nsp) {
  const servers = [await server(key), await server(key)];
  servers.forEach((io) => io.of(nsp));
  const clients = await Promise.all(servers.map((io) => client(io, nsp)));
  while (await servers[0].of(nsp).adapter.serverCount() < 2)
    await new Promise((done) => setTimeout(done, 50));
  const heard = [];
  clients.forEach((c, i) => c.on('say', () => heard.push(i ? 'there' : 'here')));
  servers[0].of(nsp).emit('say');
  // A request goes the same way behind it, and has its answer.
  const found = (await servers[0].of(nsp).fetchSockets()).length;
  await new Promise((done) => setTimeout(done, 1000));
  console.log(`key ${key}, namespace ${nsp}: ${found} sockets found; heard ${heard.sort().reverse().join(' and ')}`);
}
(async () => {
  await attempt('app', '/room1');
  await attempt('app', '/room[1]');
  await attempt('app[1]', '/room1');
  process.exit();
})();
EOF
seen=$(timeout 40 node "$tmp/try.js" "$tmp/s" 2>"$tmp/log") || :
expected='key app, namespace /room1: 2 sockets found; heard there and here
key app, namespace /room[1]: 2 sockets found; heard here
key app[1], namespace /room1: 2 sockets found; heard here'

echo "@socket.io/redis-adapter 8.3.0, socket.io 4.8.4, redis 6.3.1, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
