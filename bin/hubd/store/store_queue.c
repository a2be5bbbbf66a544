/* What is to be done by the store's threads: by the two that write, sessions that have something
 * new, and orders, which go first; by those that read, orders alone. A session is in each queue
 * once at most. */
#include <errno.h>

#include "base/clock.h"
#include "store/store_impl.h"

/* Of sessions that may wait for others, so that one commit has much: the least between two. */
#define GATHER_MS 20
#define GATHER_BYTES ((size_t)4 << 20)

void store_queue_init(struct store_queue *q, enum store_turn turn)
{
	*q = (struct store_queue){.turn = turn};
	q->last = &q->first;
	q->orders_last = &q->orders_first;
	pthread_mutex_init(&q->lock, NULL);
	store_cond_init(&q->wake);
}

struct session *store_queue_pop(struct store_queue *q, struct session **list)
{
	struct session *s = *list;

	if (!s)
		return NULL;
	*list = s->store_next[q->turn];
	pthread_mutex_lock(&s->lock);
	s->storing[q->turn] = false;
	pthread_mutex_unlock(&s->lock);
	return s;
}

void store_queue_drop(struct store_queue *q)
{
	struct session *s;

	while ((s = store_queue_pop(q, &q->first)) != NULL)
		session_unref(s);
}

void store_queue_free(struct store_queue *q)
{
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->wake);
}

/* Under the session's lock. */
static bool has_new(const struct store_queue *q, const struct session *s)
{
	return q->turn == TURN_LOG ? s->durable < s->log.head : s->stored < s->durable;
}

void store_queue_put(struct store_queue *q, struct session *s, size_t bytes)
{
	bool there, due;

	pthread_mutex_lock(&s->lock);
	there = s->storing[q->turn];
	due = has_new(q, s);
	s->storing[q->turn] |= due;
	pthread_mutex_unlock(&s->lock);
	if (!due || (there && !bytes))
		return;
	pthread_mutex_lock(&q->lock);
	q->bytes += bytes;
	if (!there) {
		s->store_next[q->turn] = NULL;
		*q->last = session_ref(s);
		q->last = &s->store_next[q->turn];
	}
	if (!there || q->bytes >= GATHER_BYTES)
		pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

void store_refuse(struct archive_job *job)
{
	job->status = -EIO;
	worker_post(job->worker, &job->done);
}

bool store_queue_order(struct store_queue *q, struct archive_job *job)
{
	bool stopped;

	job->next = NULL;
	pthread_mutex_lock(&q->lock);
	stopped = q->stop;
	if (!stopped) {
		*q->orders_last = job;
		q->orders_last = &job->next;
		pthread_cond_signal(&q->wake);
	}
	pthread_mutex_unlock(&q->lock);
	return !stopped;
}

struct archive_job *store_queue_next(struct store_queue *q)
{
	struct archive_job *job;

	pthread_mutex_lock(&q->lock);
	while (!q->orders_first && !q->stop)
		pthread_cond_wait(&q->wake, &q->lock);
	job = q->stop ? NULL : q->orders_first;
	if (job) {
		q->orders_first = job->next;
		if (!q->orders_first)
			q->orders_last = &q->orders_first;
	}
	pthread_mutex_unlock(&q->lock);
	return job;
}

void store_queue_again(struct store_queue *q, struct archive_job *jobs)
{
	struct archive_job **last = &jobs;

	while (*last)
		last = &(*last)->next;
	pthread_mutex_lock(&q->lock);
	*last = q->orders_first;
	q->orders_last = q->orders_first ? q->orders_last : last;
	q->orders_first = jobs;
	if (!q->orders_first)
		q->orders_last = &q->orders_first;
	pthread_mutex_unlock(&q->lock);
}

static bool is_empty(const struct store_queue *q)
{
	return !q->first && !q->orders_first;
}

/* Whether there are sessions that may wait for more: not where memory waits for them. */
static bool gathers(const struct store_queue *q)
{
	return q->turn == TURN_STORE && q->first && !q->orders_first && !q->stop &&
	       q->bytes < GATHER_BYTES && !log_memory_tight(q->memory);
}

struct store_work store_queue_take(struct store_queue *q, uint64_t wait_ms, bool pause)
{
	struct timespec until = store_in_ms(wait_ms);
	struct store_work w;

	pthread_mutex_lock(&q->lock);
	if (!q->stop && (pause || is_empty(q)))
		pthread_cond_timedwait(&q->wake, &q->lock, &until);
	while (gathers(q)) {
		uint64_t now = clock_mono_ms();

		if (now >= q->taken_ms + GATHER_MS)
			break;
		until = store_in_ms(q->taken_ms + GATHER_MS - now);
		pthread_cond_timedwait(&q->wake, &q->lock, &until);
	}
	w = (struct store_work){q->first, q->orders_first, q->turned, q->stop};
	q->first = NULL;
	q->last = &q->first;
	q->bytes = 0;
	q->taken_ms = clock_mono_ms();
	q->orders_first = NULL;
	q->orders_last = &q->orders_first;
	pthread_mutex_unlock(&q->lock);
	return w;
}

bool store_queue_done(struct store_queue *q)
{
	bool done;

	pthread_mutex_lock(&q->lock);
	done = q->stop && is_empty(q);
	pthread_mutex_unlock(&q->lock);
	return done;
}

void store_queue_stop(struct store_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
}
