/* Invariant: mail is read in the order in which it was posted. */
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
#include "loop/worker_impl.h"

#define TICK_MS 1000
#define POLL_EVENTS 256	    /* taken at a time */
#define DRAIN_LAST_MS 1500  /* behind the drain time: for peers to take what is due to them */
#define DRAIN_GRACE_MS 3000 /* then to answer the close, until so much behind it */

/* Whose loop runs in this thread. */
static _Thread_local struct engine *here;

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

/* --- what the loop does around a turn --- */

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
	/* Whatever it was started for may have been done by now. */
	uv_idle_stop(&en->idle);
	if (!en->more && !en->own_mail)
		return;
	wake(en);
	read_own_mail(en);
	turn_next(en);
}

static void on_prepare(uv_prepare_t *handle)
{
	begin_turn(handle->data);
	turn_run(handle->data);
	rest(handle->data);
}

/* What was just read is answered before more is read: a peer with a window of messages under way
 * goes on while the rest of them is taken. */
static void on_check(uv_check_t *handle)
{
	read_own_mail(handle->data);
	turn_run(handle->data);
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
		turn_follow(en);
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
	turn_sent(en);
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
	turn_sent(en);
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
			turn_end_delay(en);
			turn_run(en);
		} while (read_mail(en));
		turn_end_delay(en);
		turn_run(en);
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
	turn_run(en);
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
