/* Polling: what waits for a client fills the answer to its GET, all that one turn has made of it;
 * what it says comes in the bodies of POSTs. Invariant: while no GET waits, the connection is
 * blocked, so that its cursors stand still and nothing is copied for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "door/doors.h"
#include "door/engineio.h"
#include "door/gate_impl.h"
#include "door/peer.h"
#include "wire/address.h"
#include "wire/http1_body.h"

#define ANSWER_BYTES (256 * 1024) /* at which no more is put into an answer */

/* A GET that waits, or a POST whose body comes: the stream's owner meanwhile. */
struct engineio_request {
	struct http *http;
	struct stream *stream;
	struct engineio *session;
	struct http1_body reader;
	struct buf body;
	struct http1_span rest; /* packets of it that were not taken yet */
	bool complete;		/* the body */
};

struct engineio_polls {
	struct engineio_request *get, *post; /* or NULL */
	struct buf payload;		     /* of the answer, made in this turn; packets with a
					      * separator behind each */
	struct address peer;		     /* who has opened the session */
	bool counts;			     /* for that address: gate_counts() */
	share share;			     /* of its address */
	bool released;			     /* no GET is to wait */
	bool ends;			     /* the next GET is the last */
};

/* --- requests */

static void free_request(struct engineio_request *r)
{
	counter_sub_at(&r->stream->worker->counters, memory, MEMORY_HALF, r->body.len);
	buf_free(&r->body);
	free(r);
}

/* Answers it, and lets go of it. */
static void answer_request(struct engineio_request *r, struct answer a)
{
	struct http *h = r->http;

	free_request(r);
	http_back(h);
	http_answer(h, a); /* h may be no more */
}

static void answer_post(struct engineio_polls *p, int status)
{
	struct engineio_request *r = p->post;

	p->post = NULL;
	if (status == 200)
		answer_request(
		    r, (struct answer){.status = 200, .type = "text/html", .text = {"ok", 2}});
	else
		answer_request(r, http_error(status, NULL, "the session has ended"));
}

/* Begins to serve h's request for the session. NULL: no memory, then it is answered. */
static struct engineio_request *begin_request(struct engineio *e, struct http *h,
					      const struct stream_user *user)
{
	struct engineio_request *r = calloc(1, sizeof(*r));

	if (!r) {
		http_answer(h, http_error(503, NULL, "out of memory"));
		return NULL;
	}
	r->http = h;
	r->stream = h->stream;
	r->session = e;
	stream_deadline(r->stream, 0);
	stream_use(r->stream, user, r);
	return r;
}

/* --- GET */

/* What was collected, without the separator at its end; where there is nothing, a packet that means
 * nothing. */
static void answer_get(struct engineio *e)
{
	struct engineio_polls *p = e->polls;
	struct engineio_request *r = p->get;
	struct buf text = p->payload;
	struct answer a = {.status = 200,
			   .type = "text/plain; charset=UTF-8",
			   .text = text.len ? (struct span){text.data, text.len - 1}
					    : (struct span){"6", 1}};

	p->get = NULL;
	p->payload = (struct buf){0};
	e->conn->blocked = true;
	answer_request(r, a);
	buf_free(&text);
}

static size_t get_take(struct stream *s, unsigned char *p, unsigned char *end)
{
	(void)p;
	(void)end;
	stream_pause(s, true); /* the next request waits */
	return 0;
}

/* Who gives up a poll may have lost what was on its way. */
static void get_gone(struct stream *s)
{
	struct engineio_request *r = s->owner;
	struct engineio *e = r->session;

	e->polls->get = NULL;
	e->conn->blocked = true;
	conn_close(e->conn, 0, "a poll was given up");
	http_free(r->http);
	free_request(r);
}

static const struct stream_user get_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .take = get_take,
    .ended = stream_abort,
    .gone = get_gone,
};

static void serve_get(struct engineio *e, struct http *h)
{
	struct engineio_polls *p = e->polls;

	if (p->get) {
		conn_close(e->conn, 0, "two polls at a time");
		http_answer(h, http_error(400, NULL, "another poll of the session waits"));
		return;
	}
	p->get = begin_request(e, h, &get_user);
	if (!p->get)
		return;
	deliver_writable(e->conn);
	if (p->released || p->ends)
		engineio_later(e);
}

/* --- POST */

/* Takes packets of a body that has come, as far as the connection lets them through; then answers,
 * whatever became of them. */
static void take_packets(struct engineio *e)
{
	struct engineio_polls *p = e->polls;
	struct engineio_request *r = p->post;
	struct http1_span packet;

	while (!e->conn->paused && !e->conn->closing && engineio_next(&r->rest, &packet))
		engineio_receive(e, packet);
	if (!r->rest.p || e->conn->closing)
		answer_post(p, 200);
}

