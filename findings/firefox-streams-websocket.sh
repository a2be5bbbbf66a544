#!/usr/bin/env bash
# Firefox 153 (Debian): six open event streams leave no place for a WebSocket to the same host; in Chromium 156 they do.
#
# A browser opens six HTTP/1.1 connections to a host at most, and six event streams (a tab each, say) hold them for
# ever. WebSockets have a limit of their own, 200 in Firefox and 255 in Chromium, and one would expect them to be
# free of that one. In Firefox a seventh connection is not begun, though it is to be a WebSocket: the server
# hears nothing, and after 20 s the page is told 1006, as if the server were down. Chromium opens it at once.
#
# A page that falls back to SSE "when WebSocket does not work", in several tabs, makes sure that it works in none. Do
# not leave streams open when trying a WebSocket again; use HTTP/2 for the streams, or another host name.
#
# Assumes Chromium 156 and Firefox 153 of Debian 12, and node (20 or later).
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v chromium firefox node >"$tmp/log" || skip "no chromium, firefox or node"
versions=$(chromium --version 2>"$tmp/log"; HOME=$tmp firefox --version 2>"$tmp/log")
[[ $versions == *' 156.'*'Firefox 153.'* ]] || skip "it is not Chromium 156 and Firefox 153: $versions"

cat >"$tmp/try.js" <<'EOF'
const { spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const { mkdirSync } = require('node:fs');
const { createServer } = require('node:http');
const tmp = process.argv[2];

const page = async (streams, reports) => {
  const say = (text) => fetch(reports + encodeURIComponent(text), { mode: 'no-cors' });
  const events = Array.from({ length: streams }, (_, i) => new EventSource(`/stream${i}`));
  await Promise.all(events.map((stream) => new Promise((resolve) => { stream.onmessage = resolve; })));
  const begin = Date.now();
  const client = new WebSocket(`ws://${location.host}/`);
  client.onopen = () => say('it opens');
  client.onclose = (event) => say(`${event.code} ${Date.now() - begin > 15000 ? 'after 20 s' : 'at once'}`);
};
let upgrades, report, streams;
// Reports have a server of their own: a place with the other one may be what is missing.
const reports = createServer((request, response) => {
  response.end();
  report(decodeURIComponent(request.url.slice(1)));
});
const server = createServer((request, response) => {
  if (request.url === '/page') {
    response.writeHead(200, { 'Content-Type': 'text/html', Connection: 'close' });
    response.end(`<!DOCTYPE html><script>(${page})(${streams}, 'http://127.0.0.1:${reports.address().port}/')</script>`);
  } else if (request.url.startsWith('/stream')) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: hello\n\n');
  } else {
    response.writeHead(404, { Connection: 'close' }).end();
  }
});
server.on('upgrade', (request, socket) => {
  upgrades++;
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  socket.on('error', () => {});
  socket.write(['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`, '', ''].join('\r\n'));
});
const options = {
  chromium: (profile) => ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-port=0',
    `--user-data-dir=${profile}`],
  firefox: (profile) => ['--headless', '--no-remote', '--profile', profile],
};
reports.listen(0, '127.0.0.1', () => server.listen(0, '127.0.0.1', async () => {
  for (const name of ['chromium', 'firefox']) {
    for (streams of [5, 6]) {
      const profile = `${tmp}/${name}${streams}`;
      mkdirSync(profile);
      upgrades = 0;
      const reported = new Promise((resolve) => { report = resolve; });
      const url = `http://127.0.0.1:${server.address().port}/page`;
      const browser = spawn(name, [...options[name](profile), url], { stdio: 'ignore' });
      console.log(`${name}, ${streams} streams: ${await reported}; asked of the server: ${upgrades}`);
      report = () => {};
      await new Promise((resolve) => browser.on('exit', resolve).kill());
    }
  }
  process.exit();
}));
EOF
seen=$(HOME=$tmp timeout 300 node "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
expected='chromium, 5 streams: it opens; asked of the server: 1
chromium, 6 streams: it opens; asked of the server: 1
firefox, 5 streams: it opens; asked of the server: 1
firefox, 6 streams: 1006 after 20 s; asked of the server: 0'

echo "$versions"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
