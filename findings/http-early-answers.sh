#!/usr/bin/env bash
# undici 7.30.2 (the fetch of Node) and python 3.11: an informational answer ahead of the real one is too much for them.
#
# RFC 9110 (section 15.2): a client must be able to take one or more 1xx answers before the final one, even if it
# expects none. One would expect 100, the oldest, to be the safe one, and a good client to treat them alike. undici
# passes over 102 and 103 and ends the connection at a 100 it did not ask for: "bad response". Python's
# http.client passes over 100 alone: a 103 is the answer to it, status 103 with the head of early hints and
# no body. node:http, Deno 2.9.6 and curl take each.
#
# A server that says "still working" (102), "hints first" (103) or "go on" (100) without being asked breaks
# one client or the other: no 1xx reaches all. Say it to clients that are known, or not at all.
#
# Assumes Debian 12's python3 (3.11) and curl, node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm curl >"$tmp/log" && [ -x /usr/bin/python3 ] || skip "no node, npm, curl or python3"
case $(/usr/bin/python3 --version) in
'Python 3.11.'*) ;;
*) skip "it is not python 3.11" ;;
esac
timeout 90 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund undici@7.30.2 deno@2.9.6 >"$tmp/log" 2>&1 ||
	skip "no undici 7.30.2 or deno 2.9.6"

cat >"$tmp/client.py" <<'EOF'
import http.client, sys
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
connection.request("GET", url.path)
answer = connection.getresponse()
print(answer.status, answer.read().decode())
EOF
cat >"$tmp/fetch.mjs" <<'EOF'
const fetch = globalThis.Deno ? globalThis.fetch : (await import('undici')).fetch;
const url = globalThis.Deno ? Deno.args[0] : process.argv[2];
console.log(await fetch(url).then(async (answer) => `${answer.status} ${await answer.text()}`,
  (error) => error.cause?.message ?? `${error}`));
EOF
cat >"$tmp/http.mjs" <<'EOF'
import { get } from 'node:http';
get(process.argv[2], (answer) => answer.on('data', (data) => console.log(`${answer.statusCode} ${data}`)));
EOF
cat >"$tmp/try.js" <<'EOF'
const { execFile } = require('node:child_process');
const { createServer } = require('node:net');
const tmp = process.argv[2];

const server = createServer((socket) => socket.on('error', () => {}).once('data', (data) => {
  const status = /^GET \/(\d+)/.exec(data)[1];
  socket.end(`HTTP/1.1 ${status} Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone`);
}));
server.listen(0, '127.0.0.1', async () => {
  const clients = { undici: ['node', 'fetch.mjs'], 'http.client': ['/usr/bin/python3', 'client.py'],
    'node:http': ['node', 'http.mjs'], deno: ['node_modules/.bin/deno', 'run', '-A', 'fetch.mjs'],
    curl: ['curl', '-sw', '%{http_code}', '-o', '-'] };
  for (const [name, [program, ...args]] of Object.entries(clients)) {
    const seen = [];
    for (const status of [100, 102, 103]) {
      const url = `http://127.0.0.1:${server.address().port}/${status}`;
      const said = await new Promise((resolve) => {
        execFile(program, [...args, url], { cwd: tmp, timeout: 20000 }, (_, out) => resolve(out.trim()));
      });
      seen.push(`${status}: ${said === 'done200' ? '200 done' : said}`);
    }
    console.log(`${name}  ${seen.join(', ')}`);
  }
  process.exit();
});
EOF
seen=$(DENO_DIR=$tmp/deno DENO_NO_UPDATE_CHECK=1 timeout 120 node "$tmp/try.js" "$tmp" 2>"$tmp/log") || :
expected='undici  100: bad response, 102: 200 done, 103: 200 done
http.client  100: 200 done, 102: 102, 103: 103
node:http  100: 200 done, 102: 200 done, 103: 200 done
deno  100: 200 done, 102: 200 done, 103: 200 done
curl  100: 200 done, 102: 200 done, 103: 200 done'

echo "undici 7.30.2, deno 2.9.6, node $(node --version), $(/usr/bin/python3 --version)"
curl --version | grep -oE '^curl [0-9.]+'
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
