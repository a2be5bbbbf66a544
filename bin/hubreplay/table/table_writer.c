/* The thread, and the chunks that wait for it. Invariant: only who holds `using` talks to the
 * database. */
#include "table/table_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "table/table_batch.h"
#include "table/table_link.h"

#define BATCH (4 << 20) /* bytes of chunks; one more may come on top */
#define AGAIN_MS 100	/* between two tries, at first; then twice as long, up to */
#define AGAIN_MAX_MS 2000
#define OPEN_PATIENCE_MS 30000 /* a database that has gone away, for a session that is new */
#define END_PATIENCE_MS 10000  /* one that takes nothing, at the end */

struct session {
	struct table_session it;
	struct session *next;
	struct table_writer *writer;
};

struct chunk {
	struct chunk *next;
	struct session *session;
	size_t len;
	char text[];
};

struct table_writer {
	const char *conninfo;
	struct session *sessions;

	pthread_mutex_t using;
	struct table_link link;

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t changed;
	struct chunk *first, **last;
	uint64_t batches; /* that are done */
	bool stop, failed;
	bool lost;	 /* the database is away */
	bool gone, back; /* it went, came again: not told yet */
	int status;
	char why[400];

	atomic_size_t waiting;
	pthread_t thread;

	/* For the thread alone. */
	struct table_batch batch;
	size_t taken; /* bytes of its chunks */
};

/* --- the thread */

/* Waits for chunks and takes some; NULL where there will be none. */
static struct chunk *take(struct table_writer *w)
{
	struct chunk *first, *c;

	pthread_mutex_lock(&w->lock);
	while (!w->first && !w->stop)
		pthread_cond_wait(&w->changed, &w->lock);
	first = c = w->first;
	w->taken = c ? c->len : 0;
	while (c && c->next && w->taken < BATCH) {
		c = c->next;
		w->taken += c->len;
	}
	if (c) {
		w->first = c->next;
		c->next = NULL;
	}
	if (!w->first)
		w->last = &w->first;
	pthread_mutex_unlock(&w->lock);
	return first;
}

/* Makes a batch of chunks, which it frees. Returns NULL, or what is wrong. */
static const char *pack(struct table_writer *w, struct chunk *c)
{
	const char *wrong = NULL;

	while (c) {
		struct chunk *next = c->next;

		if (!wrong)
			wrong = table_batch_add(&w->batch, &c->session->it, c->text, c->len);
		free(c);
		c = next;
	}
	return wrong ? wrong : table_batch_end(&w->batch);
}

/* One try, with a connection or a new one. Keeps the reason. */
static enum table_outcome attempt(struct table_writer *w)
{
	enum table_outcome r = TABLE_DONE;

	pthread_mutex_lock(&w->using);
	if (!w->link.conn)
		r = table_link_open(&w->link, w->conninfo, true);
	if (r == TABLE_DONE)
		r = table_batch_write(&w->batch, &w->link);
	pthread_mutex_lock(&w->lock);
	if (w->lost != (r == TABLE_AGAIN)) {
		w->lost = !w->lost;
		w->gone |= w->lost;
		w->back = !w->lost;
	}
	if (r != TABLE_DONE) {
		memcpy(w->why, w->link.why, sizeof(w->why));
		w->status = w->link.status;
	}
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_unlock(&w->using);
	return r;
}

/* Returns false where it is to stop. */
static bool wait_ms(struct table_writer *w, unsigned ms)
{
	struct timespec until;
	bool on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&w->lock);
	while (!w->stop && pthread_cond_timedwait(&w->changed, &w->lock, &until) != ETIMEDOUT)
		;
	on = !w->stop;
	pthread_mutex_unlock(&w->lock);
	return on;
}

