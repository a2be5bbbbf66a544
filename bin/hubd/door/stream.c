/* Invariant: what is unsent leaves before anything that is written later; what was not used comes
 * again before anything that is read later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "conn/conn.h"
#include "door/doors.h"
#include "door/stream_impl.h"
#include "door/tls.h"

#define STEP_NS 1000000		   /* of a turn that are one stream's, about */
#define TURN_NS 4000000		   /* of a turn: then each stream does one thing more */
#define LINGER_S 2		   /* for the peer to end as well */
#define LINGER_BYTES (1024 * 1024) /* that it may still send */

static void on_ready(struct pollee *p, uint32_t events);

static uint32_t now_s(const struct stream *s)
{
	return (uint32_t)(worker_now_ms(s->worker) / 1000);
}

/* --- what is counted */

static void count_half(struct stream *s, size_t by)
{
	counter_add_at(&s->worker->counters, memory, MEMORY_HALF, by);
}

/* --- what an idle stream does not have */

static void free_more(struct stream *s)
{
	if (!s->more)
		return;
	wheel_remove(&s->more->timer);
	stream_count_unsent(s, -s->more->unsent.len);
	count_half(s, -s->more->rest.len);
	buf_free(&s->more->unsent);
	buf_free(&s->more->rest);
	free(s->more);
	s->more = NULL;
}

/* There is seldom any. */
static void shrink_more(struct stream *s)
{
	if (s->more && !s->more->unsent.len && !s->more->rest.len && !s->more->due_s &&
	    !s->more->to)
		free_more(s);
}

struct stream *stream_new(struct worker *w, int fd, struct tls *tls, const struct stream_user *user,
			  void *owner)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		goto fail;
	*s = (struct stream){
	    .poll = {on_ready}, .worker = w, .user = user, .owner = owner, .fd = fd};
	if (tls && !(s->tls = tls_accept(tls)))
		goto fail;
	if (poller_add(w, &s->poll, fd) < 0)
		goto fail;
	counter_add_at(&w->counters, connections, stream_counted(s), 1);
	return s;
fail:
	if (s)
		tls_free(s->tls);
	free(s);
	close(fd);
	worker_connection_gone(w);
	return NULL;
}

int stream_secure(struct stream *s, struct tls *tls)
{
	struct ssl_st *ssl = tls_accept(tls);

	if (!ssl)
		return -ENOMEM;
	stream_settle(s);
	counter_sub_at(&s->worker->counters, connections, stream_counted(s), 1);
	s->tls = ssl;
	counter_add_at(&s->worker->counters, connections, stream_counted(s), 1);
	return 0;
}

static void again(struct stream *s)
{
	worker_next_turn(s->worker, TURN_STREAMS, &s->turn);
}

void stream_use(struct stream *s, const struct stream_user *user, void *owner)
{
	counter_sub_at(&s->worker->counters, connections, stream_counted(s), 1);
	s->user = user;
	s->owner = owner;
	counter_add_at(&s->worker->counters, connections, stream_counted(s), 1);
	again(s);
}

/* --- to another worker */

/* A stream on its way. */
struct moving {
	struct mail mail; /* first */
	struct stream *stream;
};

/* What is counted of it, in (by 1) or out (by -1). */
static void count_all(struct stream *s, size_t by)
{
	counter_add_at(&s->worker->counters, connections, stream_counted(s), by);
	stream_count_unsent(s, by * s->more->unsent.len);
	count_half(s, by * s->more->rest.len);
}

static void on_moved(struct worker *w, struct mail *mail)
{
	struct moving *m = (struct moving *)mail;
	struct stream *s = m->stream;

	free(m);
	s->worker = w;
	count_all(s, 1);
	if (poller_add(w, &s->poll, s->fd) < 0) {
		stream_abort(s);
		return;
	}
	if (s->more->due_s)
		stream_deadline(s, s->more->due_s > now_s(s) ? s->more->due_s - now_s(s) : 1);
	s->readable = true;
	s->paused = false;
	again(s);
}

static void move(struct stream *s)
{
	struct moving *m = malloc(sizeof(*m));
	struct worker *to = s->more->to;

	s->more->to = NULL;
	if (!m) {
		stream_abort(s);
		return;
	}
	*m = (struct moving){{.run = on_moved}, s};
	stream_settle(s);
	poller_remove(s->worker, s->fd);
	wheel_remove(&s->more->timer);
	count_all(s, (size_t)-1);
	worker_connection_gone(s->worker);
	atomic_fetch_add_explicit(&to->connections, 1, memory_order_relaxed);
	worker_post(to, &m->mail);
}

void stream_move(struct stream *s, struct worker *to)
{
	struct stream_more *more = stream_more_of(s);

	if (!more) {
		stream_abort(s);
		return;
	}
	more->to = to;
	s->paused = true;
	worker_next_turn(s->worker, TURN_STREAMS, &s->turn);
}

