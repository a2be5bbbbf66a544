/* SQLite's write-ahead log has to be moved into the database some time, and what is written has to
 * be on the disk before what it came from is written over. SQLite would sync the one and the other
 * as a whole, and the redo log, which people wait for, would have to wait for all those megabytes;
 * so this syncs them, a little at a time, in the thread that writes the database. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/store_impl.h"

#define MOVE_PAGES 1000 /* that are worth it */
#define IDLE_MS 1000	/* without a commit: everything is moved, and the log made empty */
/* Synced at a time: what is new is at the end, as a rule, and the rest of a large file is passed in
 * as many steps as any. */
#define STEP_BYTES ((off_t)64 << 10)
#define END_BYTES ((off_t)64 << 20)
#define STEPS 4096

/* Called by SQLite in each commit, in the thread that makes it. */
static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *st = arg;

	(void)db;
	(void)name;
	if (pages < st->wal_pages)
		st->wal_moved = 0; /* it began anew */
	st->wal_pages = pages;
	st->rest_ms = clock_mono_ms() + IDLE_MS;
	return SQLITE_OK;
}

int store_checkpoint_init(struct store *st)
{
	char path[PATH_MAX], sql[80];
	sqlite3_stmt *q;
	sqlite3_int64 page = 0;

	sqlite3_wal_hook(st->db, on_commit, st);
	if (sqlite3_prepare_v2(st->db, "PRAGMA page_size", -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		page = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	/* To which it is cut when it begins anew, after somebody has looked at the database for
	 * long. */
	snprintf(sql, sizeof(sql), "PRAGMA synchronous=OFF; PRAGMA journal_size_limit=%jd",
		 (intmax_t)(2 * MOVE_PAGES * page));
	if (page <= 0 || sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	snprintf(path, sizeof(path), "%s-wal", st->set->file);
	st->wal_fd = open(path, O_RDWR | O_CLOEXEC);
	return st->wal_fd < 0 ? -errno : 0;
}

void store_checkpoint_end(struct store *st)
{
	if (st->wal_fd < 0)
		return;
	if (st->set->sync != STORE_SYNC_OFF)
		sqlite3_exec(st->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
	close(st->wal_fd);
	st->wal_fd = -1;
}

/* How much is synced at once there. */
static off_t step_at(off_t at, off_t size)
{
	off_t large = size / STEPS;

	return at >= size - END_BYTES || large < STEP_BYTES ? STEP_BYTES : large;
}

/* All of a file is on the disk then. Returns 0 or -EIO. */
static int settle(const struct store *st, int fd)
{
	struct stat sb;
	off_t step;

	if (st->set->sync == STORE_SYNC_OFF)
		return 0;
	if (fstat(fd, &sb) < 0)
		return -EIO;
	for (off_t at = 0; at < sb.st_size; at += step) {
		step = step_at(at, sb.st_size);
		if (sync_file_range(fd, at, step,
				    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					SYNC_FILE_RANGE_WAIT_AFTER) == 0)
			continue;
		/* An error of the disk is told once: fdatasync() would not know of it. */
		if (errno == EIO || errno == ENOSPC || errno == EDQUOT)
			return -EIO;
		break; /* where that cannot be done, all of it leaves at the end */
	}
	return fdatasync(fd) < 0 ? -EIO : 0;
}

int store_checkpoint_settle(struct store *st)
{
	return settle(st, st->wal_fd);
}

/* Who reads may keep it from being all that is moved, and an error too: then it is tried again when
 * more has come. Returns 0, or -EIO where it is moved and not on the disk. */
static int move(struct store *st)
{
	int r = settle(st, st->wal_fd);

	if (r == 0 && sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
						NULL) == SQLITE_OK)
		r = settle(st, st->lock_fd);
	st->wal_moved = st->wal_pages;
	return r;
}

int store_checkpoint_look(struct store *st)
{
	bool rests = st->rest_ms && clock_mono_ms() >= st->rest_ms;
	int r = 0;

	if (rests || st->wal_pages - st->wal_moved >= MOVE_PAGES)
		r = move(st);
	if (!rests || r < 0)
		return r;
	if (sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
	    SQLITE_OK)
		st->wal_pages = st->wal_moved = 0;
	st->rest_ms = st->wal_pages ? clock_mono_ms() + IDLE_MS : 0;
	return 0;
}
