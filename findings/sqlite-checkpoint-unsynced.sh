#!/usr/bin/env bash
# SQLite 3.40.1: a passive checkpoint that says it has moved all of the write-ahead log has not synced the database, if
# anybody has committed beside it.
#
# The manual of sqlite3_wal_checkpoint_v2() says of SQLITE_CHECKPOINT_PASSIVE that it syncs the database if all frames
# of the log were checkpointed, and two numbers tell: how many frames the log has, and how many were checkpointed. One
# would expect equal numbers to mean that the database is on the disk. But the numbers are those of the beginning. Where
# a commit comes while the pages are moved, which here one does at the first of them, they are equal, too, and there was
# no sync.
#
# Where somebody always writes, passive checkpoints beside him never sync: all that they have moved waits in the kernel,
# for the one checkpoint that nobody disturbs, or for the next close. That one then takes as long as the disk takes for
# all of it. Who wants to spread it asks SQLITE_FCNTL_FILE_POINTER for the file, and syncs that itself.
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

/* The usual VFS, whose database file tells when it is written and synced. */
static sqlite3_vfs *usual, watching;
static sqlite3_io_methods methods;
static int (*usual_write)(sqlite3_file *, const void *, int, sqlite3_int64);
static int (*usual_sync)(sqlite3_file *, int);
static sqlite3 *other;
static int moves, syncs, beside;

static void must(sqlite3 *db, const char *sql) {
  char *why = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fprintf(stderr, "%s: %s\n", sql, why), exit(2);
}

static int on_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
  if (moves++ == 0 && beside) must(other, "INSERT INTO t VALUES (randomblob(100))");
  return usual_write(f, p, n, at);
}

static int on_sync(sqlite3_file *f, int flags) { return syncs++, usual_sync(f, flags); }

static int on_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
  int r = usual->xOpen(usual, name, f, flags, out);
  if (r == SQLITE_OK && flags & SQLITE_OPEN_MAIN_DB) {
    methods = *f->pMethods;
    usual_write = methods.xWrite, usual_sync = methods.xSync;
    methods.xWrite = on_write, methods.xSync = on_sync;
    f->pMethods = &methods;
  }
  return r;
}

static void checkpoint(sqlite3 *db, const char *when) {
  int log = -1, done = -1;
  must(other, "INSERT INTO t VALUES (randomblob(50000))");
  moves = syncs = 0;
  int r = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
  printf("%s: %s, %s; pages %s, syncs of the database %d\n", when, sqlite3_errstr(r),
         log == done ? "all frames were checkpointed" : "not all", moves ? "were moved" : "stayed", syncs);
}

int main(int argc, char **argv) {
  sqlite3 *db;
  fprintf(stderr, "SQLite %s\n", sqlite3_libversion());
  sqlite3_initialize();
  usual = sqlite3_vfs_find(NULL);
  watching = *usual, watching.zName = "watching", watching.xOpen = on_open;
  sqlite3_vfs_register(&watching, 0);
  if (argc < 2 || sqlite3_open(argv[1], &other) != SQLITE_OK) return 2;
  must(other, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t (b BLOB)");
  if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, "watching") != SQLITE_OK) return 2;
  must(db, "PRAGMA synchronous=FULL; SELECT count(*) FROM t");
  checkpoint(db, "alone");
  beside = 1;
  checkpoint(db, "with a commit beside it");
  checkpoint(db, "again");
  beside = 0;
  checkpoint(db, "alone once more");
}
EOF
gcc -I"$tmp/pkg/usr/include" "$tmp/try.c" -o "$tmp/try" -L"$lib" -lsqlite3 2>"$tmp/log" || skip "does not compile"
seen=$(LD_LIBRARY_PATH=$lib timeout 30 "$tmp/try" "$tmp/file" 2>"$tmp/version") || skip "does not run"
expected='alone: not an error, all frames were checkpointed; pages were moved, syncs of the database 1
with a commit beside it: not an error, all frames were checkpointed; pages were moved, syncs of the database 0
again: not an error, all frames were checkpointed; pages were moved, syncs of the database 0
alone once more: not an error, all frames were checkpointed; pages were moved, syncs of the database 1'

cat "$tmp/version"
printf 'expected: where all frames were checkpointed, one sync\nas stated:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