/* The batch is there. */
static void done(struct table_writer *w)
{
	table_batch_done(&w->batch);
	pthread_mutex_lock(&w->lock);
	atomic_fetch_sub(&w->waiting, w->taken);
	w->batches++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static void fail(struct table_writer *w, const char *wrong)
{
	pthread_mutex_lock(&w->lock);
	if (wrong) {
		snprintf(w->why, sizeof(w->why), "%s", wrong);
		w->status = EX_SOFTWARE;
	}
	w->failed = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Tries until it is done. Returns false where it never will be, or is to stop. */
static bool write_batch(struct table_writer *w)
{
	unsigned ms = AGAIN_MS;
	enum table_outcome r;

	while ((r = attempt(w)) == TABLE_AGAIN) {
		if (!wait_ms(w, ms))
			return false;
		ms = 2 * ms < AGAIN_MAX_MS ? 2 * ms : AGAIN_MAX_MS;
	}
	if (r == TABLE_NEVER)
		fail(w, NULL);
	return r == TABLE_DONE;
}

static void *run(void *arg)
{
	struct table_writer *w = arg;
	struct chunk *chunks;

	while ((chunks = take(w))) {
		const char *wrong = pack(w, chunks);

		if (wrong)
			fail(w, wrong);
		if (wrong || !write_batch(w))
			break;
		done(w);
	}
	return NULL;
}

/* --- for the other thread */

static int take_chunk(void *arg, const char *text, size_t len)
{
	struct session *s = arg;
	struct table_writer *w = s->writer;
	struct chunk *c = malloc(sizeof(*c) + len);
	bool failed;

	if (!c)
		return -ENOMEM;
	*c = (struct chunk){.session = s, .len = len};
	memcpy(c->text, text, len);
	pthread_mutex_lock(&w->lock);
	failed = w->failed;
	if (!failed) {
		*w->last = c;
		w->last = &c->next;
		atomic_fetch_add(&w->waiting, len);
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	if (failed)
		free(c);
	return failed ? -EIO : 0;
}

/* Asks where a session stands, for some time. Returns 0 or an exit status, with the reason in why.
 */
static int ask(struct table_writer *w, struct session *s, bool *there, char *why, size_t cap)
{
	uint64_t until = clock_mono_ns() + UINT64_C(1000000) * OPEN_PATIENCE_MS;
	enum table_outcome r;
	int status;

	for (;;) {
		pthread_mutex_lock(&w->using);
		r = w->link.conn ? TABLE_DONE : table_link_open(&w->link, w->conninfo, true);
		if (r == TABLE_DONE)
			r = table_batch_ask(&w->link, &s->it, there);
		snprintf(why, cap, "%s", w->link.why);
		status = w->link.status;
		pthread_mutex_unlock(&w->using);
		if (r == TABLE_DONE)
			return 0;
		if (r == TABLE_NEVER || clock_mono_ns() > until)
			return status;
		usleep(AGAIN_MS * 1000);
	}
}

static struct recorder_past past_of(const struct table_session *s, bool there)
{
	struct recorder_past past = {.there = there};

	if (!there)
		return past;
	past.lines = s->now.lines + 1;
	past.t_us = s->now.last_us;
	past.start_ms = s->now.start_ms;
	past.seq = s->now.place.seq;
	memcpy(past.session, s->name, sizeof(past.session));
	memcpy(past.epoch, s->now.place.epoch, sizeof(past.epoch));
	memcpy(past.run, s->now.run, sizeof(past.run));
	return past;
}

struct recorder *table_writer_session(struct table_writer *w, const char *session,
				      struct recorder_past *past, char *why, size_t cap,
				      int *status)
{
	struct session *s = calloc(1, sizeof(*s));
	struct recorder *recorder = NULL;
	bool there = false;

	if (s) {
		s->writer = w;
		s->next = w->sessions;
		w->sessions = s;
		snprintf(s->it.name, sizeof(s->it.name), "%s", session);
		*status = ask(w, s, &there, why, cap);
		if (*status)
			return NULL;
		*past = past_of(&s->it, there);
		recorder = recorder_open_to(take_chunk, s, past);
	}
	if (!recorder) {
		snprintf(why, cap, "%s", strerror(ENOMEM));
		*status = EX_OSERR;
	}
	return recorder;
}

size_t table_writer_waiting(const struct table_writer *w)
{
	return atomic_load(&w->waiting);
}

bool table_writer_failed(struct table_writer *w, char *why, size_t cap, int *status)
{
	bool failed;

	pthread_mutex_lock(&w->lock);
	failed = w->failed;
	if (failed) {
		snprintf(why, cap, "%s", w->why);
		*status = w->status;
	}
	pthread_mutex_unlock(&w->lock);
	return failed;
}

bool table_writer_news(struct table_writer *w, char *text, size_t cap)
{
	bool news;

	pthread_mutex_lock(&w->lock);
	news = w->gone || w->back;
	if (w->gone)
		snprintf(text, cap, "%s; trying again", w->why);
	else if (w->back)
		snprintf(text, cap, "connected again");
	w->back = w->back && w->gone;
	w->gone = false;
	pthread_mutex_unlock(&w->lock);
	return news;
}

/* --- its life */

static void writer_free(struct table_writer *w)
{
	table_link_close(&w->link);
	while (w->sessions) {
		struct session *s = w->sessions;

		w->sessions = s->next;
		free(s->it.header);
		free(s);
	}
	while (w->first) {
		struct chunk *c = w->first;

		w->first = c->next;
		free(c);
	}
	table_batch_free(&w->batch);
	pthread_mutex_destroy(&w->using);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}

/* Signals are the other thread's. */
static int start(struct table_writer *w)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct table_writer *table_writer_open(const struct table_url *url, char *why, size_t cap,
				       int *status)
{
	struct table_writer *w = calloc(1, sizeof(*w));
	int error;

	*status = EX_OSERR;
	if (!w) {
		snprintf(why, cap, "%s", strerror(ENOMEM));
		return NULL;
	}
	w->conninfo = url->conninfo;
	w->last = &w->first;
	atomic_store(&w->link.fd, -1);
	pthread_mutex_init(&w->using, NULL);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	error = -table_batch_init(&w->batch);
	if (!error && table_link_open(&w->link, w->conninfo, true) != TABLE_DONE) {
		snprintf(why, cap, "%s", w->link.why);
		*status = w->link.status;
		writer_free(w);
		return NULL;
	}
	if (!error)
		error = start(w);
	if (error) {
		snprintf(why, cap, "%s", strerror(error));
		writer_free(w);
		return NULL;
	}
	return w;
}

/* Until nothing waits, or nothing comes of it. Returns whether all is there. */
static bool drain(struct table_writer *w)
{
	uint64_t batches = w->batches, since = clock_mono_ns();

	for (;;) {
		struct timespec until;

		if (!atomic_load(&w->waiting) || w->failed)
			return !w->failed;
		if (w->batches != batches) {
			batches = w->batches;
			since = clock_mono_ns();
		}
		if (clock_mono_ns() - since > UINT64_C(1000000) * END_PATIENCE_MS)
			return false;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&w->changed, &w->lock, &until);
	}
}

int table_writer_close(struct table_writer *w, char *why, size_t cap)
{
	int status = 0, fd;

	if (!w)
		return 0;
	pthread_mutex_lock(&w->lock);
	if (!drain(w)) {
		status = w->failed ? w->status : EX_IOERR;
		snprintf(why, cap, "%s%s%s", w->why, *w->why ? ": " : "",
			 "what came last may be missing");
	}
	w->stop = true;
	pthread_cond_broadcast(&w->changed);
	/* What waits for an answer gets none any more. */
	fd = status ? atomic_load(&w->link.fd) : -1;
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	writer_free(w);
	return status;
}
