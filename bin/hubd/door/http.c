/* Requests are read whole, one after the other, and answered at once; a body is thrown away.
 * Invariant: a stream that has not begun a request is in its worker's list, the one that has waited
 * longest first. */
#include "door/http.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "door/doors.h"
#include "door/health.h"
#include "door/stream.h"
#include "door/ws.h"
#include "wire/http1.h"
#include "wire/http1_answer.h"
#include "wire/http1_body.h"
#include "wire/websocket_handshake.h"

#define BODY_MAX 65536 /* bytes of a request's body that are thrown away; over that, 413 */
#define IDLE_S 15      /* between two requests */

struct http {
	struct stream *stream;
	struct http *next, *prev; /* while it waits */
	struct http1_head head;
	struct http1_body body;
	size_t body_left; /* that may still come */
	uint32_t born;
	bool waits;
	bool in_body;
};

/* --- who waits for a request */

static void wait_begin(struct http *h)
{
	struct doors *d = h->stream->worker->doors;

	h->waits = true;
	h->next = NULL;
	h->prev = d->waiting_last;
	*(d->waiting_last ? &d->waiting_last->next : &d->waiting_first) = h;
	d->waiting_last = h;
	atomic_fetch_add_explicit(&d->waiting, 1, memory_order_relaxed);
}

static void wait_end(struct http *h)
{
	struct doors *d = h->stream->worker->doors;

	if (!h->waits)
		return;
	h->waits = false;
	*(h->prev ? &h->prev->next : &d->waiting_first) = h->next;
	*(h->next ? &h->next->prev : &d->waiting_last) = h->prev;
	atomic_fetch_sub_explicit(&d->waiting, 1, memory_order_relaxed);
}

bool http_evict(struct worker *w)
{
	struct http *h = w->doors->waiting_first;

	if (h)
		stream_abort(h->stream);
	return h != NULL;
}

void http_drain(struct worker *w)
{
	while (http_evict(w))
		;
}

/* --- answers */

struct answer {
	int status;
	const char *type;
	const char *allow; /* methods, or NULL */
	struct span text;
	bool upgrade; /* says which upgrades there are */
	bool close;
};

static int put_answer(struct buf *b, const struct http *h, const struct answer *a)
{
	char length[24];
	int r = http1_put_status(b, a->status);

	snprintf(length, sizeof(length), "%zu", a->text.len);
	if (r == 0)
		r = http1_put_date(b, (int64_t)(worker_wall_ms(h->stream->worker) / 1000));
	if (r == 0 && a->status != 204)
		r = http1_put_field(b, "Content-Type", a->type);
	if (r == 0 && a->status != 204)
		r = http1_put_field(b, "Content-Length", length);
	if (r == 0)
		r = http1_put_field(b, "Cache-Control", "no-store");
	if (r == 0 && a->allow)
		r = http1_put_field(b, "Allow", a->allow);
	if (r == 0 && a->upgrade)
		r = http1_put_field(b, "Upgrade", "websocket");
	if (r == 0 && a->upgrade)
		r = http1_put_field(b, "Sec-WebSocket-Version", "13");
	if (r == 0 && (a->close || a->upgrade))
		r = http1_put_field(b, "Connection",
				    !a->upgrade ? "close"
				    : a->close	? "close, Upgrade"
						: "Upgrade");
	/* Who speaks HTTP/1.0 and wants to go on has to be told that it may. */
	if (r == 0 && !a->close && !a->upgrade && h->head.version_1_0)
		r = http1_put_field(b, "Connection", "keep-alive");
	if (r == 0)
		r = buf_puts(b, "\r\n");
	if (r == 0 && a->text.len && h->head.method != HTTP1_HEAD)
		r = buf_put(b, a->text.p, a->text.len);
	return r;
}

/* Sends it; the stream is paused while the peer does not take it, so that it asks for no more. */
static void send_answer(struct http *h, const struct answer *a)
{
	struct worker *w = h->stream->worker;
	struct buf *b = worker_scratch(w);
	int r = put_answer(b, h, a);

	if (r == 0)
		r = stream_write(h->stream, b->data, b->len);
	worker_scratch_done(w, b);
	if (r < 0)
		stream_abort(h->stream);
	else if (a->close)
		stream_finish(h->stream);
	else if (r > 0)
		stream_pause(h->stream, true);
}

