#!/usr/bin/env bash
# PostgreSQL 15.20 and libpq's pipeline mode: two notifications become one.
#
# One would expect a pipeline to save round trips and to change nothing else. But all that is sent
# before a sync is one transaction, and within a transaction NOTIFY drops what repeats a channel and
# payload. Two statements sent one by one wake the listener twice; the same two in a pipeline wake it
# once, and both are reported as done. With a sync after each there are two again. Nobody wrote BEGIN.
#
# A hub whose database notifies it of events that may repeat (a goal, a tick, "reload") counts too few
# as soon as the writer turns to pipelines. Put a number into the payload, or count rows, not calls.
#
# Assumes apt-get and dpkg of Debian 12, gcc, PostgreSQL's libraries; root runs the server as nobody.
set -eu

tmp=$(mktemp -d)
pids=
cleanup() {
	for pid in $pids; do kill -INT "$pid" 2>/dev/null || :; done
	wait
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v gcc >"$tmp/log" || skip "no gcc"
version=15.20-0+deb12u1
(cd "$tmp" && timeout 40 apt-get download "postgresql-15=$version" "libpq5=$version" "libpq-dev=$version") >"$tmp/log" 2>&1 ||
	skip "no PostgreSQL $version"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
lib=$tmp/pkg/usr/lib/$(gcc -print-multiarch)
export LD_LIBRARY_PATH=$lib
bin=$tmp/pkg/usr/lib/postgresql/15/bin
ldd "$bin/postgres" | grep 'not found' && skip "libraries are missing"

mkdir "$tmp/run"
as=()
if [ "$(id -u)" = 0 ]; then
	as=(setpriv --reuid=nobody --clear-groups)
	chmod 755 "$tmp"
	chown nobody "$tmp/run"
fi
timeout 20 "${as[@]}" "$bin/initdb" -D "$tmp/run/data" -A trust -U hub --no-sync >"$tmp/log" 2>&1 || skip "initdb fails"
"${as[@]}" "$bin/postgres" -D "$tmp/run/data" -c listen_addresses= -c unix_socket_directories="$tmp/run" -c fsync=off \
	>"$tmp/log" 2>&1 &
pids=$!

cat >"$tmp/try.c" <<'EOF'
#include <libpq-fe.h>
#include <stdio.h>

static const char sql[] = "SELECT pg_notify('room', 'goal')";

static void count(PGconn *listener, const char *how, int done) {
  PGnotify *n;
  int heard = 0;
  PQclear(PQexec(listener, "SELECT 1"));
  while ((n = PQnotifies(listener))) { heard++; PQfreemem(n); }
  printf("%s: %d done, %d heard\n", how, done, heard);
}

/* Sends the statement twice, a sync after every `per`, and counts the results that say it was done. */
static int pipelined(PGconn *c, int per) {
  int done = 0, syncs = 0;
  PQenterPipelineMode(c);
  for (int i = 1; i <= 2; i++) {
    PQsendQueryParams(c, sql, 0, NULL, NULL, NULL, NULL, 0);
    if (i % per == 0) { PQpipelineSync(c); syncs++; }
  }
  while (syncs && PQstatus(c) == CONNECTION_OK) {
    PGresult *r = PQgetResult(c);
    if (PQresultStatus(r) == PGRES_TUPLES_OK) done++;
    if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) syncs--;
    PQclear(r);
  }
  PQexitPipelineMode(c);
  return done;
}

int main(int argc, char **argv) {
  PGconn *listener = PQconnectdb(argv[argc - 1]), *c = PQconnectdb(argv[argc - 1]);
  if (PQstatus(c) != CONNECTION_OK) return 2;
  PQclear(PQexec(listener, "LISTEN room"));
  int done = 0;
  for (int i = 0; i < 2; i++) {
    PGresult *r = PQexecParams(c, sql, 0, NULL, NULL, NULL, NULL, 0);
    done += PQresultStatus(r) == PGRES_TUPLES_OK;
    PQclear(r);
  }
  count(listener, "one by one", done);
  count(listener, "pipeline, one sync", pipelined(c, 2));
  count(listener, "pipeline, two syncs", pipelined(c, 1));
  fprintf(stderr, "PostgreSQL %s, libpq %d\n", PQparameterStatus(c, "server_version"), PQlibVersion());
  PQfinish(c);
  PQfinish(listener);
}
EOF
gcc -I"$tmp/pkg/usr/include/postgresql" "$tmp/try.c" -o "$tmp/try" -L"$lib" -lpq 2>"$tmp/log" || skip "does not compile"
status=2
for _ in $(seq 50); do
	status=0
	seen=$(timeout 15 "$tmp/try" "host=$tmp/run user=hub dbname=postgres" 2>"$tmp/version") || status=$?
	[ $status = 2 ] || break
	sleep 0.1
done
[ $status != 2 ] || skip "the server does not start"
expected='one by one: 2 done, 2 heard
pipeline, one sync: 2 done, 1 heard
pipeline, two syncs: 2 done, 2 heard'

cat "$tmp/version"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
