/* Reading requests, one after the other. Each is served when its head has come; what its body is is
 * for who serves it, and what that one leaves of it is thrown away. */
#include "door/http.h"

#include <stdlib.h>
#include <unistd.h>

#include "conn/conn.h"
#include "door/doors_impl.h"
#include "door/engineio.h"
#include "door/gate_impl.h"
#include "door/http_request.h"
#include "door/http_routes.h"
#include "door/peer.h"
#include "loop/journal.h"

/* What cannot be gone on from. */
static void refuse(struct http *h, int status, const char *why)
{
	struct answer a = http_error(status, NULL, why);

	h->head.method = HTTP1_GET; /* it is not known */
	h->has_body = false;
	h->cors = NULL;
	a.close = true;
	http_answer(h, a);
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

/* False where it was refused, since the proxy that passed it on does not say whose it is. */
static bool know_client(struct http *h)
{
	const struct http1_span path = h->head.target.path;
	struct stream *s = h->stream;
	char text[ADDRESS_TEXT];
	struct address a;

	if (!peer_learn(s, s->worker->doors->set->trust, &h->socket, &h->proxied, &h->head)) {
		refuse(h, 400, "this Forwarded is none");
		return false;
	}
	if (journal_takes(ERR_DEBUG, JOURNAL_come)) {
		peer_of(s, &a);
		journal_say(ERR_DEBUG, JOURNAL_come,
			    &(struct journal_who){.door = "http",
						  .peer = a.known ? address_text(&a, text) : NULL},
			    "%s %.*s", http1_method_name(h->head.method), (int)path.len,
			    path.len ? path.p : "");
	}
	return true;
}

static void no_longer_slowed(void *arg)
{
	struct http *h = arg;

	stream_pause(h->stream, false);
}

/* Whether it has done more than it may, by requests before: then none is read for a while. */
static bool is_slowed(struct http *h)
{
	struct stream *s = h->stream;
	uint64_t ms =
	    h->meter ? meter_waits(h->meter, worker_now_ms(s->worker), no_longer_slowed, h) : 0;

	if (!ms)
		return false;
	stream_pause(s, true);
	if (stream_deadline(s, (uint32_t)(ms / 1000) + HTTP_IDLE_S) < 0)
		stream_abort(s);
	return true;
}

/* One step of what has come. False where more is needed, or it is over. */
static bool step(struct stream *s, const char **p, const char *end)
{
	struct http *h = s->owner;
	struct worker *home;

	if (h->in_body) {
		if (!skip_body(h, p, end))
			return false;
		http_answered(h, false); /* the rest of that: there is no body now */
		return true;
	}
	if (is_slowed(h))
		return false;
	if (h->waits) {
		http_wait_end(h);
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
	if (engineio_is(h) && (home = engineio_home(h)) != s->worker) {
		h->head = (struct http1_head){0}; /* it is read again there */
		meter_end(h->meter);
		h->meter = NULL;
		stream_move(s, home);
		return false;
	}
	*p += h->head.length;
	if (know_client(h))
		http_serve(h); /* h may be no more */
	return true;
}

static size_t http_take(struct stream *s, unsigned char *start, unsigned char *stop)
{
	const struct stream_user *self = s->user;
	const char *p = (const char *)start, *end = (const char *)stop;

	while (p < end && !s->paused && !s->finishing && s->fd >= 0 && s->user == self &&
	       step(s, &p, end) && p < end && !stream_yields(s))
		;
	return (size_t)(p - (const char *)start);
}

static void http_writable(struct stream *s)
{
	stream_pause(s, false);
}

/* Some of an answer has left. */
static void http_progress(struct stream *s)
{
	if (stream_deadline(s, s->worker->doors->set->header_timeout) < 0)
		stream_abort(s);
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
	http_free(s->owner);
}

static const struct stream_user http_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .take = http_take,
    .ended = stream_finish,
    .writable = http_writable,
    .progress = http_progress,
    .late = http_late,
    .gone = http_gone,
};

bool http_take_over(struct stream *s, uint32_t born)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h || stream_deadline(s, s->worker->doors->set->header_timeout) < 0) {
		free(h);
		return false;
	}
	*h = (struct http){.stream = s, .user = &http_user, .born = born, .trusted = true};
	stream_use(s, &http_user, h);
	return true;
}

/* What comes before all else where a proxy is to say whose connection it is. */
static size_t proxied_take(struct stream *s, unsigned char *p, unsigned char *end)
{
	struct http *h = s->owner;
	struct tls *tls = s->worker->doors->tls;
	int n = peer_read_header(s, p, end, &h->proxied);

	if (n < 0 || (n > 0 && tls && stream_secure(s, tls) < 0)) {
		stream_abort(s);
		return 0;
	}
	if (n > 0)
		stream_use(s, &http_user, h);
	return (size_t)n;
}

static const struct stream_user proxied_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .peeks = true,
    .take = proxied_take,
    .ended = stream_finish,
    .late = http_late,
    .gone = http_gone,
};

void http_adopt(struct worker *w, const struct arrival *a)
{
	bool proxied = a->kind == LISTEN_PROXIED;
	struct http *h = calloc(1, sizeof(*h));
	struct stream *s;

	if (!h) {
		close(a->fd);
		gate_left(w, a);
		return;
	}
	s = stream_new(w, a->fd, proxied ? NULL : w->doors->tls,
		       proxied ? &proxied_user : &http_user, h);
	if (!s) {
		shares_drop(w->conns->shares, a->share);
		free(h);
		return;
	}
	s->share = a->share & SHARE_MASK;
	s->peer = a->peer;
	*h = (struct http){.stream = s,
			   .user = &http_user,
			   .born = a->born,
			   .socket = a->peer,
			   .retry_s = a->retry_s,
			   .paid = a->paid,
			   .crowded = a->crowded,
			   .local = a->local && !proxied};
	http_wait_begin(h);
	if (stream_deadline(s, w->doors->set->header_timeout) < 0)
		stream_abort(s);
}
