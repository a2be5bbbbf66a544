/* Invariant: a turn's lists are empty whenever the loop waits for events. */
#include "loop/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/poller.h"
#include "loop/sends.h"

#define TICK_MS 1000
#define DELIVERED_MAX 256   /* noted of a list */
#define POLL_EVENTS 256	    /* taken at a time */
#define STREAMS_NS 2000000  /* of a turn, for streams that have more to read */
#define DRAIN_LAST_MS 1500  /* behind the drain time: for peers to take what is due to them */
#define DRAIN_GRACE_MS 3000 /* then to answer the close, until so much behind it */

struct engine {
	struct worker w; /* first: a worker is its engine */
	const struct worker_hooks *hooks;
	uv_loop_t loop;
	uv_async_t async;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle; /* active while the next turn is to follow at once */
	uv_timer_t tick;
	uv_timer_t drain;
	uv_timer_t delay;
	uv_timer_t alarm;
	uv_poll_t poll; /* of epoll */
	int epoll;

	pthread_mutex_t mail_lock;
	struct mail *mail_first, **mail_last;
	bool asleep; /* under mail_lock: nothing wakes it any more; the rest is read as it is freed
		      */
	bool own_mail; /* its own thread has posted some, and the loop does not wait */
	struct mail drain_mail;

	struct turn_entry *list[TURN_STEPS]; /* ends with &end */
	struct turn_entry *next[TURN_STEPS]; /* for the turn to come */
	bool more;			     /* something is in there */
	struct turn_entry *delayed;	     /* the same */
	struct turn_entry end;
	struct buf scratch[WORKER_SCRATCH];
	unsigned nscratch;

	uint64_t wall_ms; /* of this turn, once it was asked for */
	uint64_t busy_ns; /* since when it has been handling events; 0: it waits for them */
	uint64_t drain_start_ms;
	bool started, draining, ending;
	uint64_t delivered[DELIVERED_MAX]; /* since when what is to leave was there */
	unsigned ndelivered;
};

/* Whose loop runs in this thread. */
static _Thread_local struct engine *here;

static struct engine *engine_of(struct worker *w)
{
	return (struct engine *)w;
}

struct uv_loop_s *worker_loop(struct worker *w)
{
	return &engine_of(w)->loop;
}

uint64_t worker_now_ms(struct worker *w)
{
	return uv_now(&engine_of(w)->loop);
}

uint64_t worker_wall_ms(struct worker *w)
{
	struct engine *en = engine_of(w);

	if (!en->wall_ms)
		en->wall_ms = clock_wall_ms();
	return en->wall_ms;
}

/* Something has come: at the first of what the loop then does before it waits again. */
static uint64_t wake(struct engine *en)
{
	if (!en->busy_ns)
		en->busy_ns = clock_mono_ns();
	return en->busy_ns;
}

/* All is done, and the loop waits. */
static void rest(struct engine *en)
{
	if (en->busy_ns)
		histogram_add(&en->w.lag, clock_mono_ns() - en->busy_ns);
	en->busy_ns = 0;
}

uint64_t worker_turn_ns(struct worker *w)
{
	return wake(engine_of(w));
}

struct buf *worker_scratch(struct worker *w)
{
	struct engine *en = engine_of(w);

	assert(en->nscratch < WORKER_SCRATCH);
	en->scratch[en->nscratch].len = 0;
	return &en->scratch[en->nscratch++];
}

void worker_scratch_done(struct worker *w, struct buf *b)
{
	struct engine *en = engine_of(w);

	en->nscratch--;
	assert(b == &en->scratch[en->nscratch]);
}

void worker_connection_gone(struct worker *w)
{
	atomic_fetch_sub_explicit(&w->connections, 1, memory_order_relaxed);
}

unsigned workers_connections(const struct workers *all)
{
	unsigned i, n = 0;

	for (i = 0; i < all->n; i++)
		n += atomic_load_explicit(&all->at[i]->connections, memory_order_relaxed);
	return n;
}

uint64_t workers_sum(const struct workers *all, size_t offset, unsigned n)
{
	uint64_t sum = 0;
	unsigned i, k;

	for (i = 0; i < all->n; i++) {
		const char *counters = (const char *)&all->at[i]->counters + offset;
		const atomic_uint_fast64_t *at = (const void *)counters;

		for (k = 0; k < n; k++)
			sum += atomic_load_explicit(&at[k], memory_order_relaxed);
	}
	return sum;
}

