/* What all of the store says to SQLite. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "store/store_impl.h"

#define SLICE_NS 100000 /* the shortest that there is */

const char *store_db_error(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return "the disk is full";
	case SQLITE_READONLY:
		return "the store is read-only";
	case SQLITE_IOERR:
		return sqlite3_system_errno(db) == EFBIG
			   ? "the store is larger than the limit on file sizes allows"
			   : "the disk fails";
	case SQLITE_BUSY:
		return "the store is locked by somebody else";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "the store is damaged";
	default:
		return sqlite3_errstr(code);
	}
}

void store_bind_text(sqlite3_stmt *q, int i, const char *text, size_t len)
{
	sqlite3_bind_text64(q, i, text, len, SQLITE_STATIC, SQLITE_UTF8);
}

int store_run(sqlite3_stmt *q)
{
	int r = sqlite3_step(q);

	sqlite3_reset(q);
	return r == SQLITE_DONE || r == SQLITE_ROW ? 0 : -EIO;
}

int store_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **stmt, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &stmt[i], NULL) !=
		    SQLITE_OK)
			return -EIO;
	return 0;
}

int store_set_meta(sqlite3 *db, const char *name, const void *value, size_t len)
{
	sqlite3_stmt *q;
	int r = -EIO;

	if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", -1,
			       &q, NULL) != SQLITE_OK)
		return r;
	sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(q, 2, value, len, SQLITE_STATIC);
	r = store_run(q);
	sqlite3_finalize(q);
	return r;
}

sqlite3 *store_connect(struct store *st)
{
	int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(st->set->file, &db, flags, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(db, STORE_BUSY_MS) == SQLITE_OK)
		return db;
	err_log(ERR_ERROR, "store %s: %s", st->set->file, store_db_error(db));
	sqlite3_close(db);
	return NULL;
}

struct timespec store_in_ms(uint64_t ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	at.tv_sec += (time_t)(ms / 1000) + at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

void store_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void store_slices(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof(attr), .runtime = SLICE_NS};

	attr.nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	syscall(SYS_sched_setattr, 0, &attr, 0);
}
