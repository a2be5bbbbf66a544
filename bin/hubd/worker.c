/* A worker's loop. Each turn: the transports read and append to the logs; then, once, every session
 * that changed is flushed to its members, every connection with answers to send is flushed, and
 * closing connections are reaped. */
#include "worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "dispatch.h"
#include "store.h"
#include "unix.h"
#include "watch.h"
#include "ws.h"

#define WHEEL_SLOTS 64 /* seconds a connection may wait for its next check */
#define TICK_MS 1000
#define DRAIN_TICK_MS 50
#define DRAIN_GRACE_MS 3000 /* for peers to answer the close, after the last was told */

struct engine {
	struct worker w; /* first: a worker is its engine */
	uv_loop_t loop;
	uv_async_t async;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_timer_t tick;
	uv_timer_t drain;

	pthread_mutex_t mail_lock;
	struct mail *mail_first, **mail_last;

	struct session *dirty;	/* each with a reference */
	struct session *status; /* each with a reference */
	struct conn *flush;
	struct conn *reap;

	struct conn *wheel[WHEEL_SLOTS]; /* every connection is in one slot */
	uint32_t wheel_at;		 /* the second whose slot was looked at last */

	bool draining;
	uint64_t drain_start_ms;
};

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
	if (!w->wall_ms)
		w->wall_ms = clock_wall_ms();
	return w->wall_ms;
}

void worker_connection_gone(struct worker *w)
{
	atomic_fetch_sub_explicit(&w->connections, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&w->hub->connections, 1, memory_order_relaxed);
}

/* --- lists of the turn --- */

void worker_dirty(struct worker *w, struct session *s)
{
	struct fan *fan = &s->fan[w->index];

	if (fan->dirty)
		return;
	fan->dirty = true;
	fan->dirty_next = engine_of(w)->dirty;
	engine_of(w)->dirty = session_ref(s);
}

void worker_flush_later(struct worker *w, struct conn *c)
{
	if (c->flushing)
		return;
	c->flushing = true;
	c->flush_next = engine_of(w)->flush;
	engine_of(w)->flush = c;
}

void worker_reap_later(struct worker *w, struct conn *c)
{
	if (c->reaping)
		return;
	c->reaping = true;
	c->reap_next = engine_of(w)->reap;
	engine_of(w)->reap = c;
}

/* --- the timer wheel --- */

void worker_uncheck(struct conn *c)
{
	if (!c->wheel_link)
		return;
	*c->wheel_link = c->wheel_next;
	if (c->wheel_next)
		c->wheel_next->wheel_link = c->wheel_link;
	c->wheel_link = NULL;
}

void worker_check_in(struct worker *w, struct conn *c, uint32_t seconds)
{
	struct engine *en = engine_of(w);
	struct conn **slot;

	if (seconds < 1)
		seconds = 1;
	if (seconds > WHEEL_SLOTS - 1)
		seconds = WHEEL_SLOTS - 1;
	slot = &en->wheel[(en->wheel_at + seconds) % WHEEL_SLOTS];
	worker_uncheck(c);
	c->wheel_next = *slot;
	c->wheel_link = slot;
	if (*slot)
		(*slot)->wheel_link = &c->wheel_next;
	*slot = c;
}

static void wheel_turn(struct engine *en)
{
	uint32_t now_s = (uint32_t)(uv_now(&en->loop) / 1000);

	while (en->wheel_at != now_s) {
		struct conn **slot = &en->wheel[++en->wheel_at % WHEEL_SLOTS];
		struct conn *c = *slot;

		/* Nothing else leaves the wheel meanwhile: connections are freed at the end of the
		 * turn. */
		*slot = NULL;
		while (c) {
			struct conn *next = c->wheel_next;

			c->wheel_link = NULL;
			worker_check_in(&en->w, c, conn_check(c, now_s));
			c = next;
		}
	}
}

/* --- flushing --- */

