/* What SQLite writes through it is what it would write without: another connection, which knows
 * nothing of it, sees each commit whole; what fails or is rolled back leaves nothing behind; and
 * the pieces of a commit leave together. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/resource.h>

#include "hubd/store_stub.h"
#include "store/store_impl.h"
#include "unit.h"

#define ROUNDS 300

static sqlite3 *connect_by(const char *file, const char *vfs)
{
	sqlite3 *db;

	assert_int_equal(
	    sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
	return db;
}

static void must(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

static sqlite3_int64 number(sqlite3 *db, const char *sql)
{
	sqlite3_int64 n = -1;
	sqlite3_stmt *q;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	if (sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

static sqlite3 *begin(struct store_stub *st)
{
	sqlite3 *db;

	store_stub_dir(st);
	assert_non_null(store_vfs(STORE_SYNC_FULL));
	db = connect_by(st->file, store_vfs(STORE_SYNC_FULL));
	must(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
		 "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, text BLOB)");
	return db;
}

static void add(sqlite3 *db, int n, int bytes)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "INSERT INTO t (n, text) VALUES (%d, randomblob(%d))", n, bytes);
	must(db, sql);
}

/* Of chance, with a small cache, so that transactions write before they end. */
static void others_see_each_commit_and_nothing_else(void **state)
{
	struct store_stub st = {0};
	sqlite3 *db = begin(&st), *other = connect_by(st.file, NULL);
	unsigned seed = 1;
	sqlite3_int64 sum = 0;

	(void)state;
	must(db, "PRAGMA cache_size=10");
	for (int round = 0; round < ROUNDS; round++) {
		int what = rand_r(&seed) % 8, n = rand_r(&seed) % 30;
		sqlite3_int64 more = 0;

		must(db, "BEGIN IMMEDIATE");
		for (int i = 0; i < n; i++) {
			add(db, i, rand_r(&seed) % (what == 1 ? 200000 : 3000));
			more += i;
		}
		assert_int_equal(number(other, "SELECT total(n) FROM t"), sum);
		if (what == 2) {
			must(db, "SAVEPOINT s; DELETE FROM t; ROLLBACK TO s");
		} else if (what == 3) {
			must(db, "UPDATE t SET text = randomblob(500) WHERE id % 3 = 0");
		}
		assert_int_equal(number(db, "SELECT total(n) FROM t"), sum + more);
		must(db, what == 0 ? "ROLLBACK" : "COMMIT");
		sum += what == 0 ? 0 : more;
		assert_int_equal(number(other, "SELECT total(n) FROM t"), sum);
		if (what == 4)
			must(round % 2 ? other : db, "PRAGMA wal_checkpoint(PASSIVE)");
		if (what == 5 && round % 10 == 0)
			must(other, "PRAGMA wal_checkpoint(TRUNCATE)");
	}
	assert_int_equal(number(other, "SELECT count(*) FROM pragma_integrity_check"
				       " WHERE integrity_check = 'ok'"),
			 1);
	sqlite3_close(other);
	sqlite3_close(db);
	other = connect_by(st.file, NULL);
	assert_int_equal(number(other, "SELECT total(n) FROM t"), sum);
	sqlite3_close(other);
	store_stub_remove(&st);
}

static void what_cannot_be_written_is_not_there(void **state)
{
	struct rlimit before, small;
	struct store_stub st = {0};
	sqlite3 *db = begin(&st), *other = connect_by(st.file, NULL);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	add(db, 1, 100);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_not_equal(sqlite3_exec(db,
						  "BEGIN; INSERT INTO t (n, text) VALUES (10,"
						  " randomblob(3000000)); COMMIT",
						  NULL, NULL, NULL),
				     SQLITE_OK);
		if (!sqlite3_get_autocommit(db))
			must(db, "ROLLBACK");
		assert_int_equal(number(db, "SELECT total(n) FROM t"), 1);
		assert_int_equal(number(other, "SELECT total(n) FROM t"), 1);
	}
	add(db, 2, 100); /* there is room for that */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	add(db, 4, 3 << 20);
	assert_int_equal(number(other, "SELECT total(n) FROM t"), 7);
	sqlite3_close(db);
	assert_int_equal(number(other, "SELECT count(*) FROM pragma_integrity_check"
				       " WHERE integrity_check = 'ok'"),
			 1);
	sqlite3_close(other);
	store_stub_remove(&st);
}

/* System calls of this process that write. */
static long writes(void)
{
	FILE *f = fopen("/proc/self/io", "r");
	char line[100];
	long n = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "syscw: %ld", &n);
	fclose(f);
	return n;
}

static void a_commit_is_written_in_one_piece(void **state)
{
	struct store_stub st = {0};
	sqlite3 *db = begin(&st);
	long before, pages;

	(void)state;
	add(db, 1, 100);
	pages = number(db, "PRAGMA page_size");
	before = writes();
	add(db, 1, (int)(20 * pages));
	assert_in_range(writes() - before, 1, 4);
	sqlite3_close(db);
	store_stub_remove(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(others_see_each_commit_and_nothing_else),
	    cmocka_unit_test(what_cannot_be_written_is_not_there),
	    cmocka_unit_test(a_commit_is_written_in_one_piece),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store_vfs", tests, NULL, NULL);
}
