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
	st->last = &st->first;
	st->jobs_last = &st->jobs_first;
	st->orders_last = &st->orders_first;
	st->clears = true; /* what an earlier hubd has not come to */
	pthread_mutex_init(&st->lock, NULL);
	pthread_mutex_init(&st->jobs_lock, NULL);
	pthread_mutex_init(&st->wal_lock, NULL);
	store_cond_init(&st->wake);
	store_cond_init(&st->jobs_wake);
	store_cond_init(&st->wal_wake);
	/* Before SQLite's first use: its statistics cost a lock for every piece of memory. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	/* Over a limit on file sizes writes are to fail, not hubd. */
	signal(SIGXFSZ, SIG_IGN);
	*status = store_open_db(st, secret, secret_len, run);
	if (*status != 0) {
		store_free(st);
		return NULL;
	}
	store_checkpoint_init(st);
	return st;
}

struct archive *store_archive(struct store *st)
{
	return &st->archive;
}

int store_start(struct store *st, const struct session_env *env)
{
	int r;

	st->env = env;
	r = pthread_create(&st->mover, NULL, store_checkpoint_thread, st);
	st->mover_started = r == 0;
	while (r == 0 && st->nreaders < STORE_READERS) {
		r = pthread_create(&st->readers[st->nreaders], NULL, store_read_thread, st);
		st->nreaders += r == 0;
	}
	if (r == 0)
		r = pthread_create(&st->writer, NULL, store_write_thread, st);
	st->writer_started = r == 0;
	return -r;
}

static void stop_thread(pthread_mutex_t *lock, pthread_cond_t *wake, bool *stop)
{
	pthread_mutex_lock(lock);
	*stop = true;
	pthread_cond_broadcast(wake);
	pthread_mutex_unlock(lock);
}

/* Those that nobody will carry out. */
static void fail_jobs(struct archive_job **first)
{
	struct archive_job *job;

	while ((job = *first) != NULL) {
		*first = job->next;
		job->status = -EIO;
		worker_post(job->worker, &job->done);
	}
}

int store_stop(struct store *st)
{
	struct session *s;
	const char *failing;

	if (!st)
		return 0;
	stop_thread(&st->jobs_lock, &st->jobs_wake, &st->jobs_stop);
	while (st->nreaders)
		pthread_join(st->readers[--st->nreaders], NULL);
	fail_jobs(&st->jobs_first);
	stop_thread(&st->lock, &st->wake, &st->stop);
	if (st->writer_started)
		pthread_join(st->writer, NULL);
	fail_jobs(&st->orders_first);
	stop_thread(&st->wal_lock, &st->wal_wake, &st->wal_stop);
	if (st->mover_started)
		pthread_join(st->mover, NULL);
	st->mover_started = false;
	if (!st->writer_started)
		return 0;
	st->writer_started = false;
	failing = atomic_load(&st->failing);
	if (failing)
		err_log(ERR_ERROR, "store %s: %s; the last records are lost", st->set->file,
			failing);
	else
		store_set_meta(st->db, "clean", "yes", 3);
	store_quota_end(st);
	while ((s = st->first) != NULL) {
		st->first = s->store_next;
		session_unref(s);
	}
	return failing ? -EIO : 0;
}

void store_free(struct store *st)
{
	unsigned k;

	if (!st)
		return;
	for (k = 0; k < WRITE_STMTS; k++)
		sqlite3_finalize(st->stmt[k]);
	sqlite3_close(st->db);
	if (st->lock_fd > 0)
		close(st->lock_fd);
	pthread_mutex_destroy(&st->lock);
	pthread_mutex_destroy(&st->jobs_lock);
	pthread_mutex_destroy(&st->wal_lock);
	pthread_cond_destroy(&st->wake);
	pthread_cond_destroy(&st->jobs_wake);
	pthread_cond_destroy(&st->wal_wake);
	buf_free(&st->bodies);
	buf_free(&st->messages);
	free(st);
}
