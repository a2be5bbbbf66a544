#!/usr/bin/env bash
# @socket.io/redis-adapter 8.3.0 (npm): a large number reaches clients of other servers as another one, often 0.
#
# io.emit() with a number sends it as JSON to this server's clients, and by notepack.io 3.0.1 through Redis to the
# other servers, and one would expect all clients to get the same. But notepack takes each number without a
# fraction for an integer and writes its lowest 64 bits, so that 1e300 and 2^64 become 0. Nobody is told, and on
# one server, as in development, nothing is wrong.
#
# A program that sends products, factorials or physical constants has to send them as text, or to give the adapter
# another parser.
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
(async () => {
  const servers = [await server('k'), await server('k')];
  const clients = await Promise.all(servers.map((io) => client(io, '/')));
  const numbers = [0.5, 2 ** 53, 2 ** 64, 1e20, 1e300, -1e300];
  while (await servers[0].of('/').adapter.serverCount() < 2)
    await new Promise((done) => setTimeout(done, 50));
  const heard = clients.map((c) => new Promise((resolve) => c.on('numbers', resolve)));
  servers[0].emit('numbers', numbers);
  console.log(`here:  ${JSON.stringify(await heard[0])}`);
  console.log(`there: ${JSON.stringify(await heard[1])}`);
  process.exit();
})();
EOF
seen=$(timeout 40 node "$tmp/try.js" "$tmp/s" 2>"$tmp/log") || :
expected='here:  [0.5,9007199254740992,18446744073709552000,100000000000000000000,1e+300,-1e+300]
there: [0.5,9007199254740992,0,7766279631452242000,0,0]'

echo "@socket.io/redis-adapter 8.3.0, socket.io 4.8.4, redis 6.3.1, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
