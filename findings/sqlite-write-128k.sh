#!/usr/bin/env bash
# SQLite 3.40.1: its own way to files ("unix") writes of 128 KiB or more only what is beyond, and says that the disk
# is full.
#
# Who puts a VFS of his own in front of the usual one, as sqlite.org/vfs.html suggests, calls its xWrite(); the page
# gives no limit to the amount, an int. One would expect all of it to be written, as xRead() gives all that it is asked
# for. But of the length only 17 bits are looked at: of 131,072 + 100 bytes the first 100 are written, of 131,072 none,
# and both are SQLITE_FULL. SQLite itself never writes more than a page at a time, so nobody sees it.
#
# A store that gathers the pages of a commit into one write has to keep below that; a full disk that is none is this.
#
# Assumes apt-get and dpkg of Debian 12, gcc.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v gcc >"$tmp/log" || skip "no gcc"
version=3.40.1-2+deb12u2
(cd "$tmp" && timeout 40 apt-get download "libsqlite3-0=$version" "libsqlite3-dev=$version") >"$tmp/log" 2>&1 ||
	skip "no SQLite $version"
for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$tmp/pkg"; done
lib=$tmp/pkg/usr/lib/$(gcc -print-multiarch)

cat >"$tmp/try.c" <<'EOF'
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void try(sqlite3_vfs *v, const char *path, int n) {
  sqlite3_file *f = calloc(1, v->szOsFile);
  char *data = malloc(n), *back = calloc(1, n);
  sqlite3_int64 size = -1;
  memset(data, 'x', n);
  if (v->xOpen(v, path, f, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_CREATE | SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) exit(2);
  f->pMethods->xTruncate(f, 0);
  int r = f->pMethods->xWrite(f, data, n, 0);
  f->pMethods->xFileSize(f, &size);
  printf("xWrite of %d: %s, %lld in the file", n, sqlite3_errstr(r), size);
  /* The same length to read, where the file has it. */
  for (int at = 0; at < n; at += 65536) f->pMethods->xWrite(f, data + at, n - at < 65536 ? n - at : 65536, at);
  r = f->pMethods->xRead(f, back, n, 0);
  printf("; xRead of as many: %s\n", r == SQLITE_OK && memcmp(data, back, n) == 0 ? "all" : sqlite3_errstr(r));
  f->pMethods->xClose(f);
}

int main(int argc, char **argv) {
  sqlite3_initialize();
  fprintf(stderr, "SQLite %s\n", sqlite3_libversion());
  sqlite3_vfs *v = sqlite3_vfs_find("unix");
  if (!v || argc < 2) return 2;
  try(v, argv[1], 131071);
  try(v, argv[1], 131072);
  try(v, argv[1], 131172);
}
EOF
gcc -I"$tmp/pkg/usr/include" "$tmp/try.c" -o "$tmp/try" -L"$lib" -lsqlite3 2>"$tmp/log" || skip "does not compile"
seen=$(LD_LIBRARY_PATH=$lib timeout 30 "$tmp/try" "$tmp/file" 2>"$tmp/version") || skip "does not run"
expected='xWrite of 131071: not an error, 131071 in the file; xRead of as many: all
xWrite of 131072: database or disk is full, 0 in the file; xRead of as many: all
xWrite of 131172: database or disk is full, 100 in the file; xRead of as many: all'

cat "$tmp/version"
printf 'expected: all is written\nas stated:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
