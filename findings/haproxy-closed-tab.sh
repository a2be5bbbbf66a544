#!/usr/bin/env bash
# haproxy 2.6.12: who closed an event stream stays there for the server, and the option against it works in some places only.
#
# One would expect a proxy to close its side when a client has gone, as nginx does. haproxy takes a closed client
# for one that may still read: an idle event stream or long poll goes on, for the server, until "timeout server".
# "option abortonclose" is the remedy, and the manual allows it in defaults, listen and backend. In a backend, where
# one would put it, it changes nothing; in defaults it closes at once. "haproxy -c" finds both good.
#
# A hub that shows who is present shows people who left, for a minute or an hour. Put the option into defaults; or
# send something often: what is written to the closed client ends it, whatever the options.
#
# Assumes apt-get and dpkg of Debian 12, node, and the libraries haproxy links to.
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
version=2.6.12-1+deb12u4
(cd "$tmp" && timeout 40 apt-get download "haproxy=$version") >"$tmp/log" 2>&1 || skip "no haproxy $version"
dpkg -x "$tmp"/haproxy_*.deb "$tmp/pkg"
haproxy=$tmp/pkg/usr/sbin/haproxy
ldd "$haproxy" | grep 'not found' && skip "libraries are missing"

cat >"$tmp/haproxy.cfg" <<EOF
defaults without
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 6s

frontend site-none from without
  bind unix@$tmp/none
  default_backend none
backend none from without
  server events unix@$tmp/events

frontend site-backend from without
  bind unix@$tmp/backend
  default_backend backend
backend backend from without
  option abortonclose
  server events unix@$tmp/events

defaults with from without
  option abortonclose

frontend site-defaults from with
  bind unix@$tmp/defaults
  default_backend defaults
backend defaults from with
  server events unix@$tmp/events
EOF
cat >"$tmp/try.js" <<'EOF'
const { createServer, get } = require('node:http');
const tmp = process.argv[2];

let gone;
const server = createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write('data: first\n\n');
  const beat = request.url === '/beats' && setInterval(() => response.write(':\n\n'), 200);
  response.on('close', () => { clearInterval(beat); gone(); });
});
server.listen(`${tmp}/events`, async () => {
  for (const path of ['/idle', '/beats']) {
    for (const site of ['none', 'backend', 'defaults']) {
      await new Promise((resolve) => {
        let left;
        gone = () => {
          const time = Date.now() - left;
          resolve(console.log(`${path}, abortonclose in ${site}: the server sees it ${time < 3000 ? 'soon' : 'at its timeout'}`));
        };
        const request = get({ socketPath: `${tmp}/${site}`, path }, (response) => response.once('data', () => {
          left = Date.now();
          request.destroy();
        })).on('error', () => {});
      });
    }
  }
  process.exit();
});
EOF
"$haproxy" -c -f "$tmp/haproxy.cfg" >"$tmp/check" 2>&1 || skip "haproxy refuses the configuration"
"$haproxy" -f "$tmp/haproxy.cfg" 2>"$tmp/log" &
pids=$!
for _ in $(seq 50); do [ -S "$tmp/defaults" ] && break; sleep 0.1; done
[ -S "$tmp/defaults" ] || skip "haproxy does not start"
seen=$(timeout 40 node "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
expected='/idle, abortonclose in none: the server sees it at its timeout
/idle, abortonclose in backend: the server sees it at its timeout
/idle, abortonclose in defaults: the server sees it soon
/beats, abortonclose in none: the server sees it soon
/beats, abortonclose in backend: the server sees it soon
/beats, abortonclose in defaults: the server sees it soon'

"$haproxy" -v | head -n 1
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