/* --- closing */

/* Closes the descriptor; whose events may still come in this round, so it is freed in the turn. */
static void stream_close(struct stream *s)
{
	stream_settle(s);
	if (s->fd < 0)
		return;
	counter_sub_at(&s->worker->counters, connections, stream_counted(s), 1);
	if (s->tls && !tls_established(s->tls))
		counter_add_at(&s->worker->counters, refused, REFUSED_TLS, 1);
	tls_free(s->tls);
	s->tls = NULL;
	close(s->fd);
	s->fd = -1;
	free_more(s);
	shares_drop(s->worker->conns->shares, s->share);
	s->share = SHARE_NONE;
	worker_connection_gone(s->worker);
	worker_later(s->worker, TURN_STREAMS, &s->turn);
	s->user->gone(s);
}

void stream_abort(struct stream *s)
{
	struct linger now = {.l_onoff = 1};

	stream_settle(s);
	if (s->fd < 0)
		return;
	/* What nobody takes is not to stay in the kernel; where the peer is gone, there is nothing.
	 */
	if (!s->deaf)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	stream_close(s);
}

static size_t linger_take(struct stream *s, unsigned char *p, unsigned char *end)
{
	uintptr_t came = (uintptr_t)s->owner + (size_t)(end - p);

	s->owner = (void *)came;
	if (came > LINGER_BYTES)
		stream_close(s);
	return (size_t)(end - p);
}

static void linger_gone(struct stream *s)
{
	(void)s;
}

static const struct stream_user lingering = {.counted = {COUNT_ENDING, COUNT_ENDING},
					     .take = linger_take,
					     .ended = stream_close,
					     .late = stream_close,
					     .gone = linger_gone};

/* All has been sent: says so, and waits for the peer to end. */
static void linger(struct stream *s)
{
	const struct stream_user *user = s->user;

	if (s->tls)
		stream_say_end(s);
	if (s->at_end || s->deaf || shutdown(s->fd, SHUT_WR) < 0 ||
	    stream_deadline(s, LINGER_S) < 0) {
		stream_close(s);
		return;
	}
	if (s->more) {
		count_half(s, -s->more->rest.len);
		buf_free(&s->more->rest);
	}
	s->finishing = s->paused = false;
	user->gone(s);
	stream_use(s, &lingering, NULL);
}

/* Seconds for which a peer may take none of what waits for it. */
static uint32_t patience(const struct stream *s)
{
	return (uint32_t)(s->worker->conns->write_timeout + 0.999);
}

void stream_finish(struct stream *s)
{
	stream_settle(s);
	if (s->fd < 0 || s->finishing)
		return;
	s->finishing = true;
	if (!stream_waits(s))
		linger(s);
	else if (stream_deadline(s, patience(s)) < 0)
		stream_abort(s);
}

/* --- writing */

static void write_on(struct stream *s)
{
	struct buf *unsent = &s->more->unsent;
	ssize_t n = stream_push(s, unsent->data, unsent->len);

	if (n < 0 && n != -EPIPE && n != -ECONNRESET) {
		stream_abort(s);
		return;
	}
	if (n < 0) {
		s->deaf = true;
		n = (ssize_t)unsent->len;
	}
	stream_count_unsent(s, -(size_t)n);
	buf_consume(unsent, (size_t)n);
	if (unsent->len) {
		if (n > 0 && s->user->progress)
			s->user->progress(s);
		if (n > 0 && s->finishing && s->fd >= 0)
			stream_deadline(s, patience(s));
		return;
	}
	buf_free(unsent);
	s->more->answers = 0;
	shrink_more(s);
	if (s->finishing)
		linger(s);
	else if (s->user->writable)
		s->user->writable(s);
}

/* --- reading */

void stream_pause(struct stream *s, bool paused)
{
	if (s->paused == paused)
		return;
	s->paused = paused;
	if (!paused && s->fd >= 0 && (s->readable || s->at_end || (s->more && s->more->rest.len)))
		again(s);
}

/* Keeps what was not used, where there is nothing yet. False where memory is out, or this stream's
 * part of it. */
static bool keep(struct stream *s, const char *p, size_t len)
{
	struct stream_more *more = stream_more_of(s);

	if (stream_counted(s) != COUNT_UNIX && conn_over(s->worker, len))
		return false;
	if (!more || buf_put(&more->rest, p, len) < 0)
		return false;
	count_half(s, len);
	return true;
}

/* Takes what was used out of the socket, where it was only looked at. */
static bool drop(struct stream *s, size_t len)
{
	s->readable = s->readable || len > 0;
	return len == 0 || recv(s->fd, s->worker->input, len, MSG_DONTWAIT) == (ssize_t)len;
}