/* Returns 0, or the status by which the request is refused. */
static int take_piece(struct engineio_request *r, const char *data, size_t len)
{
	struct worker *w = r->stream->worker;

	if (r->body.len + len > w->conns->max_message)
		return 413;
	if ((!r->http->trusted && conn_over(w, r->body.len + len)) ||
	    buf_put(&r->body, data, len) < 0)
		return 503;
	counter_add_at(&w->counters, memory, MEMORY_HALF, len);
	return 0;
}

/* Ends no session. */
static void refuse_post(struct engineio_request *r, int status)
{
	struct answer a =
	    status == 413
		? http_error(413, NULL, "a body is longer than the hub takes (maxPayload)")
		: http_error(503, "hub_full", CONN_OVER);

	r->session->polls->post = NULL;
	r->http->head.keep_alive = false;
	answer_request(r, a);
}

static void break_post(struct engineio_request *r, int status, const char *why)
{
	struct engineio *e = r->session;

	e->polls->post = NULL;
	r->http->head.keep_alive = false;
	answer_request(r, http_error(status, NULL, why));
	conn_close(e->conn, 0, "a request broke off");
}

static size_t post_take(struct stream *s, unsigned char *start, unsigned char *stop)
{
	struct engineio_request *r = s->owner;
	const char *q = (const char *)start, *end = (const char *)stop;
	struct http1_span piece;
	enum http1_got got;
	int refused;

	if (r->complete)
		return get_take(s, start, stop);
	while ((got = http1_body_read(&r->reader, &q, end, &piece)) == HTTP1_PIECE) {
		refused = take_piece(r, piece.p, piece.len);
		if (refused) {
			refuse_post(r, refused);
			return (size_t)(q - (const char *)start);
		}
	}
	if (got == HTTP1_REFUSED) {
		break_post(r, 400, r->reader.why);
	} else if (got == HTTP1_DONE) {
		r->complete = true;
		r->rest = (struct http1_span){r->body.data ? r->body.data : "", r->body.len};
		stream_deadline(s, 0);
		engineio_later(r->session);
	} else if (stream_deadline(s, s->worker->doors->set->header_timeout) < 0) {
		stream_abort(s);
	}
	return (size_t)(q - (const char *)start);
}

static void post_ended(struct stream *s)
{
	struct engineio_request *r = s->owner;

	if (r->complete && !s->deaf)
		r->http->head.keep_alive = false;
	else
		stream_abort(s);
}

static void post_late(struct stream *s)
{
	break_post(s->owner, 408, "the body took too long");
}

static void post_gone(struct stream *s)
{
	struct engineio_request *r = s->owner;
	struct engineio *e = r->session;

	e->polls->post = NULL;
	conn_close(e->conn, 0, "a request broke off");
	http_free(r->http);
	free_request(r);
}

static const struct stream_user post_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .take = post_take,
    .ended = post_ended,
    .late = post_late,
    .gone = post_gone,
};

static bool is_octets(const struct http1_head *head)
{
	struct http1_span type;

	return http1_field(head, "content-type", &type) > 0 &&
	       http1_is(type, "application/octet-stream");
}

static void serve_post(struct engineio *e, struct http *h)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct worker *w = h->stream->worker;
	struct engineio_request *r;

	if (e->polls->post || is_octets(&h->head)) {
		conn_close(e->conn, 0,
			   e->polls->post ? "two requests with data at a time"
					  : "data that is no text");
		http_answer(
		    h, http_error(400, NULL, "not while another request sends, nor as octets"));
		return;
	}
	if (h->head.content_length > w->conns->max_message) {
		http_answer(
		    h, http_error(413, NULL, "a body is longer than the hub takes (maxPayload)"));
		return;
	}
	r = e->polls->post = begin_request(e, h, &post_user);
	if (!r)
		return;
	http1_body_start(&r->reader, &h->head);
	if (h->has_body && h->head.expect_continue &&
	    stream_write(r->stream, go_on, sizeof(go_on) - 1) < 0) {
		stream_abort(r->stream);
		return;
	}
	r->complete = !h->has_body;
	h->has_body = false; /* it is read here */
	if (r->complete) {
		r->rest = (struct http1_span){"", 0};
		engineio_later(e);
	} else if (stream_deadline(r->stream, w->doors->set->header_timeout) < 0) {
		stream_abort(r->stream);
	}
}

void engineio_poll(struct engineio *e, struct http *h)
{
	if (h->head.method == HTTP1_GET)
		serve_get(e, h);
	else
		serve_post(e, h);
}

