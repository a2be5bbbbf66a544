#!/usr/bin/env bash
# nginx 1.22.1: an answer whose server was killed in the middle of it is passed on as a complete one.
#
# A server that streams over HTTP/1.1 marks the end of what it sends, so that a client can tell an end from a loss:
# asked directly, or through nginx with proxy_http_version 1.1, node and curl report a server that was killed as an
# error (curl: 18). By default nginx asks in HTTP/1.0, where the end of the connection is the end of the answer. And
# since its own answer is HTTP/1.1 it adds the mark that the server never sent: curl exits with 0.
#
# "curl http://hub/records | load" takes half a log for all of it, behind nginx and only there. Set the version, or
# have the last record say that it is the last; and do not take 0 from curl for the whole.
#
# Assumes apt-get and dpkg of Debian 12, node, and the libraries curl and nginx link to.
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
curl=7.88.1-10+deb12u15 nginx=1.22.1-9+deb12u11
(cd "$tmp" && timeout 40 apt-get download "curl=$curl" "libcurl4=$curl" "nginx=$nginx") >"$tmp/log" 2>&1 ||
	skip "no curl $curl or nginx $nginx"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
lib=$(echo "$tmp"/pkg/usr/lib/*-linux-gnu*)
curl() { LD_LIBRARY_PATH=$lib timeout 10 "$tmp/pkg/usr/bin/curl" -s "$@"; }
curl --version >"$tmp/version" || skip "curl does not start"
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
  upstream hub { server unix:$tmp/hub; }
  server {
    listen unix:$tmp/default;
    location / { proxy_pass http://hub; }
  }
  server {
    listen unix:$tmp/1.1;
    location / { proxy_pass http://hub; proxy_http_version 1.1; }
  }
}
EOF
# A server that would send two records, and is killed between them.
cat >"$tmp/server.js" <<'EOF'
const { createServer } = require('node:http');
createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
  response.write('{"n":1}\n');
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300);
}).listen(process.argv[2]);
EOF
cat >"$tmp/client.js" <<'EOF'
const { get } = require('node:http');
get({ socketPath: process.argv[2] }, (response) => {
  let text = '';
  response.on('data', (part) => { text += part; });
  response.on('end', () => console.log(`${text.trim()} complete`));
  response.on('error', (error) => console.log(`${text.trim()} ${error.code}`));
});
EOF
"$nginx" -e "$tmp/error" -c "$tmp/nginx.conf" 2>"$tmp/log" &
pids=$!
for _ in $(seq 50); do [ -S "$tmp/1.1" ] && break; sleep 0.1; done
[ -S "$tmp/1.1" ] || skip "nginx does not start"

# try PATH CLIENT...: runs the client, whose server is killed meanwhile, and shows what it says.
try() {
	rm -f "$tmp/hub"
	timeout 20 node "$tmp/server.js" "$tmp/hub" 2>"$tmp/log" &
	server=$!
	for _ in $(seq 50); do [ -S "$tmp/hub" ] && break; sleep 0.1; done
	"$@" && code=0 || code=$?
	{ wait "$server"; } 2>"$tmp/log" || :
}
seen=$(
	for site in hub 1.1 default; do
		try timeout 10 node "$tmp/client.js" "$tmp/$site" >"$tmp/node"
		try curl --unix-socket "$tmp/$site" http://hub/ >"$tmp/curl"
		echo "$site: node $(cat "$tmp/node"), curl $(cat "$tmp/curl") and exit status $code"
	done
)
expected='hub: node {"n":1} ECONNRESET, curl {"n":1} and exit status 18
1.1: node {"n":1} ECONNRESET, curl {"n":1} and exit status 18
default: node {"n":1} complete, curl {"n":1} and exit status 0'

"$nginx" -v 2>&1
head -n 1 "$tmp/version"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
