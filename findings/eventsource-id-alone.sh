#!/usr/bin/env bash
# eventsource 4.1.1 (npm): an id without data does not move the place from which it resumes.
#
# A server of events can send a block of nothing but "id: 9". The HTML standard sets the last event ID
# when the blank line comes and only then looks whether there is data: no event fires, and the next
# connection says Last-Event-ID: 9. undici 7.30.2 does so. The eventsource package takes the id along
# with an event only: it says 5, the id of the last block with data, and is sent again all that lies
# between.
#
# A hub that tells an idle or filtered reader "you are at 9" by such a block, so that it need not come
# back for records that were not for it, is believed by some clients only. Send an event with data.
#
# Assumes node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	eventsource@4.1.1 eventsource-parser@3.1.1 undici@7.30.2 >"$tmp/log" 2>&1 || skip "no eventsource 4.1.1 or undici 7.30.2"

cat >"$tmp/try.js" <<'EOF'
const { createServer } = require('node:http');

// The first connection is told its place and closed; the second shows what the client made of it.
function resumesAt(EventSource) {
  return new Promise((resolve) => {
    let connections = 0;
    const server = createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      if (++connections === 1) return response.end('retry: 50\n\nid: 5\ndata: five\n\nid: 9\n\n');
      source.close();
      resolve(request.headers['last-event-id']);
    });
    let source;
    server.listen(0, '127.0.0.1', () => {
      source = new EventSource(`http://127.0.0.1:${server.address().port}/`);
    });
  });
}
(async () => {
  for (const name of ['undici', 'eventsource']) console.log(name, 'resumes after', await resumesAt(require(name).EventSource));
  process.exit();
})();
EOF
seen=$(timeout 15 node "$tmp/try.js" 2>"$tmp/log") || :
expected='undici resumes after 9
eventsource resumes after 5'

echo "eventsource 4.1.1, undici 7.30.2, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