static void flush_session(struct worker *w, struct session *s)
{
	struct fan *fan = &s->fan[w->index];
	struct log_view view;
	struct member *m;
	uint64_t low;

	if (!fan->members)
		return;
	session_view(s, atomic_load_explicit(&fan->low, memory_order_relaxed), &view);
	if (!view.chunk)
		return;
	low = view.head + 1;
	for (m = fan->members; m; m = m->fan_next) {
		conn_flush_member(m->conn, m, &view);
		if (m->cursor < low && !m->conn->closing)
			low = m->cursor;
	}
	atomic_store_explicit(&fan->low, low, memory_order_relaxed);
	chunk_unref(view.chunk);
	/* The chunk may be gone, and another one at its place. */
	w->reframed_chunk = NULL;
}

static void flush_dirty(struct engine *en)
{
	while (en->dirty) {
		struct session *s = en->dirty;
		struct fan *fan = &s->fan[en->w.index];

		en->dirty = fan->dirty_next;
		fan->dirty = false;
		session_wake_others(s, en->w.index);
		if (en->w.hub->store)
			store_wake(en->w.hub->store, s);
		flush_session(&en->w, s);
		session_unref(s);
	}
}

static void flush_conns(struct engine *en)
{
	while (en->flush) {
		struct conn *c = en->flush;

		en->flush = c->flush_next;
		c->flushing = false;
		if (c->behind || c->finishing)
			conn_flush_all(c);
		else
			conn_flush(c);
		c->behind = false;
	}
}

static void reap(struct engine *en)
{
	while (en->reap) {
		struct conn *c = en->reap;

		en->reap = c->reap_next;
		c->reaping = false;
		conn_reap(c);
	}
}

static void turn(struct engine *en)
{
	if (en->w.ws)
		ws_read_more(en->w.ws);
	while (en->dirty || en->flush || en->reap) {
		flush_dirty(en);
		flush_conns(en);
		reap(en);
	}
	en->w.wall_ms = 0;
}

static void on_prepare(uv_prepare_t *handle)
{
	turn(handle->data);
}

static void on_check(uv_check_t *handle)
{
	turn(handle->data);
}

/* --- the mailbox --- */

struct mail *mail_new(const struct mail *proto)
{
	struct mail *mail = malloc(sizeof(*mail));

	if (mail)
		*mail = *proto;
	return mail;
}

void mail_free(struct mail *mail)
{
	session_unref(mail->session);
	blob_unref(mail->blob);
	free(mail);
}

void worker_post(struct worker *w, struct mail *mail)
{
	struct engine *en = engine_of(w);

	mail->next = NULL;
	pthread_mutex_lock(&en->mail_lock);
	*en->mail_last = mail;
	en->mail_last = &mail->next;
	pthread_mutex_unlock(&en->mail_lock);
	uv_async_send(&en->async);
}

static void on_presence(struct engine *en, const struct mail *mail)
{
	struct member *m;

	for (m = mail->session->fan[en->w.index].members; m; m = m->fan_next)
		if ((int32_t)(mail->version - m->version) > 0)
			conn_send(m->conn, mail->blob->text, mail->blob->len);
}

static void on_status(struct engine *en, const struct mail *mail)
{
	struct session *s = mail->session;

	s->fan[en->w.index].status_next = en->status;
	en->status = session_ref(s);
}

static void on_direct(struct engine *en, const struct mail *mail)
{
	struct member *m = session_find(mail->session, mail->client, en->w.index);

	atomic_fetch_sub_explicit(&en->w.direct, sizeof(*mail) + mail->blob->len,
				  memory_order_relaxed);
	if (m)
		conn_send(m->conn, mail->blob->text, mail->blob->len);
}

static void on_ack(struct engine *en, const struct mail *mail)
{
	struct member *m = session_find(mail->session, mail->client, en->w.index);

	if (!m)
		return;
	conn_send(m->conn, mail->blob->text, mail->blob->len);
	if (m->acks_due && --m->acks_due == 0 && m->leaving)
		dispatch_left(m->conn, m);
}

static void on_kick(struct engine *en, const struct mail *mail)
{
	struct member *m =
	    session_find_version(mail->session, mail->client, mail->version, en->w.index);

	if (m)
		conn_close(m->conn, CLOSE_REPLACED,
			   "replaced by a new connection of the same client");
}

