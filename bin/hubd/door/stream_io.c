/* Between a stream and its socket: what is written leaves or waits, what comes is read, over TLS
 * where the stream has that. Invariant: what is unsent is what the socket is to have, and leaves
 * before all that is written later. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "conn/conn.h"
#include "door/stream_impl.h"
#include "door/tls.h"
#include "loop/sends.h"

#define ANSWERS_MAX 16 /* of TLS's own for a peer that takes none */

enum count_door stream_counted(const struct stream *s)
{
	return s->user->counted[s->tls != NULL];
}

void stream_count_unsent(struct stream *s, size_t by)
{
	counter_add_at(&s->worker->counters, memory, MEMORY_UNSENT, by);
}

struct stream_more *stream_more_of(struct stream *s)
{
	if (!s->more) {
		s->more = calloc(1, sizeof(*s->more));
		if (s->more)
			s->more->stream = s;
	}
	return s->more;
}

/* --- writing */

bool stream_waits(const struct stream *s)
{
	return s->more && s->more->unsent.len > 0;
}

/* What became of a send. */
static ssize_t pushed(struct stream *s, ssize_t n)
{
	if (n == -EAGAIN)
		return 0;
	if (n > 0 && !s->tls)
		counter_add_at(&s->worker->counters, sent_bytes, stream_counted(s), n);
	return n;
}

ssize_t stream_push(struct stream *s, const char *data, size_t len)
{
	ssize_t n;

	do
		n = send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return pushed(s, n < 0 ? -errno : n);
}

/* Of what is to leave n bytes have (-errno: there is no way), the rest waits. */
static int wait_for(struct stream *s, const char *data, size_t len, ssize_t n)
{
	struct stream_more *more;

	if (n == -EPIPE || n == -ECONNRESET) {
		s->deaf = true;
		return 0; /* reading will find the end */
	}
	if (n < 0)
		return (int)n;
	if ((size_t)n == len)
		return 0;
	more = stream_more_of(s);
	if (!more || buf_put(&more->unsent, data + n, len - (size_t)n) < 0)
		return -ENOMEM;
	stream_count_unsent(s, len - (size_t)n);
	return 1;
}

void stream_settle(struct stream *s)
{
	if (s->soon)
		sends_go(s->worker->sends);
}

/* As the socket is to have it. */
static int put(struct stream *s, const char *data, size_t len)
{
	stream_settle(s);
	return wait_for(s, data, len, stream_waits(s) ? 0 : stream_push(s, data, len));
}

static void on_sent(void *arg, const struct iovec *piece, unsigned pieces, ssize_t n)
{
	struct stream *s = arg;
	ssize_t left = pushed(s, n);
	int r = 0;

	s->soon = 0;
	for (unsigned i = 0; i < pieces && r >= 0 && !s->deaf; i++) {
		size_t len = piece[i].iov_len;
		ssize_t of_it = left > (ssize_t)len ? (ssize_t)len : left;
		int waits = wait_for(s, piece[i].iov_base, len, of_it);

		left -= of_it > 0 ? of_it : 0;
		r = waits != 0 ? waits : r;
	}
	if (r != 0 && s->user->held)
		s->user->held(s, r);
}

/* Among the worker's sends. False where it is to be written at once. */
static bool add_soon(struct stream *s, const void *data, size_t len)
{
	struct sends *sends = s->worker->sends;

	if (s->soon && sends_add_piece(sends, s->soon - 1, data, len))
		return true;
	stream_settle(s);
	if (s->deaf || stream_waits(s))
		return false;
	s->soon = (unsigned)(sends_add(sends, s->fd, data, len, on_sent, s) + 1) & 0x1ff;
	return s->soon;
}

/* Records of TLS are the stream's own until they have left; where these are many, that is at once.
 */
int stream_write_soon(struct stream *s, const void *data, size_t len)
{
	struct sends *sends = s->worker->sends;
	struct buf records = {0};
	int r;

	if (s->fd < 0 || s->deaf || stream_waits(s) || !sends_is_open(sends) ||
	    (s->tls && len > SENDS_PIECES_BYTES))
		return stream_write(s, data, len);
	if (!s->tls)
		return add_soon(s, data, len) ? 0 : put(s, data, len);
	r = tls_write(s->tls, data, len, &records);
	if (r == 0) {
		counter_add_at(&s->worker->counters, sent_bytes, stream_counted(s), len);
		if (!add_soon(s, records.data, records.len))
			r = put(s, records.data, records.len);
	}
	if (records.data)
		sends_keep(sends, records.data, free);
	return r;
}

int stream_write(struct stream *s, const void *data, size_t len)
{
	struct buf *records;
	int r;

	if (s->fd < 0)
		return -ENOTCONN;
	if (s->deaf)
		return 0;
	if (!s->tls)
		return put(s, data, len);
	records = worker_scratch(s->worker);
	r = tls_write(s->tls, data, len, records);
	if (r == 0) {
		counter_add_at(&s->worker->counters, sent_bytes, stream_counted(s), len);
		r = put(s, records->data, records->len);
	}
	worker_scratch_done(s->worker, records);
	return r;
}

void stream_say_end(struct stream *s)
{
	struct buf *alert = worker_scratch(s->worker);

	tls_shutdown(s->tls, alert);
	if (alert->len)
		stream_push(s, alert->data, alert->len);
	worker_scratch_done(s->worker, alert);
}

/* --- reading */

/* A handshake's answers, and others of TLS's own, go out with what is read. */
static ssize_t read_tls(struct stream *s, char *to, size_t room, bool *more)
{
	struct buf *answers = worker_scratch(s->worker);
	ssize_t n = tls_read(s->tls, s->fd, to, room, answers, more);
	int r = answers->len && !s->deaf ? put(s, answers->data, answers->len) : 0;

	if (r == 1 && ++s->more->answers > ANSWERS_MAX)
		r = -EPROTO;
	worker_scratch_done(s->worker, answers);
	return r < 0 ? r : n;
}

size_t stream_fill(struct stream *s, size_t have)
{
	char *to = s->worker->input + have;
	size_t room = WORKER_INPUT - have;
	bool more;
	ssize_t n;

	if (s->tls) {
		n = read_tls(s, to, room, &more);
	} else {
		n = recv(s->fd, to, room, s->user->peeks ? MSG_DONTWAIT | MSG_PEEK : MSG_DONTWAIT);
		more = (size_t)n == room;
		n = n < 0 ? -errno : n;
	}
	if (n == -EAGAIN || n == -EINTR) {
		/* What TLS keeps of a record that is not whole may have been all, and the peer's
		 * end, told already, is behind it. */
		s->readable = n == -EINTR || (s->tls && s->hung_up);
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
	s->readable = more || s->hung_up;
	counter_add_at(&s->worker->counters, received_bytes, stream_counted(s), n);
	return have + (size_t)n;
}
