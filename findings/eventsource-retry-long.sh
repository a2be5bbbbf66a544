#!/usr/bin/env bash
# undici 7.30.2 and eventsource 4.1.1 (npm): a server that says "come back in 25 days" is asked again at once, for ever.
#
# The field "retry:" sets how long an event stream's client waits before it connects again, in milliseconds and
# without a limit. One would expect a very long time to be as good as never; Chromium waits. In Node a timer of
# 2^31 milliseconds or more fires after one, and both clients hand the number on as it came: 2147483647 is 24.8
# days, and 2147483648 a loop that asks some hundred times in three seconds.
#
# A server under load that wants to be left alone by "retry:" gets the opposite the longer it asks for. Name a
# time below 2^31, or answer with 204, which ends it.
#
# Assumes node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	undici@7.30.2 eventsource@4.1.1 >"$tmp/log" 2>&1 || skip "no undici 7.30.2 or eventsource 4.1.1"

cat >"$tmp/try.js" <<'EOF'
const { createServer } = require('node:http');

let asked, often;
const server = createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.end(`retry: ${request.url.slice(1)}\ndata: busy\n\n`);
  if (++asked === 20) often();
});
server.listen(0, '127.0.0.1', async () => {
  for (const name of ['undici', 'eventsource']) {
    const { EventSource } = require(name);
    for (const retry of [2 ** 31 - 1, 2 ** 31, 3e9]) {
      asked = 0;
      const twenty = new Promise((resolve) => { often = resolve; });
      const events = new EventSource(`http://127.0.0.1:${server.address().port}/${retry}`);
      await Promise.race([twenty, new Promise((resolve) => setTimeout(resolve, 4000))]);
      events.close();
      const times = asked === 1 ? 'once' : asked >= 20 ? 'twenty times in 4 s' : `${asked} times`;
      console.log(`${name}, retry: ${retry}: asked ${times}`);
    }
  }
  process.exit();
});
EOF
seen=$(timeout 40 node --no-warnings "$tmp/try.js" 2>"$tmp/log") || :
expected='undici, retry: 2147483647: asked once
undici, retry: 2147483648: asked twenty times in 4 s
undici, retry: 3000000000: asked twenty times in 4 s
eventsource, retry: 2147483647: asked once
eventsource, retry: 2147483648: asked twenty times in 4 s
eventsource, retry: 3000000000: asked twenty times in 4 s'

echo "undici 7.30.2, eventsource 4.1.1, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
