#!/usr/bin/env bash
# libpq 15.20: PQputCopyData on a non-blocking connection never says that its buffer is full.
#
# The manual says that PQputCopyData returns 0 if the data was not queued because of full buffers, and that one
# then waits until the socket can be written and tries again. One would expect that to be the back-pressure of a
# COPY. But libpq makes its buffer larger instead, as long as there is memory: here the server waits for a lock
# at the first row, takes about one buffer of the kernel, and 64 MB more are accepted with 1 after 1, all of it
# kept in the client. 0 would mean that memory has run out.
#
# A hub that writes its log by COPY, and trusts the 0, grows by whatever the database is behind. PQflush tells
# (1: not all was sent): ask it after each batch, and stop until it says 0.
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
#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum { ROW = 1024, ROWS = 64 * 1024 };

static void run(PGconn *c, const char *sql) {
  PGresult *r = PQexec(c, sql);
  if (PQresultStatus(r) == PGRES_FATAL_ERROR) fprintf(stderr, "%s: %s", sql, PQerrorMessage(c));
  PQclear(r);
}

int main(int argc, char **argv) {
  PGconn *holder = PQconnectdb(argv[argc - 1]), *c = PQconnectdb(argv[argc - 1]);
  if (PQstatus(c) != CONNECTION_OK) return 2;
  fprintf(stderr, "PostgreSQL %s, libpq %d\n", PQparameterStatus(c, "server_version"), PQlibVersion());
  run(holder, "SELECT pg_advisory_lock(1)");
  run(c, "CREATE TEMP TABLE log (record text CHECK (pg_advisory_xact_lock(1) IS NOT NULL))");
  run(c, "COPY log FROM STDIN");

  char row[ROW];
  memset(row, 'x', ROW - 1);
  row[ROW - 1] = '\n';
  int queued = 0, full = 0, errors = 0;
  PQsetnonblocking(c, 1);
  for (int i = 0; i < ROWS; i++) {
    int answer = PQputCopyData(c, row, ROW);
    if (answer == 1) queued++;
    else if (answer == 0) full++;
    else errors++;
  }
  struct mallinfo2 memory = mallinfo2();
  size_t held = memory.uordblks + memory.hblkhd;
  printf("%d rows of 1 KiB: %d times 1, %d times 0, %d times -1\n", ROWS, queued, full, errors);
  printf("kept in the client: %s\n", held > 60u << 20 ? "more than 60 MB" : "less");
  printf("PQflush: %d\n", PQflush(c));

  PQfinish(holder); /* gives the lock back */
  PQsetnonblocking(c, 0);
  PQputCopyEnd(c, NULL);
  PGresult *r = PQgetResult(c);
  printf("then the lock is released: %s\n", PQcmdStatus(r));
  PQclear(r);
  PQfinish(c);
}
EOF
gcc -I"$tmp/pkg/usr/include/postgresql" "$tmp/try.c" -o "$tmp/try" -L"$lib" -lpq 2>"$tmp/log" || skip "does not compile"
status=2
for _ in $(seq 50); do
	status=0
	seen=$(timeout 30 "$tmp/try" "host=$tmp/run user=hub dbname=postgres" 2>"$tmp/version") || status=$?
	[ $status = 2 ] || break
	sleep 0.1
done
[ $status != 2 ] || skip "the server does not start"
expected='65536 rows of 1 KiB: 65536 times 1, 0 times 0, 0 times -1
kept in the client: more than 60 MB
PQflush: 1
then the lock is released: COPY 65536'

cat "$tmp/version"
printf 'expected of the manual: 0 once the buffers are full\nas stated:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
