/* What was committed stands in the write-ahead log, and has to be moved into the database some
 * time: two waits for the disk. A thread of its own does it, beside the commits. But the log begins
 * anew only at a moment when all of it was moved, and under load there is always a commit that came
 * meanwhile; so now and then the thread makes passes that are shorter each time, and the writer
 * moves the little that the last one has left, between two commits. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store/store_impl.h"

#define MOVE_PAGES 100	 /* that are worth a pass of the thread: commits wait while it syncs */
#define ANEW_PAGES 16000 /* after which the log is to begin anew */
#define NEAR_PAGES 50	 /* that are not worth a shorter pass: the writer moves them */
#define FULL_PAGES 64000 /* at which it moves all, for the thread does not keep up */
#define IDLE_MS 1000	 /* without a commit: everything is moved, and the log made empty */
#define RETRY_MS 1000	 /* after an error */

/* Called by SQLite in each commit. */
static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *st = arg;

	(void)db;
	(void)name;
	pthread_mutex_lock(&st->wal_lock);
	if (pages < st->wal_pages)
		st->wal_moved = 0; /* it began anew */
	st->wal_pages = pages;
	st->wal_commits++;
	if (!st->wal_busy && pages - st->wal_moved >= MOVE_PAGES)
		pthread_cond_signal(&st->wal_wake);
	pthread_mutex_unlock(&st->wal_lock);
	return SQLITE_OK;
}

/* The size to which a log that begins anew is cut, where it was larger, as it is when somebody has
 * looked at the database for long. */
static void limit_log(sqlite3 *db)
{
	sqlite3_stmt *q;
	char sql[80];
	sqlite3_int64 page = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		page = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit=%jd", (intmax_t)(ANEW_PAGES * page));
	if (page > 0)
		sqlite3_exec(db, sql, NULL, NULL, NULL);
}

void store_checkpoint_init(struct store *st)
{
	sqlite3_wal_hook(st->db, on_commit, st);
	limit_log(st->db);
}

void store_checkpoint_step(struct store *st)
{
	int all = 0, moved = 0, left;
	bool due;

	pthread_mutex_lock(&st->wal_lock);
	left = st->wal_pages - st->wal_moved;
	due = st->wal_near && left > 0;
	/* Then the thread begins no other pass before that was done. */
	st->wal_full = st->wal_pages >= FULL_PAGES && left > 0;
	due = (due || st->wal_full) && !st->wal_busy;
	pthread_mutex_unlock(&st->wal_lock);
	if (!due)
		return;
	sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &all, &moved);
	pthread_mutex_lock(&st->wal_lock);
	/* Somebody who reads may have kept it from being whole: not at once again. */
	st->wal_moved = st->wal_pages;
	st->wal_near = st->wal_full = false;
	pthread_mutex_unlock(&st->wal_lock);
}

/* Waits until there is something to do: SQLITE_CHECKPOINT_PASSIVE, or _TRUNCATE when nothing was
 * committed for a while; -1 at the end. least: the pages that are worth a pass. *commits: those
 * until then; *left: the pages of them that are to be moved. */
static int wait(struct store *st, int least, unsigned *commits, int *left)
{
	int mode = -1;

	pthread_mutex_lock(&st->wal_lock);
	while (!st->wal_stop && mode < 0) {
		struct timespec until = store_in_ms(IDLE_MS);
		unsigned before = st->wal_commits;
		int r;

		if (st->wal_pages - st->wal_moved >= least && !st->wal_full) {
			mode = SQLITE_CHECKPOINT_PASSIVE;
			break;
		}
		r = pthread_cond_timedwait(&st->wal_wake, &st->wal_lock, &until);
		if (r != 0 && st->wal_commits == before && st->wal_pages > 0)
			mode = SQLITE_CHECKPOINT_TRUNCATE;
	}
	*commits = st->wal_commits;
	*left = st->wal_pages - st->wal_moved;
	st->wal_busy = mode >= 0;
	pthread_mutex_unlock(&st->wal_lock);
	return mode;
}

/* After one that began with so many pages, or failed (0): the pages that are worth another. Where
 * the log is to begin anew, those that came meanwhile, while these become fewer by half; then it is
 * the writer's turn. */
static int next_pass(struct store *st, int began)
{
	int left = st->wal_pages - st->wal_moved;

	if (!began || st->wal_pages < ANEW_PAGES)
		return MOVE_PAGES;
	if (left > NEAR_PAGES && left <= began / 2)
		return left;
	st->wal_near = left > 0;
	return MOVE_PAGES;
}

/* SQLite does so only after a pass that nobody has written beside. What is left to the end, commits
 * have to wait for at once: a tenth of a second. */
static void sync_moved(sqlite3 *db)
{
	sqlite3_file *f = NULL;

	if (sqlite3_file_control(db, NULL, SQLITE_FCNTL_FILE_POINTER, &f) == SQLITE_OK && f)
		f->pMethods->xSync(f, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

void *store_checkpoint_thread(void *store)
{
	struct store *st = store;
	sqlite3 *db = store_connect(st, true);
	int mode, least = MOVE_PAGES, left, all = 0, moved = 0;
	unsigned commits;

	if (!db)
		return NULL; /* the log grows, until the hub is started again */
	sqlite3_busy_timeout(db, 0);
	/* Linux counts it for the thread: what may wait is not to hold up what may not. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
	while ((mode = wait(st, least, &commits, &left)) >= 0) {
		/* Emptying it holds up commits, so first all is moved beside them. */
		int r =
		    sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &all, &moved);
		struct timespec until = store_in_ms(RETRY_MS);

		if (r == SQLITE_OK && mode != SQLITE_CHECKPOINT_PASSIVE)
			r = sqlite3_wal_checkpoint_v2(db, NULL, mode, &all, &moved);
		else if (r == SQLITE_OK && st->set->sync != STORE_SYNC_OFF)
			sync_moved(db);
		pthread_mutex_lock(&st->wal_lock);
		st->wal_busy = false;
		if (r == SQLITE_OK && mode == SQLITE_CHECKPOINT_PASSIVE && all <= st->wal_pages)
			st->wal_moved = moved;
		if (r == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE &&
		    commits == st->wal_commits)
			st->wal_pages = st->wal_moved = 0; /* it is empty */
		least = next_pass(st, r == SQLITE_OK ? left : 0);
		while (r != SQLITE_OK && !st->wal_stop &&
		       pthread_cond_timedwait(&st->wal_wake, &st->wal_lock, &until) == 0)
			;
		pthread_mutex_unlock(&st->wal_lock);
	}
	sqlite3_close(db);
	return NULL;
}