static struct answer say(int status, const char *text)
{
	return (struct answer){
	    .status = status, .type = "text/plain", .text = {text, strlen(text)}};
}

/* What cannot be gone on from. */
static void refuse(struct http *h, int status, const char *why)
{
	struct worker *w = h->stream->worker;
	struct buf *b = worker_scratch(w);
	struct answer a;

	h->head.method = HTTP1_GET; /* it is not known */
	buf_printf(b, "%s\n", why);
	a = (struct answer){
	    .status = status, .type = "text/plain", .text = {b->data, b->len}, .close = true};
	send_answer(h, &a); /* h may be no more */
	worker_scratch_done(w, b);
}

/* --- requests */

static bool path_is(const struct http *h, const char *path)
{
	size_t len = strlen(path);

	return h->head.target.path.len == len && memcmp(h->head.target.path.p, path, len) == 0;
}

/* An https target that came without TLS (RFC 9110 section 7.4). */
static bool misdirected(const struct http *h)
{
	struct http1_span target = h->head.target.text;

	return !h->stream->tls && target.len > 6 &&
	       http1_is((struct http1_span){target.p, 6}, "https:");
}

static bool offers_hub(const struct http1_head *head)
{
	struct http1_span fields = head->fields, list = {NULL, 0}, protocol;

	while (websocket_next_protocol(&fields, &list, &protocol))
		if (protocol.len == 3 && memcmp(protocol.p, "hub", 3) == 0)
			return true;
	return false;
}

/* Answers the handshake, and hands the stream on. True where h is no more. */
static bool upgrade(struct http *h, struct http1_span key)
{
	struct stream *s = h->stream;
	struct buf *b = worker_scratch(s->worker);
	char accept[WEBSOCKET_ACCEPT_LEN + 1];
	int r = http1_put_status(b, 101);

	websocket_accept(accept, key, SHA1);
	if (r == 0)
		r = http1_put_field(b, "Upgrade", "websocket");
	/* Nothing but that: some clients refuse a list here. */
	if (r == 0)
		r = http1_put_field(b, "Connection", "Upgrade");
	if (r == 0)
		r = http1_put_field(b, "Sec-WebSocket-Accept", accept);
	if (r == 0 && offers_hub(&h->head))
		r = http1_put_field(b, "Sec-WebSocket-Protocol", "hub");
	if (r == 0)
		r = buf_puts(b, "\r\n");
	if (r == 0)
		r = stream_write(s, b->data, b->len);
	worker_scratch_done(s->worker, b);
	if (r < 0 || ws_begin(s, h->born) < 0) {
		stream_abort(s);
		return true;
	}
	free(h);
	return true;
}

static bool serve_ws(struct http *h, struct answer *a)
{
	struct http1_span key;
	const char *why;
	int status = websocket_check(&h->head, &key, &why);

	if (status == 0)
		return upgrade(h, key);
	if (status == 426)
		*a = say(426, "this is a WebSocket endpoint\n");
	else if (status == 405)
		*a = say(405, "only GET here\n");
	else
		*a = say(status, "this is no WebSocket handshake\n");
	a->upgrade = status == 426;
	a->allow = status == 405 ? "GET" : NULL;
	a->close = status == 400;
	return false;
}

static void serve_health(struct http *h, struct buf *text, struct answer *a)
{
	if (h->head.method != HTTP1_GET && h->head.method != HTTP1_HEAD) {
		*a = say(405, "only GET and HEAD here\n");
		a->allow = "GET, HEAD, OPTIONS";
	} else if (health_text(h->stream->worker, text) < 0) {
		*a = say(503, "out of memory\n");
	} else {
		*a = say(200, "");
		a->type = "application/json";
		a->text = (struct span){text->data, text->len};
	}
}

