#!/usr/bin/env bash
# nginx 1.22.1 before an event stream (SSE): the version of HTTP decides, and gzip decides again.
#
# One would expect proxy_buffering, which is on, to decide whether events flow. Yet with it on:
#   as configured by default      every event waits for the end of the answer
#   proxy_http_version 1.1        every event passes at once (buffering is still on)
#   the same, and gzip            every event waits again, for gzip keeps what is not enough for a block
#   the same, buffering off       every event passes at once, compressed
# So the directive that people add for WebSocket mends SSE too, and a gzip line far away breaks it.
#
# A hub that offers SSE as the fallback works behind one site and is mute behind another. It should
# send X-Accel-Buffering: no rather than trust the site, and a test has to look at when, not what.
#
# Assumes apt-get and dpkg of Debian 12, node, and the libraries nginx links to.
set -eu

tmp=$(mktemp -d)
pids=
cleanup() {
	for pid in $pids; do kill "$pid" 2>/dev/null || :; done
	wait
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node >"$tmp/log" || skip "no node"
version=1.22.1-9+deb12u11
(cd "$tmp" && timeout 40 apt-get download "nginx=$version") >"$tmp/log" 2>&1 || skip "no nginx $version"
dpkg -x "$tmp"/nginx_*.deb "$tmp/pkg"
nginx=$tmp/pkg/usr/sbin/nginx
ldd "$nginx" | grep 'not found' && skip "libraries are missing"

cat >"$tmp/nginx.conf" <<EOF
daemon off;
master_process off;
pid $tmp/pid;
error_log $tmp/error;
events {}
http {
  access_log off;
  client_body_temp_path $tmp/1;
  proxy_temp_path $tmp/2;
  fastcgi_temp_path $tmp/3;
  uwsgi_temp_path $tmp/4;
  scgi_temp_path $tmp/5;
  gzip_types text/event-stream;
  gzip_min_length 0;
  upstream events { server unix:$tmp/events; }
  server {
    listen unix:$tmp/site;
    location /default  { proxy_pass http://events; }
    location /1.1      { proxy_pass http://events; proxy_http_version 1.1; }
    location /1.1+gzip { proxy_pass http://events; proxy_http_version 1.1; gzip on; }
    location /1.1+gzip+off { proxy_pass http://events; proxy_http_version 1.1; gzip on; proxy_buffering off; }
  }
}
EOF
cat >"$tmp/try.js" <<'EOF'
// The server of events ends its answer when the first event was seen, or after two seconds without.
const { createServer, get } = require('node:http');
const { createGunzip } = require('node:zlib');

const open = new Map();
const server = createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write('data: first\n\n');
  open.set(request.url, response);
});
const [, , events, site] = process.argv;
server.listen(events, async () => {
  for (const path of ['/default', '/1.1', '/1.1+gzip', '/1.1+gzip+off']) {
    await new Promise((resolve) => {
      let ended = false, when, text = '';
      const end = () => { if (!ended) open.get(path).end('data: last\n\n'); ended = true; };
      setTimeout(end, 2000);
      get({ socketPath: site, path, headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
        const gzip = response.headers['content-encoding'] === 'gzip';
        const stream = gzip ? response.pipe(createGunzip()) : response;
        stream.on('data', (part) => { text += part; when ??= ended ? 'held' : 'at once'; end(); });
        stream.on('end', () => resolve(console.log(`${path}: ${when}, ${gzip ? 'gzip' : 'plain'}, ${text.length} octets`)));
      });
    });
  }
  process.exit();
});
EOF
"$nginx" -e "$tmp/error" -c "$tmp/nginx.conf" 2>"$tmp/log" &
pids=$!
for _ in $(seq 50); do [ -S "$tmp/site" ] && break; sleep 0.1; done
[ -S "$tmp/site" ] || skip "nginx does not start"
seen=$(timeout 20 node "$tmp/try.js" "$tmp/events" "$tmp/site" 2>"$tmp/log") || :
expected='/default: held, plain, 25 octets
/1.1: at once, plain, 25 octets
/1.1+gzip: held, gzip, 25 octets
/1.1+gzip+off: at once, gzip, 25 octets'

"$nginx" -v 2>&1
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
