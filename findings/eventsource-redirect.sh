#!/usr/bin/env bash
# EventSource after a redirect: Chromium 156 and undici 7.30.2 come back to where they were sent, Firefox 153 and
# eventsource 4.1.1 (npm) to where they were told.
#
# A server that sends a stream elsewhere with 302 or 307, "for now", expects to be asked again when the stream was
# lost. Two of these clients do that. The other two go on asking the place they were sent to, as if the redirect
# were permanent.
#
# A hub that spreads its clients by redirects loses its say over those: they come back to a server that is being
# drained, whatever the first one would say now. Have each place send them on again, or name the places in what you
# send and let the page choose.
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
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	undici@7.30.2 eventsource@4.1.1 >"$tmp/log" 2>&1 || skip "no undici 7.30.2 or eventsource 4.1.1"

cat >"$tmp/try.js" <<'EOF'
const { spawn } = require('node:child_process');
const { createServer } = require('node:http');
const tmp = process.argv[2];

// Each path is /status/first or /status/second. The third one asked for tells how the client goes on.
let asked;
const server = createServer((request, response) => {
  const [, status, place] = request.url.split('/');
  if (status === 'page') {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    return response.end(`<!DOCTYPE html><script>const events = new EventSource('/${place}/first');</script>`);
  }
  if (!place) return response.writeHead(404).end();
  asked(place);
  if (place === 'first') return response.writeHead(+status, { Location: `/${status}/second` }).end();
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.end('retry: 500\ndata: hello\n\n');
});
server.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const library = (name) => (status) => {
    const events = new (require(name).EventSource)(`${url}/${status}/first`);
    return () => events.close();
  };
  const browser = (name, args) => (status) => {
    const child = spawn(name, [...args(`${tmp}/${name}-${status}`), `${url}/page/${status}`], { stdio: 'ignore' });
    return () => new Promise((resolve) => child.on('exit', resolve).kill());
  };
  const clients = {
    undici: library('undici'),
    eventsource: library('eventsource'),
    chromium: browser('chromium', (profile) => ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
      '--remote-debugging-port=0', `--user-data-dir=${profile}`]),
    firefox: browser('firefox', (profile) => {
      require('node:fs').mkdirSync(profile);
      return ['--headless', '--no-remote', '--profile', profile];
    }),
  };
  for (const [name, start] of Object.entries(clients)) {
    for (const status of [302, 307]) {
      const places = [];
      const enough = new Promise((resolve) => {
        asked = (place) => { if (places.push(place) === 3) resolve(); };
        setTimeout(resolve, 40000);
      });
      const end = start(status);
      await enough;
      asked = () => {};
      await end();
      console.log(`${name}, ${status}: ${places.slice(0, 3).join(', ')}`);
    }
  }
  process.exit();
});
EOF
seen=$(HOME=$tmp timeout 300 node --no-warnings "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
expected='undici, 302: first, second, second
undici, 307: first, second, second
eventsource, 302: first, second, first
eventsource, 307: first, second, first
chromium, 302: first, second, second
chromium, 307: first, second, second
firefox, 302: first, second, first
firefox, 307: first, second, first'

echo "undici 7.30.2, eventsource 4.1.1, node $(node --version)"
echo "$versions"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
