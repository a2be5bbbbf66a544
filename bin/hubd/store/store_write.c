/* The thread that writes: what has come since the last commit makes the next one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "session/stored.h"
#include "store/store_impl.h"

#define RETRY_MS 1000		     /* after a write that failed */
#define LOOK_MS 200		     /* with nothing to write: for what is to be pruned */
#define PART_BYTES ((size_t)4 << 20) /* of a session in one commit, about */

/* Where the part ends that one commit has of a session, so that one which has much does not hold up
 * the others: at the end of a chunk, or head. */
static uint64_t last_of_part(const struct chunk *c, uint64_t from, uint64_t head)
{
	size_t bytes = 0;

	for (c = chunk_find(c, from); bytes < PART_BYTES; c = atomic_load(&c->next)) {
		uint64_t end = c->first + atomic_load_explicit(&c->n, memory_order_acquire);

		if (end > head)
			return head;
		bytes += c->cap;
		from = end;
	}
	return from - 1;
}

/* What a session has that is not stored, or NULL. Takes the reference. */
static struct batch *batch_new(struct store *st, struct session *s)
{
	struct batch *b = calloc(1, sizeof(*b));
	struct log_view view;

	pthread_mutex_lock(&s->lock);
	s->storing = false;
	if (!b) {
		pthread_mutex_unlock(&s->lock);
		store_wake(&st->archive, s); /* again */
		session_unref(s);
		return NULL;
	}
	b->from = s->stored + 1;
	log_view(&s->log, b->from, &view);
	pthread_mutex_unlock(&s->lock);
	if (!view.chunk) {
		session_unref(s);
		free(b);
		return NULL;
	}
	b->session = s;
	b->chunk = view.chunk;
	b->to = last_of_part(b->chunk, b->from, view.head);
	return b;
}

static void batch_free(struct batch *b)
{
	chunk_unref(b->chunk);
	session_unref(b->session);
	free(b);
}

static void set_failing(struct store *st, const char *why)
{
	count_add(&st->archive.failed, 1);
	if (!atomic_exchange(&st->failing, why))
		err_log(ERR_ERROR, "store %s: %s; publishers are refused until it is mended",
			st->set->file, why);
}

static void set_writing(struct store *st)
{
	if (atomic_exchange(&st->failing, NULL))
		err_log(ERR_INFO, "store %s: writing again", st->set->file);
}

/* One transaction. Returns 0, or -errno with nothing changed. */
static int commit(struct store *st, struct batch *all)
{
	uint64_t start_ns = clock_mono_ns();
	struct batch *b;
	int r = store_run(st->stmt[BEGIN]);

	for (b = all; b && r == 0; b = b->next)
		r = store_put_batch(st, b);
	if (r == 0)
		r = store_run(st->stmt[COMMIT]);
	if (r < 0) {
		const char *why = r == -EINVAL	 ? "a record cannot be read back"
				  : r == -ENOMEM ? "out of memory"
						 : store_db_error(st->db);

		set_failing(st, why);
		if (!sqlite3_get_autocommit(st->db))
			store_run(st->stmt[ROLLBACK]);
		for (b = all; b; b = b->next)
			b->session->stored_acks = 0;
		return r;
	}
	histogram_add(&st->archive.commits, clock_mono_ns() - start_ns);
	set_writing(st);
	return 0;
}

/* Writes what the sessions have. Takes the list and its references. */
static void write_sessions(struct store *st, struct session *list)
{
	struct batch *all = NULL, **last = &all, *b;

	while (list) {
		struct session *next = list->store_next;

		*last = batch_new(st, list);
		if (*last)
			last = &(*last)->next;
		list = next;
	}
	if (!all)
		return;
	if (commit(st, all) < 0) {
		for (b = all; b; b = b->next)
			store_wake(&st->archive, b->session); /* again, after a pause */
	} else {
		store_quota_begin(st);
		for (b = all; b; b = b->next) {
			store_quota_session(st, b->session, b->id, b->bytes);
			session_stored(b->session, b->to);
			store_wake(&st->archive, b->session); /* there may be more */
		}
	}
	while ((b = all) != NULL) {
		all = b->next;
		batch_free(b);
	}
}