uint64_t workers_silent_ms(struct worker *w)
{
	uint64_t now = worker_now_ms(w), silent = 0;

	for (unsigned i = 0; i < w->all->n; i++) {
		uint64_t beat = atomic_load_explicit(&w->all->at[i]->beat_ms, memory_order_relaxed);

		if (beat < now && now - beat > silent)
			silent = now - beat;
	}
	return silent;
}

/* --- the turn --- */

bool worker_later(struct worker *w, enum turn_step step, struct turn_entry *e)
{
	struct engine *en = engine_of(w);

	if (e->next)
		return false;
	e->next = en->list[step];
	en->list[step] = e;
	return true;
}

/* While it is active the loop does not wait; turns stop it. */
static void on_idle(uv_idle_t *handle)
{
	(void)handle;
}

/* What is left of a list: first of the next turn's, so that all have theirs, one after the other.
 */
static void put_off(struct engine *en, enum turn_step step)
{
	struct turn_entry **last = &en->list[step];

	while (*last != &en->end)
		last = &(*last)->next;
	*last = en->next[step];
	en->next[step] = en->list[step];
	en->list[step] = &en->end;
	uv_idle_start(&en->idle, on_idle);
	en->more = true;
}

/* All that was added leaves. */
static void end_sends(struct engine *en)
{
	uint64_t now_ns;

	sends_close(en->w.sends);
	if (!en->ndelivered)
		return;
	now_ns = clock_mono_ns();
	while (en->ndelivered)
		histogram_add(&en->w.delivery, now_ns - en->delivered[--en->ndelivered]);
}

void worker_delivered(struct worker *w, uint64_t since_ns)
{
	struct engine *en = engine_of(w);

	if (en->ndelivered == DELIVERED_MAX)
		histogram_add(&w->delivery, clock_mono_ns() - since_ns);
	else
		en->delivered[en->ndelivered++] = since_ns;
}

/* Streams do strangers' work, of which there may be any: it has a part of a turn. */
static void run_list(struct engine *en, enum turn_step step)
{
	bool bounded = step == TURN_STREAMS && !en->ending;
	uint64_t until = bounded ? clock_mono_ns() + STREAMS_NS : UINT64_MAX;

	sends_open(en->w.sends);
	while (en->list[step] != &en->end) {
		struct turn_entry *e = en->list[step];

		en->list[step] = e->next;
		e->next = NULL;
		en->hooks->step[step](&en->w, e);
		if (bounded && en->list[step] != &en->end && clock_mono_ns() > until)
			put_off(en, step);
	}
	end_sends(en);
}

bool worker_next_turn(struct worker *w, enum turn_step step, struct turn_entry *e)
{
	struct engine *en = engine_of(w);

	if (e->next)
		return false;
	e->next = en->next[step];
	en->next[step] = e;
	uv_idle_start(&en->idle, on_idle);
	en->more = true;
	return true;
}

/* All that was delayed is for this turn. */
static void end_delay(struct engine *en)
{
	struct turn_entry *e = en->delayed;

	en->delayed = &en->end;
	while (e != &en->end) {
		struct turn_entry *next = e->next;

		e->next = en->list[TURN_RESUME];
		en->list[TURN_RESUME] = e;
		e = next;
	}
}

static void on_delay(uv_timer_t *timer)
{
	end_delay(timer->data);
}

bool worker_delay(struct worker *w, struct turn_entry *e)
{
	struct engine *en = engine_of(w);

	if (e->next)
		return false;
	if (en->delayed == &en->end && !uv_is_closing((uv_handle_t *)&en->delay))
		uv_timer_start(&en->delay, on_delay, WORKER_DELAY_MS, 0);
	e->next = en->delayed;
	en->delayed = e;
	return true;
}

static bool read_mail(struct engine *en);

/* What it has posted to itself. */
static void read_own_mail(struct engine *en)
{
	if (!en->own_mail)
		return;
	en->own_mail = false;
	wake(en);
	read_mail(en);
}

/* What the turn before has left for this one. */
static void begin_turn(struct engine *en)
{
	enum turn_step step;

	/* Whatever it was started for may have been done by now. */
	uv_idle_stop(&en->idle);
	if (!en->more && !en->own_mail)
		return;
	wake(en);
	read_own_mail(en);
	if (!en->more)
		return;
	en->more = false;
	for (step = 0; step < TURN_STEPS; step++) {
		struct turn_entry **last = &en->next[step];

		while (*last != &en->end)
			last = &(*last)->next;
		*last = en->list[step];
		en->list[step] = en->next[step];
		en->next[step] = &en->end;
	}
}

static void turn(struct engine *en)
{
	enum turn_step step = 0;

	while (step < TURN_STEPS) {
		if (en->list[step] == &en->end) {
			step++;
			continue;
		}
		run_list(en, step);
		step = 0; /* what was done may have filled those before it */
	}
	en->wall_ms = 0;
}