bool stream_yields(struct stream *s)
{
	struct doors *d = s->worker->doors;
	uint64_t now = clock_mono_ns();

	/* Most have only one thing to do. */
	if (!d->step_ns) {
		uint64_t all = worker_turn_ns(s->worker) + TURN_NS;

		d->step_ns = now + STEP_NS < all ? now + STEP_NS : all;
	}
	s->yields = now > d->step_ns;
	return s->yields;
}

/* What users make of it, one after the other, where each hands the stream on. Returns how many
 * bytes were used, with *last, whom they were shown to last. */
static size_t take_all(struct stream *s, unsigned char *p, unsigned char *end,
		       const struct stream_user **last)
{
	unsigned char *start = p;

	s->worker->doors->step_ns = 0;
	do {
		*last = s->user;
		p += s->user->take(s, p, end);
	} while (p < end && s->fd >= 0 && s->user != *last && !(*last)->peeks && !s->paused &&
		 !s->finishing && !stream_yields(s));
	return (size_t)(p - start);
}

/* One read, and what is made of it. */
static void read_on(struct stream *s)
{
	const struct stream_user *user = s->user;
	char *input = s->worker->input;
	size_t have = 0, used = 0;

	if (s->fd < 0 || s->paused || s->finishing || s->told_end)
		return;
	s->yields = false;
	if (s->more && s->more->rest.len) {
		have = s->more->rest.len;
		memcpy(input, s->more->rest.data, have);
		count_half(s, -have);
		buf_free(&s->more->rest);
		shrink_more(s);
	}
	if (s->readable && have < WORKER_INPUT)
		have = stream_fill(s, have);
	if (have)
		used = take_all(s, (unsigned char *)input, (unsigned char *)input + have, &user);
	if (s->fd < 0 || s->finishing)
		return;
	if (user->peeks ? !drop(s, used) : used < have && !keep(s, input + used, have - used)) {
		stream_abort(s);
		return;
	}
	if (s->paused || s->user != user)
		return; /* a new user has what is left first */
	if (s->readable || s->yields) {
		again(s);
	} else if (s->at_end) {
		s->told_end = true;
		s->user->ended(s);
	}
}

static void on_ready(struct pollee *p, uint32_t events)
{
	struct stream *s = (struct stream *)p;

	if (s->fd < 0)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->hung_up = true;
	if (events & (EPOLLHUP | EPOLLERR))
		s->deaf = true;
	if (stream_waits(s) && (s->deaf || events & EPOLLOUT))
		write_on(s);
	read_on(s);
}

void stream_turn(struct worker *w, struct turn_entry *e)
{
	struct stream *s = (struct stream *)(void *)((char *)e - offsetof(struct stream, turn));

	(void)w;
	if (s->fd < 0) {
		free(s);
		return;
	}
	if (s->more && s->more->to && !s->late && !s->finishing) {
		move(s);
		return;
	}
	if (s->more)
		s->more->to = NULL;
	if (s->late) {
		s->late = false;
		if (s->user->late && !s->finishing)
			s->user->late(s);
		else
			stream_abort(s);
		return;
	}
	read_on(s);
}

/* --- deadlines */

int stream_deadline(struct stream *s, uint32_t seconds)
{
	struct stream_more *more = seconds ? stream_more_of(s) : s->more;

	if (!more)
		return seconds ? -ENOMEM : 0;
	more->due_s = seconds ? now_s(s) + seconds : 0;
	if (seconds)
		wheel_set(&s->worker->doors->deadlines, &more->timer, seconds);
	else
		wheel_remove(&more->timer);
	shrink_more(s);
	return 0;
}

static struct stream *stream_of(struct wheel_entry *e)
{
	return ((struct stream_more *)(void *)((char *)e - offsetof(struct stream_more, timer)))
	    ->stream;
}

static uint32_t due(struct wheel_entry *e, uint32_t at_s)
{
	struct stream *s = stream_of(e);

	if (s->more->due_s > at_s)
		return s->more->due_s - at_s;
	/* Not from here, where no entry may leave the wheel. */
	s->late = true;
	worker_later(s->worker, TURN_STREAMS, &s->turn);
	return 1;
}

void streams_second(struct wheel *wheel, struct worker *w)
{
	wheel_advance(wheel, (uint32_t)(worker_now_ms(w) / 1000), due);
}

static void give_up(struct wheel_entry *e, void *arg)
{
	struct stream *s = stream_of(e);

	(void)arg;
	s->late = s->finishing = true; /* nobody is to answer */
	worker_later(s->worker, TURN_STREAMS, &s->turn);
}

void streams_abort(struct wheel *wheel)
{
	wheel_each(wheel, give_up, NULL);
}
