#!/usr/bin/env bash
# Chromium 156 and Firefox 153 (Debian): one slow WebSocket handshake holds up all others to that address.
#
# RFC 6455 (section 4.1) lets a client have one connection in the state CONNECTING per address, against floods; one
# would expect that to bound the opening of connections, and a page or a host name to be on its own. Both browsers
# wait for the answer to the handshake, and the address is what the name stands for: while /slow of a.localhost
# waits for its 101, WebSockets to b.localhost and 127.0.0.1 do not even ask. ws and undici ask at once.
#
# A server that looks up a token in a slow place before it answers, or one application behind a proxy that all
# share, stops all WebSockets of that browser to it. Answer first, then ask who it is; and a client's
# timeout has to allow for the others' time.
#
# Assumes Chromium 156 and Firefox 153 of Debian 12, node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v chromium firefox node npm >"$tmp/log" || skip "no chromium, firefox, node or npm"
versions=$(chromium --version 2>"$tmp/log"; HOME=$tmp firefox --version 2>"$tmp/log")
[[ $versions == *' 156.'*'Firefox 153.'* ]] || skip "it is not Chromium 156 and Firefox 153: $versions"
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts undici@7.30.2 ws@8.23.0 \
	>"$tmp/log" 2>&1 || skip "no undici 7.30.2 or ws 8.23.0"

cat >"$tmp/try.js" <<'EOF'
const { spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const { mkdirSync } = require('node:fs');
const { createServer } = require('node:http');
const tmp = process.argv[2];

// Browsers know what ends in .localhost by themselves; the libraries would ask the system.
const hosts = ['a.localhost', 'b.localhost', '127.0.0.1'];
// The others are opened when the server has the first one's request.
const open = (WebSocket, hosts, port, asked) => {
  new WebSocket(`ws://${hosts[0]}:${port}/slow`);
  asked().then(() => hosts.map((host) => new WebSocket(`ws://${host}:${port}/`)));
};
let asked, first, answered, seen, all;
const server = createServer((request, response) => {
  if (request.url === '/asked') return asked.then(() => response.end());
  if (request.url !== '/page') return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': 'text/html' });
  response.end(`<!DOCTYPE html><script>
    (${open})(WebSocket, ${JSON.stringify(hosts)}, location.port, () => fetch('/asked'))</script>`);
});
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  const answer = () => socket.write(['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`, '', ''].join('\r\n'));
  socket.on('error', () => {});
  if (request.url === '/slow') {
    setTimeout(() => { answered = true; answer(); }, 4000);
    return first();
  }
  seen.push(answered ? 'after' : 'before');
  answer();
  if (seen.length === hosts.length) all();
});
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  const library = (name) => () => open(require(name).WebSocket, Array(3).fill('127.0.0.1'), port, () => asked);
  const browser = (name, ...options) => (profile) => {
    const child = spawn(name, [...options, profile, `http://127.0.0.1:${port}/page`], { stdio: 'ignore' });
    return () => new Promise((resolve) => child.on('exit', resolve).kill());
  };
  const clients = {
    undici: library('undici'), ws: library('ws'),
    chromium: browser('chromium', '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-port=0'),
    firefox: browser('firefox', '--headless', '--no-remote', '--profile'),
  };
  for (const [name, start] of Object.entries(clients)) {
    answered = false;
    seen = [];
    asked = new Promise((resolve) => { first = resolve; });
    const done = new Promise((resolve) => { all = resolve; });
    const profile = `${tmp}/${name}`;
    mkdirSync(profile);
    const end = start(name === 'chromium' ? `--user-data-dir=${profile}` : profile);
    await done;
    console.log(`${name}: the others ask ${seen.join(', ')} the first one is answered`);
    await end?.();
  }
  process.exit();
});
EOF
seen=$(HOME=$tmp timeout 120 node --no-warnings "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
expected='undici: the others ask before, before, before the first one is answered
ws: the others ask before, before, before the first one is answered
chromium: the others ask after, after, after the first one is answered
firefox: the others ask after, after, after the first one is answered'

echo "undici 7.30.2, ws 8.23.0, node $(node --version)"
echo "$versions"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
