/* The store from its beginning to its end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/store_impl.h"

struct store *store_open(const struct store_settings *set, unsigned char *secret, size_t secret_len,
			 uint32_t *run, int *status)
{
	struct store *st = calloc(1, sizeof(*st));

	*status = EX_OSERR;
	if (!st) {
		err_log(ERR_ERROR, "store %s: out of memory", set->file);
		return NULL;
	}
	st->archive =
	    (struct archive){.ask = store_ask, .wake = store_wake, .failing = store_failing};
	st->set = set;
	st->wall_ms = (int64_t)clock_wall_ms();
	st->mono_ms = clock_mono_ms();
	st->clears = true; /* what an earlier hubd has not come to */
	st->redo.fd[0] = st->redo.fd[1] = st->wal_fd = -1;
	store_queue_init(&st->to_log, TURN_LOG);
	store_queue_init(&st->to_store, TURN_STORE);
	store_queue_init(&st->to_read, TURN_READ);
	/* Before SQLite's first use: its statistics cost a lock for every piece of memory. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	/* Over a limit on file sizes writes are to fail, not hubd. */
	signal(SIGXFSZ, SIG_IGN);
	*status = store_open_db(st, secret, secret_len, run);
	if (*status != 0) {
		store_free(st);
		return NULL;
	}
	return st;
}

struct archive *store_archive(struct store *st)
{
	return &st->archive;
}

int store_start(struct store *st, const struct session_env *env)
{
	int r = 0;

	st->env = env;
	st->to_store.memory = env->memory;
	while (r == 0 && st->nreaders < STORE_READERS) {
		r = pthread_create(&st->readers[st->nreaders], NULL, store_read_thread, st);
		st->nreaders += r == 0;
	}
	if (r == 0)
		r = pthread_create(&st->writer, NULL, store_write_thread, st);
	st->writer_started = r == 0;
	if (r == 0)
		r = pthread_create(&st->logger, NULL, store_redo_thread, st);
	st->logger_started = r == 0;
	return -r;
}

/* Those that nobody will carry out. */
static void fail_jobs(struct archive_job **first)
{
	struct archive_job *job;

	while ((job = *first) != NULL) {
		*first = job->next;
		store_refuse(job);
	}
}

/* Ends the threads that write, the one behind the other; what is left they cannot write. */
static void stop_writing(struct store *st)
{
	store_queue_stop(&st->to_log);
	if (st->logger_started)
		pthread_join(st->logger, NULL);
	store_queue_stop(&st->to_store);
	if (st->writer_started)
		pthread_join(st->writer, NULL);
	st->logger_started = st->writer_started = false;
	fail_jobs(&st->to_log.orders_first);
	fail_jobs(&st->to_store.orders_first);
	store_queue_drop(&st->to_log);
	store_queue_drop(&st->to_store);
}

int store_stop(struct store *st)
{
	bool ran;

	if (!st)
		return 0;
	store_queue_stop(&st->to_read);
	while (st->nreaders)
		pthread_join(st->readers[--st->nreaders], NULL);
	fail_jobs(&st->to_read.orders_first);
	ran = st->logger_started;
	stop_writing(st);
	if (!ran)
		return 0;
	st->ran = true;
	store_quota_end(st);
	store_checkpoint_end(st);
	if (atomic_load(&st->redo_failing))
		err_log(ERR_ERROR, "store %s: %s; the last records are lost", st->set->file,
			atomic_load(&st->redo_failing));
	else if (atomic_load(&st->failing))
		err_log(ERR_ERROR,
			"store %s: %s; the next start writes what is in the redo log until then",
			st->set->file, atomic_load(&st->failing));
	else if (store_set_meta(st->db, "clean", "yes", 3) == 0)
		st->clean = true;
	return store_failing(&st->archive) ? -EIO : 0;
}

void store_free(struct store *st)
{
	unsigned k;

	if (!st)
		return;
	for (k = 0; k < WRITE_STMTS; k++)
		sqlite3_finalize(st->stmt[k]);
	store_checkpoint_end(st);
	/* Which moves its log into the database, and syncs that. */
	sqlite3_close(st->db);
	store_redo_close(st, st->ran && !st->clean);
	if (st->lock_fd > 0)
		close(st->lock_fd);
	store_queue_free(&st->to_log);
	store_queue_free(&st->to_store);
	store_queue_free(&st->to_read);
	buf_free(&st->bodies);
	buf_free(&st->messages);
	free(st);
}