static void on_prepare(uv_prepare_t *handle)
{
	begin_turn(handle->data);
	turn(handle->data);
	rest(handle->data);
}

/* What was just read is answered before more is read: a peer with a window of messages under way
 * goes on while the rest of them is taken. */
static void on_check(uv_check_t *handle)
{
	read_own_mail(handle->data);
	turn(handle->data);
}

/* --- the mailbox --- */

void worker_post_chain(struct worker *w, struct mail *first, struct mail *last)
{
	struct engine *en = engine_of(w);
	bool asleep;

	last->next = NULL;
	pthread_mutex_lock(&en->mail_lock);
	*en->mail_last = first;
	en->mail_last = &last->next;
	asleep = en->asleep;
	pthread_mutex_unlock(&en->mail_lock);
	if (asleep)
		return;
	if (en != here) {
		uv_async_send(&en->async);
	} else if (!en->own_mail) {
		/* It need not be told by a descriptor. */
		en->own_mail = true;
		uv_idle_start(&en->idle, on_idle);
	}
}

void worker_post(struct worker *w, struct mail *mail)
{
	worker_post_chain(w, mail, mail);
}

static bool read_mail(struct engine *en)
{
	struct mail *mail;

	pthread_mutex_lock(&en->mail_lock);
	mail = en->mail_first;
	en->mail_first = NULL;
	en->mail_last = &en->mail_first;
	pthread_mutex_unlock(&en->mail_lock);
	if (!mail)
		return false;
	sends_open(en->w.sends);
	while (mail) {
		struct mail *next = mail->next;

		mail->run(&en->w, mail);
		mail = next;
	}
	end_sends(en);
	return true;
}

static void on_mail(uv_async_t *async)
{
	wake(async->data);
	read_mail(async->data);
}

/* --- descriptors --- */

