/* Invariant: what is unsent leaves before anything that is written later; what was not used comes
 * again before anything that is read later. */
#include "door/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door/doors.h"
#include "door/tls.h"

#define LINGER_S 2		   /* for the peer to end as well */
#define LINGER_BYTES (1024 * 1024) /* that it may still send */
#define FINISH_S 30		   /* for it to take what waits */

static void on_ready(struct pollee *p, uint32_t events);

static uint32_t now_s(const struct stream *s)
{
	return (uint32_t)(worker_now_ms(s->worker) / 1000);
}

static struct stream_more *more_of(struct stream *s)
{
	if (!s->more) {
		s->more = calloc(1, sizeof(*s->more));
		if (s->more)
			s->more->stream = s;
	}
	return s->more;
}

static void free_more(struct stream *s)
{
	if (!s->more)
		return;
	wheel_remove(&s->more->timer);
	buf_free(&s->more->unsent);
	buf_free(&s->more->rest);
	free(s->more);
	s->more = NULL;
}

/* There is seldom any. */
static void shrink_more(struct stream *s)
{
	if (s->more && !s->more->unsent.len && !s->more->rest.len && !s->more->due_s)
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
	if (tls && !(s->tls = tls_accept(tls, fd)))
		goto fail;
	if (poller_add(w, &s->poll, fd) < 0)
		goto fail;
	return s;
fail:
	if (s)
		tls_free(s->tls);
	free(s);
	close(fd);
	worker_connection_gone(w);
	return NULL;
}

static void again(struct stream *s)
{
	worker_next_turn(s->worker, TURN_STREAMS, &s->turn);
}

void stream_use(struct stream *s, const struct stream_user *user, void *owner)
{
	s->user = user;
	s->owner = owner;
	again(s);
}

/* --- closing */

/* Closes the descriptor; whose events may still come in this round, so it is freed in the turn. */
static void stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	tls_free(s->tls);
	s->tls = NULL;
	close(s->fd);
	s->fd = -1;
	free_more(s);
	worker_connection_gone(s->worker);
	worker_later(s->worker, TURN_STREAMS, &s->turn);
	s->user->gone(s);
}

void stream_abort(struct stream *s)
{
	struct linger now = {.l_onoff = 1};

	if (s->fd < 0)
		return;
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

static const struct stream_user lingering = {
    .take = linger_take, .ended = stream_close, .late = stream_close, .gone = linger_gone};

/* All has been sent: says so, and waits for the peer to end. */
static void linger(struct stream *s)
{
	const struct stream_user *user = s->user;

	if (s->tls)
		tls_shutdown(s->tls);
	if (s->at_end || s->deaf || shutdown(s->fd, SHUT_WR) < 0 ||
	    stream_deadline(s, LINGER_S) < 0) {
		stream_close(s);
		return;
	}
	if (s->more)
		buf_free(&s->more->rest);
	s->finishing = s->paused = false;
	user->gone(s);
	stream_use(s, &lingering, NULL);
}

void stream_finish(struct stream *s)
{
	if (s->fd < 0 || s->finishing)
		return;
	s->finishing = true;
	if (!stream_waits(s))
		linger(s);
	else if (stream_deadline(s, FINISH_S) < 0)
		stream_abort(s);
}

/* --- writing */

bool stream_waits(const struct stream *s)
{
	return s->more && s->more->unsent.len > 0;
}

/* As much as the socket takes: bytes, or -errno where it is broken. */
static ssize_t push(struct stream *s, const char *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = s->tls
				? tls_write(s->tls, data + done, len - done)
				: send(s->fd, data + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && !s->tls)
			n = -errno;
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN || n == 0)
			break;
		if (n < 0)
			return n;
		done += (size_t)n;
		if (!s->tls) /* less than all is all that it takes now */
			break;
	}
	return (ssize_t)done;
}

int stream_write(struct stream *s, const void *data, size_t len)
{
	struct stream_more *more;
	ssize_t n = 0;

	if (s->fd < 0)
		return -ENOTCONN;
	if (s->deaf)
		return 0;
	if (!stream_waits(s)) {
		n = push(s, data, len);
		if (n == -EPIPE || n == -ECONNRESET) {
			s->deaf = true;
			return 0; /* reading will find the end */
		}
		if (n < 0)
			return (int)n;
		if ((size_t)n == len)
			return 0;
	}
	more = more_of(s);
	if (!more || buf_put(&more->unsent, (const char *)data + n, len - (size_t)n) < 0)
		return -ENOMEM;
	return 1;
}

static void write_on(struct stream *s)
{
	struct buf *unsent = &s->more->unsent;
	ssize_t n = push(s, unsent->data, unsent->len);

	if (n < 0 && n != -EPIPE && n != -ECONNRESET) {
		stream_abort(s);
		return;
	}
	if (n < 0) {
		s->deaf = true;
		n = (ssize_t)unsent->len;
	}
	buf_consume(unsent, (size_t)n);
	if (unsent->len) {
		if (n > 0 && s->user->progress)
			s->user->progress(s);
		return;
	}
	buf_free(unsent);
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

/* Reads behind what is there already. Returns how many bytes there are in all. */
static size_t fill(struct stream *s, size_t have)
{
	char *input = s->worker->input;
	size_t room = WORKER_INPUT - have;
	ssize_t n = s->tls ? tls_read(s->tls, input + have, room)
			   : recv(s->fd, input + have, room, MSG_DONTWAIT);

	if (n < 0 && !s->tls)
		n = -errno;
	if (n == -EAGAIN || n == -EINTR) {
		s->readable = n == -EINTR;
		return have;
	}
	if (n <= 0) {
		s->readable = false;
		s->at_end = true;
		if (n < 0)
			s->deaf = true;
		return have;
	}
	/* A socket that gave less than it could is empty, and will tell when it is not (epoll(7));
	 * but the peer's end, which was told already, may be behind what it gave. */
	s->readable = s->tls || s->hung_up || (size_t)n == room;
	return have + (size_t)n;
}

/* All that TLS has, a record at a time. */
static size_t fill_up(struct stream *s, size_t have)
{
	do
		have = fill(s, have);
	while (s->tls && s->readable && have < WORKER_INPUT);
	return have;
}

/* Keeps what was not used, where there is nothing yet. False where memory is out. */
static bool keep(struct stream *s, const char *p, size_t len)
{
	struct stream_more *more = more_of(s);

	return more && buf_put(&more->rest, p, len) == 0;
}

/* One read, and what the user makes of it. */
static void read_on(struct stream *s)
{
	char *input = s->worker->input;
	size_t have = 0, used = 0;

	if (s->fd < 0 || s->paused || s->finishing || s->told_end)
		return;
	if (s->more && s->more->rest.len) {
		have = s->more->rest.len;
		memcpy(input, s->more->rest.data, have);
		buf_free(&s->more->rest);
		shrink_more(s);
	}
	if (s->readable && have < WORKER_INPUT)
		have = fill_up(s, have);
	if (have)
		used = s->user->take(s, (unsigned char *)input, (unsigned char *)input + have);
	if (s->fd < 0 || s->finishing)
		return;
	if (used < have && !keep(s, input + used, have - used)) {
		stream_abort(s);
		return;
	}
	if (s->paused)
		return;
	if (s->readable) {
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
	/* What a handshake wanted to write may have held up what it has to read. */
	if (s->tls && events & EPOLLOUT)
		s->readable = true;
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
	struct stream_more *more = seconds ? more_of(s) : s->more;

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
