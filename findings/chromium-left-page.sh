#!/usr/bin/env bash
# Chromium 156 (Debian): who goes on to another page stays connected, answers pings, and loses what he is sent.
#
# One would expect a page that was left to be gone for the server, as in Firefox: a WebSocket used to keep a page
# out of the store for "back". In Chromium it is stored, and its WebSocket with it, open: messages are taken, pings
# answered. When he comes back the WebSocket is closed, 1001 to the server and 1006 to the page, which gets nothing
# of what came meanwhile. An event stream is stored too, and there the page gets all of it and goes on. Here he is
# away for 12 s; the stream is closed after 60 s, a WebSocket alone was still open after 100 s.
#
# A hub that shows who is present shows people who have left, and its pings do not tell; what it sent them counts as
# delivered. Close in "pagehide", open in "pageshow", and have the page tell what it has got last.
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

// Goes on to the other page, which goes back, and reports what it holds then; a page loaded anew has nothing to report.
const page = (kind) => {
  const got = [];
  let closed = 'open';
  const one = kind === 'stream' ? new EventSource('/stream') : new WebSocket(`ws://${location.host}`);
  one.onmessage = (event) => {
    if (got.push(+event.data) === 1 && !sessionStorage.left) {
      sessionStorage.left = 1;
      setTimeout(() => { location = '/other'; }, 500);
    }
  };
  one.onclose = (event) => { closed = event.code; };
  const report = (back) => setTimeout(() => {
    fetch('/report', { method: 'POST', body: JSON.stringify({ back, closed, got }) });
  }, 3000);
  if (sessionStorage.left) report('a new page');
  addEventListener('pageshow', (event) => event.persisted && report('the same page'));
};
let kind, left, sent, pongs, reported;
// A message every 0.2 s, numbered through all connections; those of the third to the ninth second away count.
const away = () => Date.now() - left > 3000 && Date.now() - left < 9000;
const stream = (write) => {
  const timer = setInterval(() => {
    write(`${++sent.all}`);
    if (away()) sent.away.push(sent.all);
  }, 200);
  return () => clearInterval(timer);
};
const server = createServer((request, response) => {
  if (request.url === '/stream') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    return response.on('close', stream((text) => response.write(`data: ${text}\n\n`)));
  }
  if (request.url === '/report') {
    let body = '';
    return request.on('data', (data) => { body += data; }).on('end', () => { response.end(); reported(JSON.parse(body)); });
  }
  if (request.url === '/other') left = Date.now();
  else if (request.url !== '/page') return response.writeHead(404).end();
  const script = request.url === '/other' ? 'setTimeout(() => history.back(), 12000)' : `(${page})('${kind}')`;
  response.writeHead(200, { 'Content-Type': 'text/html' });
  response.end(`<!DOCTYPE html><script>${script}</script>`);
});
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  socket.write(['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`, '', ''].join('\r\n'));
  socket.on('error', () => {}).on('data', (data) => {
    // Short frames with a mask, one or several.
    for (let i = 0; i < data.length; i += 6 + (data[i + 1] & 0x7f)) {
      if (data[i] === 0x8a && away()) pongs++;
      if (data[i] === 0x88) socket.end();
    }
  });
  // Each message is followed by an empty ping.
  const frames = (text) => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text), Buffer.from([0x89, 0])]);
  socket.on('close', stream((text) => socket.write(frames(text))));
});
const options = {
  chromium: (profile) => ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-port=0',
    `--user-data-dir=${profile}`],
  firefox: (profile) => ['--headless', '--no-remote', '--profile', profile],
};
server.listen(0, '127.0.0.1', async () => {
  for (const name of ['chromium', 'firefox']) {
    for (kind of ['WebSocket', 'stream']) {
      const profile = `${tmp}/${name}-${kind}`;
      mkdirSync(profile);
      [left, sent, pongs] = [undefined, { all: 0, away: [] }, 0];
      const report = new Promise((resolve) => { reported = resolve; });
      const url = `http://127.0.0.1:${server.address().port}/page`;
      const browser = spawn(name, [...options[name](profile), url], { stdio: 'ignore' });
      const { back, closed, got } = await report;
      const missing = sent.away.filter((number) => !got.includes(number)).length;
      const received = missing === 0 ? 'all received' : missing === sent.away.length ? 'all lost' : 'some lost';
      const meanwhile = sent.away.length ? `goes on${pongs ? ', with pongs' : ''}, ${received}` : 'ends';
      console.log(`${name}, ${kind}: ${meanwhile}; back: ${back}, ${closed}`);
      await new Promise((resolve) => browser.on('exit', resolve).kill());
    }
  }
  process.exit();
});
EOF
seen=$(HOME=$tmp timeout 300 node "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
expected='chromium, WebSocket: goes on, with pongs, all lost; back: the same page, 1006
chromium, stream: goes on, all received; back: the same page, open
firefox, WebSocket: ends; back: a new page, open
firefox, stream: ends; back: a new page, open'

echo "$versions"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