int poller_add(struct worker *w, struct pollee *p, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				 .data.ptr = p};

	return epoll_ctl(engine_of(w)->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void poller_remove(struct worker *w, int fd)
{
	epoll_ctl(engine_of(w)->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct engine *en = poll->data;
	struct epoll_event ev[POLL_EVENTS];
	int i, n = epoll_wait(en->epoll, ev, POLL_EVENTS, 0);

	(void)status;
	(void)events;
	wake(en);
	for (i = 0; i < n; i++) {
		struct pollee *p = ev[i].data.ptr;

		p->ready(p, ev[i].events);
	}
}

/* --- timers --- */

static void on_tick(uv_timer_t *timer)
{
	struct engine *en = timer->data;

	wake(en);
	atomic_store_explicit(&en->w.beat_ms, uv_now(&en->loop), memory_order_relaxed);
	wheel_advance(&en->w.wheel, (uint32_t)(uv_now(&en->loop) / 1000), en->hooks->due);
	en->hooks->second(&en->w);
}

static void on_alarm(uv_timer_t *timer)
{
	struct engine *en = timer->data;

	wake(en);
	sends_open(en->w.sends);
	en->hooks->alarm(&en->w);
	end_sends(en);
}

void worker_alarm(struct worker *w, uint64_t at_ms)
{
	struct engine *en = engine_of(w);
	uint64_t now_ms = uv_now(&en->loop), left = at_ms > now_ms ? at_ms - now_ms : 0;

	if (!uv_is_active((uv_handle_t *)&en->alarm) || uv_timer_get_due_in(&en->alarm) > left)
		uv_timer_start(&en->alarm, on_alarm, left, 0);
}

static void on_drain_tick(uv_timer_t *timer)
{
	struct engine *en = timer->data;
	uint64_t total = en->w.all->drain_ms;
	uint64_t past = uv_now(&en->loop) - en->drain_start_ms;

	if (!atomic_load_explicit(&en->w.connections, memory_order_relaxed) ||
	    past > total + DRAIN_GRACE_MS) {
		uv_timer_stop(timer);
		uv_stop(&en->loop);
		return;
	}
	en->hooks->drain(&en->w, past < total ? total - past : 0, past > total + DRAIN_LAST_MS);
}

static void on_drain(struct worker *w, struct mail *mail)
{
	struct engine *en = engine_of(w);

	(void)mail;
	if (en->draining)
		return;
	en->draining = true;
	en->drain_start_ms = uv_now(&en->loop);
	uv_timer_start(&en->drain, on_drain_tick, 0, WORKER_DRAIN_TICK_MS);
}

void worker_drain(struct worker *w)
{
	struct engine *en = engine_of(w);

	en->drain_mail.run = on_drain;
	worker_post(w, &en->drain_mail);
}

/* --- life --- */

struct worker *worker_new(struct workers *all, const struct worker_hooks *hooks)
{
	struct engine *en = calloc(1, sizeof(*en));
	enum turn_step step;
	int r;

	if (!en) {
		err_log(ERR_ERROR, "out of memory");
		return NULL;
	}
	en->w.all = all;
	en->w.index = all->n;
	en->hooks = hooks;
	en->mail_last = &en->mail_first;
	for (step = 0; step < TURN_STEPS; step++)
		en->list[step] = en->next[step] = &en->end;
	en->delayed = &en->end;
	pthread_mutex_init(&en->mail_lock, NULL);
	en->w.sends = sends_new(true);
	en->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = en->epoll < 0 ? -errno : uv_loop_init(&en->loop);
	if (r < 0) {
		err_log(ERR_ERROR, "cannot make an event loop: %s", uv_strerror(r));
		if (en->epoll >= 0)
			close(en->epoll);
		sends_free(en->w.sends);
		pthread_mutex_destroy(&en->mail_lock);
		free(en);
		return NULL;
	}
	uv_async_init(&en->loop, &en->async, on_mail);
	uv_prepare_init(&en->loop, &en->prepare);
	uv_check_init(&en->loop, &en->check);
	uv_idle_init(&en->loop, &en->idle);
	uv_timer_init(&en->loop, &en->tick);
	uv_timer_init(&en->loop, &en->drain);
	uv_timer_init(&en->loop, &en->delay);
	uv_timer_init(&en->loop, &en->alarm);
	uv_poll_init(&en->loop, &en->poll, en->epoll);
	en->poll.data = en;
	uv_poll_start(&en->poll, UV_READABLE, on_poll);
	en->async.data = en->prepare.data = en->check.data = en->tick.data = en->drain.data =
	    en->delay.data = en->alarm.data = en;
	uv_prepare_start(&en->prepare, on_prepare);
	uv_check_start(&en->check, on_check);
	uv_timer_start(&en->tick, on_tick, TICK_MS, TICK_MS);
	en->w.wheel.at = (uint32_t)(uv_now(&en->loop) / 1000);
	all->at[all->n++] = &en->w;
	return &en->w;
}

int worker_start(struct worker *w)
{
	struct engine *en = engine_of(w);
	int r = en->hooks->start(w);

	en->started = r == 0;
	return r;
}

void worker_run(struct worker *w)
{
	here = engine_of(w);
	uv_run(&here->loop, UV_RUN_DEFAULT);
	here = NULL;
}

void workers_settle(struct workers *all)
{
	bool some = true;

	while (some) {
		some = false;
		for (unsigned i = 0; i < all->n; i++)
			some |= read_mail(engine_of(all->at[i]));
	}
}

void worker_free(struct worker *w)
{
	struct engine *en = engine_of(w);
	unsigned i;

	en->ending = true;
	if (en->started) {
		/* Mail may bring what is to be ended, and ending may bring mail. */
		do {
			en->hooks->abort(w);
			end_delay(en);
			turn(en);
		} while (read_mail(en));
		end_delay(en);
		turn(en);
	}
	en->started = false;
	pthread_mutex_lock(&en->mail_lock);
	en->asleep = true;
	pthread_mutex_unlock(&en->mail_lock);
	uv_close((uv_handle_t *)&en->async, NULL);
	uv_close((uv_handle_t *)&en->check, NULL);
	uv_close((uv_handle_t *)&en->idle, NULL);
	uv_close((uv_handle_t *)&en->tick, NULL);
	uv_close((uv_handle_t *)&en->drain, NULL);
	uv_close((uv_handle_t *)&en->delay, NULL);
	uv_close((uv_handle_t *)&en->alarm, NULL);
	uv_close((uv_handle_t *)&en->poll, NULL);
	/* The prepare handle takes turns to the end; it does not keep the loop alive. */
	uv_unref((uv_handle_t *)&en->prepare);
	uv_run(&en->loop, UV_RUN_DEFAULT);
	turn(en);
	uv_close((uv_handle_t *)&en->prepare, NULL);
	uv_run(&en->loop, UV_RUN_DEFAULT);
	en->hooks->free(w);
	if (uv_loop_close(&en->loop) < 0)
		err_log(ERR_DEBUG, "worker %u: the event loop is still busy", w->index);
	while (read_mail(en))
		;
	close(en->epoll);
	sends_free(en->w.sends);
	for (i = 0; i < WORKER_SCRATCH; i++)
		buf_free(&en->scratch[i]);
	pthread_mutex_destroy(&en->mail_lock);
	free(en);
}