/* --- the carrier */

static int poll_write(struct engineio *e, const void *data, size_t len)
{
	struct buf *payload = &e->polls->payload;

	if (buf_put(payload, data, len) < 0)
		return -ENOMEM;
	engineio_later(e);
	return payload->len >= ANSWER_BYTES;
}

/* Its packets are taken no more, or again. */
static void poll_pause(struct engineio *e, bool paused)
{
	if (!paused && e->polls->post)
		engineio_later(e);
}

/* Gives up all that is of polling. */
static void drop_polls(struct engineio *e)
{
	struct engineio_polls *p = e->polls;
	struct doors *d = e->conn->worker->doors;

	if (p->post) {
		/* What is left of its body nobody reads. */
		p->post->http->head.keep_alive &= p->post->complete;
		answer_post(p, p->post->complete ? 200 : 400);
	}
	shares_drop(e->conn->worker->conns->shares, p->share);
	atomic_fetch_sub_explicit(&d->polling, 1, memory_order_relaxed);
	buf_free(&p->payload);
	free(p);
	e->polls = NULL;
}

static void end(struct engineio *e)
{
	if (e->polls->get)
		answer_get(e);
	drop_polls(e);
	engineio_end(e);
}

/* What a client is told at its end comes with its next poll: of one that has closed it itself that
 * may be on its way, and overtaken. One that broke the rules is gone at once. */
static void poll_close(struct engineio *e, enum close_code code, const char *reason)
{
	static const char close[] = {'1', ENGINEIO_SEPARATOR};
	struct engineio_polls *p = e->polls;

	(void)reason;
	if (code != CLOSE_NORMAL)
		buf_put(&p->payload, close, sizeof(close));
	p->ends = true;
	if (p->get || e->probe || code == CLOSE_POLICY || code == CLOSE_TOO_LARGE ||
	    code == CLOSE_BAD_TEXT)
		end(e);
}

static void poll_abort(struct engineio *e)
{
	static const char close[] = {'1', ENGINEIO_SEPARATOR};

	buf_put(&e->polls->payload, close, sizeof(close));
	end(e);
}

static void poll_peer(struct engineio *e, struct address *a)
{
	if (e->polls)
		*a = e->polls->peer;
}

static bool poll_counts(struct engineio *e, struct address *a)
{
	if (!e->polls || !e->polls->counts)
		return false;
	*a = e->polls->peer;
	return true;
}

static void poll_turn(struct engineio *e)
{
	struct engineio_polls *p = e->polls;

	if (p->get && p->ends) {
		end(e);
		return;
	}
	if (p->get && (p->payload.len || p->released))
		answer_get(e);
	if (p->post && p->post->complete)
		take_packets(e);
}

static const struct engineio_carrier poll_carrier = {
    .write = poll_write,
    .pause = poll_pause,
    .close = poll_close,
    .abort = poll_abort,
    .peer = poll_peer,
    .counts = poll_counts,
    .turn = poll_turn,
    .ping = "2\x1e",
    .ping_len = 2,
    .polled = true,
};

/* --- beginning, and going on elsewhere */

void engineio_poll_begin(struct http *h, struct identity *id)
{
	struct worker *w = h->stream->worker;
	struct engineio_polls *p;
	struct engineio *e;
	struct answer a = {.status = 200, .type = "text/plain; charset=UTF-8"};
	struct address peer;
	bool counts = gate_counts(h->stream, &peer);
	share at = SHARE_NONE;
	struct buf *b;

	if (counts && !gate_polls(h, &peer, &at))
		return;
	p = calloc(1, sizeof(*p));
	e = p ? engineio_new(w, &poll_carrier, id, false) : NULL;
	if (!e) {
		shares_drop(w->conns->shares, at);
		free(p);
		http_answer(h, http_error(503, NULL, "out of memory"));
		return;
	}
	e->polls = p;
	e->conn->blocked = true;
	p->peer = peer;
	p->counts = counts;
	p->share = at;
	atomic_fetch_add_explicit(&w->doors->polling, 1, memory_order_relaxed);
	b = worker_scratch(w);
	if (engineio_put_hello(e, b) < 0)
		a = http_error(503, NULL, "out of memory");
	else
		a.text = (struct span){b->data, b->len};
	http_answer(h, a);
	worker_scratch_done(w, b);
}

void engineio_poll_release(struct engineio *e, bool released)
{
	e->polls->released = released;
	if (e->polls->get && released)
		engineio_later(e);
}

void engineio_poll_leave(struct engineio *e)
{
	if (e->polls->get)
		answer_get(e);
	drop_polls(e);
}
