/* The thread that writes the database: what the redo log has got since the last commit makes the
 * next one. Nobody waits for it, but who wants memory back. */
#include <errno.h>

#include "base/err.h"
#include "session/stored.h"
#include "store/store_impl.h"

#define RETRY_MS 1000 /* after a write that failed */
#define LOOK_MS 200   /* with nothing to write: for what is to be pruned */

/* One transaction. Returns 0, or -errno with nothing changed. */
static int commit(struct store *st, struct batch *all)
{
	struct batch *b;
	int r = store_run(st->stmt[BEGIN]);

	for (b = all; b && r == 0; b = b->next)
		if (b->chunk)
			r = store_put_batch(st, b);
	if (r == 0)
		r = store_run(st->stmt[COMMIT]);
	if (r == 0)
		return 0;
	store_set_failing(st, &st->failing,
			  r == -EINVAL	 ? "a record cannot be read back"
			  : r == -ENOMEM ? "out of memory"
					 : store_db_error(st->db));
	if (!sqlite3_get_autocommit(st->db))
		store_run(st->stmt[ROLLBACK]);
	for (b = all; b; b = b->next)
		*b->acks = 0;
	return r;
}

/* All that the sessions have, in as many commits as that takes. Returns 0 or -errno. */
static int write_sessions(struct store *st, struct batch *all)
{
	while (batches_view(all, TURN_STORE)) {
		int r = commit(st, all);

		if (r < 0)
			return r;
		store_set_writing(st, &st->failing);
		store_quota_begin(st);
		for (struct batch *b = all; b; b = b->next) {
			if (!b->chunk)
				continue;
			store_quota_session(st, b->session, b->id, b->bytes);
			session_stored(b->session, b->to);
		}
	}
	return 0;
}

/* Carries out what operators want, and tells. */
static int carry_out(struct store *st, struct archive_job *jobs)
{
	struct archive_job *job;
	const char *why;

	if (!jobs)
		return 0;
	if (store_order(st, jobs, &why) < 0) {
		store_set_failing(st, &st->failing, why);
		store_queue_again(&st->to_store, jobs);
		return -EIO;
	}
	store_set_writing(st, &st->failing);
	while ((job = jobs) != NULL) {
		jobs = job->next;
		job->status = 0;
		worker_post(job->worker, &job->done);
	}
	return 0;
}

/* A file of the redo log may be written over, once a power cut cannot take what was in it. */
static int let_turn(struct store *st)
{
	struct store_queue *q = &st->to_store;

	if (st->set->sync == STORE_SYNC_FULL && store_checkpoint_settle(st) < 0)
		return -EIO;
	pthread_mutex_lock(&q->lock);
	q->turned = false;
	pthread_mutex_unlock(&q->lock);
	return 0;
}

/* Returns 0; also where it could not be done, and is to be tried again. -EIO: nothing is to be
 * written any more. */
static int do_work(struct store *st, struct store_work *w)
{
	/* One of a name that is to be deleted is another one, and not to be mixed with it. */
	int r = carry_out(st, w->orders);
	bool whole;
	struct batch *all = batches_new(&st->to_store, w->sessions, &whole);

	if (r == 0)
		r = write_sessions(st, all);
	for (struct batch *b = all; b && r < 0; b = b->next)
		store_queue_put(&st->to_store, b->session, 0);
	batches_free(all);
	return r == 0 && whole && w->turned ? let_turn(st) : 0;
}

void *store_write_thread(void *store)
{
	struct store *st = store;
	int r = 0;

	store_slices();
	do {
		bool failing = atomic_load(&st->failing);
		struct store_work w =
		    store_queue_take(&st->to_store, failing ? RETRY_MS : LOOK_MS, failing);

		r = do_work(st, &w);
		if (!atomic_load(&st->failing)) {
			store_prune(st);
			store_clear(st);
			store_kept_look(st);
			store_quota_look(st);
			r = r < 0 ? r : store_checkpoint_look(st);
		} else if (w.stop) {
			break;
		}
	} while (r == 0 && !store_queue_done(&st->to_store));
	if (r < 0) {
		store_queue_stop(&st->to_store);
		store_set_failing(st, &st->failing, "the disk has lost what it had taken");
	}
	return NULL;
}