/* --- what there is to do */

struct work {
	struct session *sessions;
	struct archive_job *orders;
};

/* Waits for some. True at the end. */
static bool take_work(struct store *st, struct work *w)
{
	bool stop;

	pthread_mutex_lock(&st->lock);
	if (!st->stop && ((!st->first && !st->orders_first) || atomic_load(&st->failing))) {
		struct timespec until = store_in_ms(atomic_load(&st->failing) ? RETRY_MS : LOOK_MS);

		pthread_cond_timedwait(&st->wake, &st->lock, &until);
	}
	*w = (struct work){st->first, st->orders_first};
	st->first = NULL;
	st->last = &st->first;
	st->orders_first = NULL;
	st->orders_last = &st->orders_first;
	stop = st->stop;
	pthread_mutex_unlock(&st->lock);
	return stop;
}

/* It waits, in front of what has come meanwhile. */
static void put_back(struct store *st, struct work *w)
{
	struct session **last_session = &w->sessions;
	struct archive_job **last = &w->orders;

	while (*last_session)
		last_session = &(*last_session)->store_next;
	while (*last)
		last = &(*last)->next;
	pthread_mutex_lock(&st->lock);
	*last_session = st->first;
	st->last = st->first ? st->last : last_session;
	st->first = w->sessions;
	if (!st->first)
		st->last = &st->first;
	*last = st->orders_first;
	st->orders_last = st->orders_first ? st->orders_last : last;
	st->orders_first = w->orders;
	pthread_mutex_unlock(&st->lock);
}

/* Carries out what operators want, and tells. */
static int carry_out(struct store *st, struct archive_job *jobs)
{
	struct archive_job *job;
	const char *why;

	if (!jobs)
		return 0;
	if (store_order(st, jobs, &why) < 0) {
		set_failing(st, why);
		return -EIO;
	}
	set_writing(st);
	while ((job = jobs) != NULL) {
		jobs = job->next;
		job->status = 0;
		worker_post(job->worker, &job->done);
	}
	return 0;
}

static void do_work(struct store *st, struct work *w)
{
	/* One of a name that is to be deleted is another one, and not to be mixed with it. */
	if (carry_out(st, w->orders) < 0)
		put_back(st, w);
	else
		write_sessions(st, w->sessions);
}

/* Whether there is something to write, which at the end there may be: of a session that has much.
 */
static bool has_more(struct store *st)
{
	bool more;

	pthread_mutex_lock(&st->lock);
	more = st->first || st->orders_first;
	pthread_mutex_unlock(&st->lock);
	return more;
}

void *store_write_thread(void *store)
{
	struct store *st = store;
	bool stop = false;

	while (!stop) {
		struct work work;

		stop = take_work(st, &work);
		do_work(st, &work);
		stop = stop && (!has_more(st) || atomic_load(&st->failing));
		if (!atomic_load(&st->failing)) {
			store_prune(st);
			store_clear(st);
			store_kept_look(st);
			store_quota_look(st);
			store_checkpoint_step(st);
		}
	}
	return NULL;
}

void store_wake(struct archive *a, struct session *s)
{
	struct store *st = (struct store *)a;

	pthread_mutex_lock(&s->lock);
	if (s->storing || s->stored >= s->log.head) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	s->storing = true;
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_lock(&st->lock);
	s->store_next = NULL;
	*st->last = session_ref(s);
	st->last = &s->store_next;
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
}

void store_ask_write(struct store *st, struct archive_job *job)
{
	bool stopped;

	job->next = NULL;
	pthread_mutex_lock(&st->lock);
	stopped = st->stop;
	if (!stopped) {
		*st->orders_last = job;
		st->orders_last = &job->next;
		pthread_cond_signal(&st->wake);
	}
	pthread_mutex_unlock(&st->lock);
	if (stopped) {
		job->status = -EIO;
		worker_post(job->worker, &job->done);
	}
}

const char *store_failing(struct archive *a)
{
	struct store *st = (struct store *)a;

	return atomic_load_explicit(&st->failing, memory_order_relaxed);
}