static void on_adopt(struct engine *en, const struct mail *mail)
{
	if (en->draining) {
		close(mail->fd);
		worker_connection_gone(&en->w);
	} else if (mail->local) {
		unix_adopt(&en->w, mail->fd, mail->version);
	} else {
		ws_adopt(en->w.ws, mail->fd, mail->version);
	}
}

void worker_sessions(struct worker *w)
{
	if (!atomic_exchange(&w->sessions_woken, true))
		worker_post(w, &w->sessions);
}

static void on_sessions(struct engine *en)
{
	struct watch *watch;

	atomic_store(&en->w.sessions_woken, false);
	for (watch = en->w.watches; watch; watch = watch->next)
		watch_later(watch);
}

static void on_drain_tick(uv_timer_t *timer);

static void on_drain(struct engine *en)
{
	if (en->draining)
		return;
	en->draining = true;
	en->drain_start_ms = uv_now(&en->loop);
	uv_timer_start(&en->drain, on_drain_tick, 0, DRAIN_TICK_MS);
}

/* A wake is part of the session's fan, and free for the next one as soon as woken is cleared. */
static void on_wake(struct engine *en, struct mail *mail)
{
	struct session *s = mail->session;

	mail->session = NULL;
	atomic_store(&s->fan[en->w.index].woken, false);
	flush_session(&en->w, s);
	session_unref(s);
}

static void on_mail(uv_async_t *async)
{
	struct engine *en = async->data;
	struct mail *mail;

	pthread_mutex_lock(&en->mail_lock);
	mail = en->mail_first;
	en->mail_first = NULL;
	en->mail_last = &en->mail_first;
	pthread_mutex_unlock(&en->mail_lock);
	while (mail) {
		struct mail *next = mail->next;

		switch (mail->kind) {
		case MAIL_ADOPT:
			on_adopt(en, mail);
			break;
		case MAIL_WAKE:
			on_wake(en, mail);
			break;
		case MAIL_DIRECT:
			on_direct(en, mail);
			break;
		case MAIL_ACK:
			on_ack(en, mail);
			break;
		case MAIL_PRESENCE:
			on_presence(en, mail);
			break;
		case MAIL_STATUS:
			on_status(en, mail);
			break;
		case MAIL_KICK:
			on_kick(en, mail);
			break;
		case MAIL_SESSIONS:
			on_sessions(en);
			break;
		case MAIL_DRAIN:
			on_drain(en);
			break;
		}
		if (!mail->embedded)
			mail_free(mail);
		mail = next;
	}
}

/* --- once a second --- */

