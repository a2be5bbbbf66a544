#!/usr/bin/env bash
# curl 7.88.1: a gzip file that was appended to, served as it is, ends in an error after its first part.
#
# Gzip files may be joined end to end (RFC 1952, 2.2), so a recorder can append a part at a time and
# gzip reads all of it. One would expect the same over HTTP with "Content-Encoding: gzip", and fetch in
# Node reads both parts. curl --compressed prints the first part and fails with 23, a write error, and
# what it has printed is whole lines and looks complete. nginx with "gunzip on", which inflates for
# clients that cannot, passes both parts on: the same file is whole to whoever does not want gzip.
#
# A hub that appends to compressed recordings and lets a web server hand them out should close the file
# into one part first, or serve it as application/gzip without the header.
#
# Assumes apt-get and dpkg of Debian 12, node 18 or later, gzip, and the libraries curl and nginx link to.
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

command -v node gzip >"$tmp/log" || skip "no node or gzip"
curl=7.88.1-10+deb12u15 nginx=1.22.1-9+deb12u11
(cd "$tmp" && timeout 40 apt-get download "curl=$curl" "libcurl4=$curl" "nginx=$nginx") >"$tmp/log" 2>&1 ||
	skip "no curl $curl or nginx $nginx"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
lib=$(echo "$tmp"/pkg/usr/lib/*-linux-gnu*)
curl() { LD_LIBRARY_PATH=$lib timeout 10 "$tmp/pkg/usr/bin/curl" -s "$@"; }
curl --version >"$tmp/version" || skip "curl does not start"

echo '{"n":1}' | gzip >"$tmp/record.gz"
echo '{"n":2}' | gzip >>"$tmp/record.gz"
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
  server {
    listen 127.0.0.1:PORT;
    root $tmp;
    gzip_static always;
    gunzip on;
  }
}
EOF
free='require("net").createServer().listen(0, "127.0.0.1", function () { console.log(this.address().port); this.close(); })'
port=$(node -e "$free")
sed -i "s/PORT/$port/" "$tmp/nginx.conf"
# As root, nginx would read files as nobody.
chmod 755 "$tmp"
"$tmp/pkg/usr/sbin/nginx" -e "$tmp/error" -c "$tmp/nginx.conf" 2>"$tmp/log" &
pids=$!
url=http://127.0.0.1:$port/record
for _ in $(seq 50); do curl "$url" >"$tmp/ready" && break; sleep 0.1; done
[ -s "$tmp/ready" ] || skip "nginx does not start"

status=0
by_curl=$(curl --compressed "$url") || status=$?
by_fetch=$(timeout 10 node -e 'fetch(process.argv[1]).then((r) => r.text()).then((t) => process.stdout.write(t))' "$url") || :
by_nginx=$(curl "$url") || :
by_gzip=$(gzip -dc "$tmp/record.gz")
seen="gzip: ${by_gzip//$'\n'/ }
fetch: ${by_fetch//$'\n'/ }
nginx, gunzip: ${by_nginx//$'\n'/ }
curl --compressed: ${by_curl//$'\n'/ }, exit status $status"
expected='gzip: {"n":1} {"n":2}
fetch: {"n":1} {"n":2}
nginx, gunzip: {"n":1} {"n":2}
curl --compressed: {"n":1}, exit status 23'

cut -d ' ' -f 1,2 "$tmp/version" | head -n 1
"$tmp/pkg/usr/sbin/nginx" -v 2>&1
echo "node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
