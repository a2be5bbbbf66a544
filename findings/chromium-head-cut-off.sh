#!/usr/bin/env bash
# Chromium 156 (Debian): an answer whose head was cut off by a lost connection is a good answer to fetch().
#
# The connection ends in the middle of a field: "Place: 12" of "Place: 1234". RFC 9112 (section 8) calls that an
# incomplete message. Node's fetch (undici) rejects it. Chromium gives the page status 200, ok, the fields that had
# come, the last one as far as it had come, and an empty body. Over TLS it does not: there fetch() rejects.
#
# A page that takes a number from a field, or an empty body for "nothing new", believes what was never said. Look for
# a field that stands behind the one that counts, or have the body say it too; and count what must have been answered.
#
# Assumes chromium, node (20 or later) and openssl.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v chromium node openssl >"$tmp/log" || skip "no chromium, node or openssl"
version=$(chromium --version 2>"$tmp/log")
case $version in
*' 156.'*) ;;
*) skip "it is not Chromium 156: $version" ;;
esac
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/key.pem" -out "$tmp/cert.pem" \
	-days 2 -subj /CN=localhost >"$tmp/log" 2>&1

cat >"$tmp/try.js" <<'EOF'
const { spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');
const net = require('node:net'), tls = require('node:tls');
const tmp = process.argv[2];
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
process.removeAllListeners('warning');

const ask = `async (url) => {
  try {
    const answer = await fetch(url + 'cut', {cache: 'no-store'});
    return [answer.status, answer.ok, 'Place ' + answer.headers.get('place'), JSON.stringify(await answer.text())].join(' ');
  } catch { return 'rejected'; }
}`;
let report;
const serve = (socket) => socket.on('error', () => {}).once('data', (data) => {
  const [, method, path] = /^(\w+) (\S+)/.exec(data);
  if (path === '/cut') return socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nPlace: 12');
  if (path.startsWith('/report/')) report(decodeURIComponent(path.slice(8)));
  const page = path === '/' ? `<script>(${ask})(location.href).then((text) => fetch('/report/' + encodeURIComponent(text)))</script>` : '';
  socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n${page}`);
});
(async () => {
  for (const secure of [false, true]) {
    const pem = (name) => readFileSync(`${tmp}/${name}.pem`);
    const server = secure ? tls.createServer({ key: pem('key'), cert: pem('cert') }, serve) : net.createServer(serve);
    server.on('tlsClientError', () => {});
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http${secure ? 's' : ''}://127.0.0.1:${server.address().port}/`;
    console.log(secure ? 'https' : 'http', 'undici:', await eval(ask)(url));
    const reported = new Promise((resolve) => { report = resolve; });
    const browser = spawn('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--ignore-certificate-errors',
      '--remote-debugging-port=0', `--user-data-dir=${tmp}/profile${secure}`, url], { stdio: 'ignore' });
    console.log(secure ? 'https' : 'http', 'chromium:', await reported);
    await new Promise((resolve) => browser.on('exit', resolve).kill());
  }
  process.exit();
})();
EOF
seen=$(HOME=$tmp timeout 60 node --no-warnings "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
expected='http undici: rejected
http chromium: 200 true Place 12 ""
https undici: rejected
https chromium: rejected'

echo "$version, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