static void send_status(struct engine *en)
{
	while (en->status) {
		struct session *s = en->status;
		struct fan *fan = &s->fan[en->w.index];
		struct buf text = {0};
		struct member *m;

		en->status = fan->status_next;
		atomic_store(&fan->status_due, false);
		if (buf_printf(
			&text,
			"{\"type\":\"connection_status\",\"session_id\":\"%s\",\"user_count\":%u}",
			s->id, session_user_count(s)) == 0)
			for (m = fan->members; m; m = m->fan_next)
				conn_send(m->conn, text.data, text.len);
		buf_free(&text);
		session_unref(s);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct engine *en = timer->data;

	send_status(en);
	wheel_turn(en);
	if (en->w.ws)
		ws_tick(en->w.ws);
	if (en->w.index == 0)
		registry_sweep(en->w.hub, uv_now(&en->loop));
}

/* --- ending --- */

static size_t count_open(const struct engine *en)
{
	const struct conn *c;
	size_t i, n = 0;

	for (i = 0; i < WHEEL_SLOTS; i++)
		for (c = en->wheel[i]; c; c = c->wheel_next)
			n += !c->closing;
	return n;
}

/* Closes so many of the open connections that the last goes when the drain time is over. */
static void on_drain_tick(uv_timer_t *timer)
{
	struct engine *en = timer->data;
	uint64_t total = (uint64_t)(en->w.hub->opt.drain * 1000);
	uint64_t past = uv_now(&en->loop) - en->drain_start_ms;
	size_t open = count_open(en), n, i;
	struct conn *c;

	if (!atomic_load_explicit(&en->w.connections, memory_order_relaxed) ||
	    past > total + DRAIN_GRACE_MS) {
		uv_timer_stop(timer);
		uv_stop(&en->loop);
		return;
	}
	n = past + DRAIN_TICK_MS >= total ? open
					  : open * DRAIN_TICK_MS / (size_t)(total - past) + 1;
	for (i = 0; i < WHEEL_SLOTS && n; i++) {
		for (c = en->wheel[i]; c && n; c = c->wheel_next) {
			if (c->closing)
				continue;
			conn_close(c, CLOSE_RESTART, "the hub is shutting down");
			n--;
		}
	}
}

static void abort_all(struct engine *en)
{
	struct conn *c;
	size_t i;

	for (i = 0; i < WHEEL_SLOTS; i++)
		for (c = en->wheel[i]; c; c = c->wheel_next)
			conn_abort(c);
}

/* --- life --- */

struct worker *worker_new(struct hub *hub, unsigned index)
{
	struct engine *en = calloc(1, sizeof(*en));
	int r;

	if (!en) {
		err_log(ERR_ERROR, "out of memory");
		return NULL;
	}
	en->w.hub = hub;
	en->w.index = index;
	en->w.sessions = (struct mail){.kind = MAIL_SESSIONS, .embedded = true};
	en->mail_last = &en->mail_first;
	pthread_mutex_init(&en->mail_lock, NULL);
	r = uv_loop_init(&en->loop);
	if (r < 0) {
		err_log(ERR_ERROR, "cannot make an event loop: %s", uv_strerror(r));
		pthread_mutex_destroy(&en->mail_lock);
		free(en);
		return NULL;
	}
	uv_async_init(&en->loop, &en->async, on_mail);
	uv_prepare_init(&en->loop, &en->prepare);
	uv_check_init(&en->loop, &en->check);
	uv_timer_init(&en->loop, &en->tick);
	uv_timer_init(&en->loop, &en->drain);
	en->async.data = en->prepare.data = en->check.data = en->tick.data = en->drain.data = en;
	uv_prepare_start(&en->prepare, on_prepare);
	uv_check_start(&en->check, on_check);
	uv_timer_start(&en->tick, on_tick, TICK_MS, TICK_MS);
	en->wheel_at = (uint32_t)(uv_now(&en->loop) / 1000);
	en->w.ws = ws_new(&en->w);
	if (!en->w.ws || !ws_usable(en->w.ws)) {
		worker_free(&en->w);
		return NULL;
	}
	return &en->w;
}

void worker_run(struct worker *w)
{
	uv_run(&engine_of(w)->loop, UV_RUN_DEFAULT);
}

void worker_free(struct worker *w)
{
	struct engine *en = engine_of(w);
	struct mail *mail;

	if (w->ws) {
		abort_all(en);
		turn(en);
		ws_stop(w->ws);
	}
	uv_close((uv_handle_t *)&en->async, NULL);
	uv_close((uv_handle_t *)&en->check, NULL);
	uv_close((uv_handle_t *)&en->tick, NULL);
	uv_close((uv_handle_t *)&en->drain, NULL);
	/* The prepare handle reaps to the end; it does not keep the loop alive. */
	uv_unref((uv_handle_t *)&en->prepare);
	uv_run(&en->loop, UV_RUN_DEFAULT);
	reap(en);
	uv_close((uv_handle_t *)&en->prepare, NULL);
	uv_run(&en->loop, UV_RUN_DEFAULT);
	ws_free(w->ws);
	if (uv_loop_close(&en->loop) < 0)
		err_log(ERR_DEBUG, "worker %u: the event loop is still busy", w->index);
	while ((mail = en->mail_first) != NULL) {
		en->mail_first = mail->next;
		if (mail->kind == MAIL_ADOPT)
			close(mail->fd);
		if (mail->embedded)
			session_unref(mail->session);
		else
			mail_free(mail);
	}
	while (en->status) {
		struct session *s = en->status;

		en->status = s->fan[w->index].status_next;
		session_unref(s);
	}
	buf_free(&w->record);
	buf_free(&w->answer);
	buf_free(&w->reframed);
	pthread_mutex_destroy(&en->mail_lock);
	free(en);
}