/* Answers the request that was read. True where h is no more, or no more is to be read. */
static bool serve(struct http *h)
{
	struct stream *s = h->stream;
	struct buf *text = worker_scratch(s->worker);
	bool body = h->head.chunked || h->head.content_length;
	struct answer a = {0};
	bool done = false;

	if (h->head.content_length > BODY_MAX) {
		a = say(413, "nothing here takes a body\n");
		a.close = true;
	} else if (h->head.method == HTTP1_OPTIONS) {
		a = say(204, "");
		a.allow = "GET, HEAD, OPTIONS";
	} else if (misdirected(h)) {
		a = say(421, "TLS is not spoken here\n");
	} else if (path_is(h, "/healthz")) {
		serve_health(h, text, &a);
	} else if (path_is(h, "/ws")) {
		done = serve_ws(h, &a);
	} else {
		a = say(404, "not found: the hub is at /ws (WebSocket) and /healthz\n");
	}
	if (!done) {
		/* A body that waits for a word of ours will never come. */
		a.close |= !h->head.keep_alive || (body && h->head.expect_continue) ||
			   atomic_load_explicit(&s->worker->all->draining, memory_order_relaxed);
		h->in_body = body && !a.close;
		h->body_left = BODY_MAX;
		if (h->in_body)
			http1_body_start(&h->body, &h->head);
		send_answer(h, &a);
		done = a.close;
	}
	worker_scratch_done(s->worker, text);
	return done;
}

/* Throws a body away. True where it is over. Its request was answered, and gets no other answer
 * (RFC 9110 section 15): where the body is none, the connection just ends. */
static bool skip_body(struct http *h, const char **p, const char *end)
{
	struct http1_span piece;
	enum http1_got got;

	while ((got = http1_body_read(&h->body, p, end, &piece)) == HTTP1_PIECE) {
		if (piece.len > h->body_left) {
			stream_finish(h->stream);
			return false;
		}
		h->body_left -= piece.len;
	}
	if (got == HTTP1_REFUSED)
		stream_finish(h->stream); /* h may be no more */
	else
		h->in_body = got == HTTP1_MORE;
	return got == HTTP1_DONE;
}

static void next_request(struct http *h)
{
	h->head = (struct http1_head){0};
	wait_begin(h);
	if (stream_deadline(h->stream, IDLE_S) < 0)
		stream_abort(h->stream);
}

/* One step of what has come. False where more is needed, or it is over. */
static bool step(struct stream *s, const char **p, const char *end)
{
	struct http *h = s->owner;

	if (h->in_body) {
		if (!skip_body(h, p, end))
			return false;
		next_request(h);
		return true;
	}
	if (h->waits) {
		wait_end(h);
		if (stream_deadline(s, s->worker->doors->set->header_timeout) < 0) {
			stream_abort(s);
			return false;
		}
	}
	switch (http1_head(&h->head, *p, (size_t)(end - *p), s->worker->doors->set->max_header)) {
	case HTTP1_MORE:
	case HTTP1_PIECE:
		return false;
	case HTTP1_REFUSED:
		refuse(h, h->head.status, h->head.why);
		return false;
	case HTTP1_DONE:
		break;
	}
	*p += h->head.length;
	if (serve(h))
		return false;
	if (s->fd >= 0 && !h->in_body)
		next_request(h);
	return true;
}

static size_t http_take(struct stream *s, unsigned char *start, unsigned char *stop)
{
	const struct stream_user *self = s->user;
	const char *p = (const char *)start, *end = (const char *)stop;

	while (p < end && !s->paused && s->fd >= 0 && s->user == self && step(s, &p, end))
		;
	return (size_t)(p - (const char *)start);
}

static void http_writable(struct stream *s)
{
	stream_pause(s, false);
}

/* Who has begun a request is told why it ends; who has its answer, or asks for none, sees the end
 * (RFC 9112 section 9.5). */
static void http_late(struct stream *s)
{
	struct http *h = s->owner;

	if (stream_waits(s))
		stream_abort(s);
	else if (h->waits || h->in_body)
		stream_finish(s);
	else
		refuse(h, 408, "the request took too long");
}

static void http_gone(struct stream *s)
{
	struct http *h = s->owner;

	wait_end(h);
	free(h);
}

static const struct stream_user http_user = {
    .take = http_take,
    .ended = stream_finish,
    .writable = http_writable,
    .late = http_late,
    .gone = http_gone,
};

void http_adopt(struct worker *w, int fd, struct tls *tls, uint32_t born)
{
	struct http *h = calloc(1, sizeof(*h));
	struct stream *s;

	if (!h) {
		close(fd);
		worker_connection_gone(w);
		return;
	}
	s = stream_new(w, fd, tls, &http_user, h);
	if (!s) {
		free(h);
		return;
	}
	h->stream = s;
	h->born = born;
	wait_begin(h);
	if (stream_deadline(s, w->doors->set->header_timeout) < 0)
		stream_abort(s);
}
