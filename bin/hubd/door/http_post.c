/* Lines out of a request's body into a session, while the body comes; their answers into the
 * answer, while it does. One that is complete in time has a length, longer ones have chunks. */
#include "door/http_post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "conn/encoding.h"
#include "dialect/comeback.h"
#include "dialect/hub7.h"
#include "dialect/rest.h"
#include "door/doors.h"
#include "door/exchange.h"
#include "door/gate_impl.h"

#define NDJSON "application/x-ndjson"
#define BETWEEN_S 300 /* two lines */

struct posting {
	struct exchange x; /* first */
	struct rest_publisher publisher;
	struct http1_body body;
	struct line line;
	struct buf object; /* a single one */
	size_t ahead;	   /* payload that the body has given already, and that comes again */
	bool single;
	bool over; /* the body */
	bool half; /* a line has begun */
};

static struct posting *posting_of(struct conn *c)
{
	return c->handle;
}

/* --- the door */

/* An answer that is complete before it has to leave is collected, and so can say how long it is. */
static int posting_write(struct conn *c, const void *data, size_t len)
{
	struct posting *p = posting_of(c);

	if (!p)
		return -ENOTCONN;
	if (!p->over && !p->single && !p->x.streams)
		exchange_stream(&p->x, NDJSON, ANSWER_CHUNKED);
	return exchange_write(c, data, len);
}

static void posting_close(struct conn *c, enum close_code code, const char *reason)
{
	struct posting *p = posting_of(c);

	if (!p)
		return;
	if (!p->over)
		p->x.http->head.keep_alive = false; /* nobody reads on */
	/* The last line says so. */
	if ((code == CLOSE_RESTART || code == CLOSE_POLICY) && p->x.streams) {
		struct buf *b = worker_scratch(c->worker);
		const char *name = code == CLOSE_RESTART ? "shutting_down" : "rate_limited";

		if (rest_error(b, name, reason, (struct span){0}, 0) == 0 && buf_puts(b, "\n") == 0)
			posting_write(c, b->data, b->len);
		worker_scratch_done(c->worker, b);
		code = CLOSE_NORMAL;
	}
	if (code == CLOSE_NORMAL && !p->x.answer.status)
		p->x.answer =
		    (struct answer){.status = p->single ? rest_status(p->publisher.failed) : 200,
				    .type = p->single ? NULL : NDJSON};
	exchange_close(c, code, reason);
}

static const struct dialect posting_dialect = {
    .error = hub7_error,
    .ack = hub7_ack,
    .gap = hub7_gap,
    .left = hub7_left,
    .sessions = hub7_sessions,
};

static const struct door posting_door = {
    .counted = COUNT_HTTP,
    .encoding = &encoding_lines,
    .dialect = &posting_dialect,
    .write = posting_write,
    .pause = exchange_pause,
    .close = posting_close,
    .abort = exchange_abort,
    .peer = exchange_peer,
    .counts = exchange_counts,
    .descriptor = exchange_descriptor,
};

/* Bytes of a message that has not come whole. */
static size_t held(const struct posting *p)
{
	return line_held(&p->line) + p->object.len;
}

static void count_held(struct posting *p, size_t before)
{
	counter_add_at(&p->x.conn->worker->counters, memory, MEMORY_HALF, held(p) - before);
}

static void posting_end(struct exchange *x)
{
	struct posting *p = (struct posting *)x;

	counter_sub_at(&p->x.conn->worker->counters, memory, MEMORY_HALF, held(p));
	rest_publisher_end(&p->publisher);
	line_reset(&p->line);
	buf_free(&p->object);
}

/* --- the body */

/* It is over, one way or the other; what is due still leaves. */
static void finish(struct posting *p)
{
	p->over = true;
	stream_deadline(p->x.stream, 0);
	deliver_finish(p->x.conn, CLOSE_NORMAL, "answered");
}

/* It cannot be read on. What came before stands. */
static void break_body(struct posting *p, enum hub_code code, const char *why)
{
	p->x.http->head.keep_alive = false;
	if (p->single || (!p->x.streams && !p->publisher.line))
		exchange_fail(&p->x, rest_status(code), hub_code_name(code), why);
	else
		rest_publish_failed(&p->publisher, code, why);
	finish(p);
}

static void take_line(struct posting *p, enum line_got got, const char *text, size_t len)
{
	if (got == LINE_WHOLE)
		rest_publish(&p->publisher, text, len);
	else if (got == LINE_TOO_LONG)
		rest_publish_failed(&p->publisher, HUB_TOO_LARGE,
				    "a line is longer than the hub takes");
	else
		conn_close(p->x.conn, CLOSE_INTERNAL, "out of memory");
}

/* It is a message like any other. */
static void meter(struct posting *p, size_t len)
{
	if (!p->x.http->trusted && !p->x.conn->closing)
		meter_message(p->x.conn, len);
}

/* Returns how many bytes were used: all, but where the stream is paused. */
static size_t take_lines(struct posting *p, const char *start, const char *end)
{
	size_t max = p->x.conn->worker->conns->max_message, len;
	const char *q = start, *text;
	enum line_got got;

	while (!p->x.stream->paused && !p->x.conn->closing &&
	       (got = line_next(&p->line, &q, end, max, &text, &len)) != LINE_MORE) {
		take_line(p, got, text, len);
		meter(p, len);
	}
	return (size_t)(q - start);
}

/* A single object may go over several lines. False where it is too long. */
static bool take_object(struct posting *p, const char *start, const char *end)
{
	size_t len = (size_t)(end - start), max = p->x.conn->worker->conns->max_message;

	if (p->object.len + len > max) {
		break_body(p, HUB_TOO_LARGE, "a message is longer than the hub takes");
		return false;
	}
	if (buf_put(&p->object, start, len) == 0)
		return true;
	conn_close(p->x.conn, CLOSE_INTERNAL, "out of memory");
	return false;
}

static void complete_body(struct posting *p)
{
	const char *text;
	size_t len;

	if (p->single && p->object.len) {
		rest_publish(&p->publisher, p->object.data, p->object.len);
		meter(p, p->object.len);
		if (!p->publisher.failed && !p->x.text.len && !p->x.conn->out.len &&
		    !p->publisher.pending.len && !p->publisher.first)
			exchange_fail(&p->x, 400, "bad_json", "the body has no JSON object");
	} else if (p->single) {
		exchange_fail(&p->x, 400, "bad_json", "the body is empty");
	} else if (line_last(&p->line, &text, &len) == LINE_WHOLE) {
		rest_publish(&p->publisher, text, len);
	}
	finish(p);
}

/* Half a line must go on; between two lines there may be a while; while it is paused, nobody reads.
 */
static void set_deadline(struct posting *p)
{
	struct stream *s = p->x.stream;
	bool half = !p->single && !line_idle(&p->line);
	int r = 0;

	if (p->single)
		return;
	if (!half || s->paused)
		r = stream_deadline(s, BETWEEN_S);
	else if (!p->half)
		r = stream_deadline(s, s->worker->doors->set->header_timeout);
	p->half = half && !s->paused;
	if (r < 0)
		stream_abort(s);
}

/* Takes payload; false where no more can be taken now. */
static bool take_piece(struct posting *p, const char *start, size_t len, const char **next)
{
	size_t used = len;

	if (p->single)
		take_object(p, start, start + len);
	else
		used = take_lines(p, start, start + len);
	p->ahead = len - used;
	*next = start + used;
	return !p->ahead && !p->over && !p->x.conn->closing;
}

static size_t posting_take(struct stream *s, unsigned char *start, unsigned char *stop)
{
	struct posting *p = s->owner;
	const char *q = (const char *)start, *end = (const char *)stop;
	size_t before = held(p);
	struct http1_span piece;
	enum http1_got got = HTTP1_MORE;

	if (p->over || p->x.conn->closing || p->x.conn->held)
		return exchange_take(s, start, stop);
	if (p->ahead && !take_piece(p, q, p->ahead, &q))
		goto out;
	/* Nothing may come behind the line that it was paused for: then this is the end. */
	while ((!s->paused || q == end) &&
	       (got = http1_body_read(&p->body, &q, end, &piece)) == HTTP1_PIECE)
		if (!take_piece(p, piece.p, piece.len, &q))
			break;
	if (got == HTTP1_DONE)
		complete_body(p);
	else if (got == HTTP1_REFUSED)
		break_body(p, HUB_BAD_REQUEST, p->body.why);
out:
	count_held(p, before);
	if (!p->over && held(p) > before && !p->x.http->trusted && conn_over(s->worker, held(p)))
		break_body(p, HUB_HUB_FULL, CONN_OVER);
	if (p->over)
		exchange_end(&p->x); /* p may be no more */
	else if (s->fd >= 0)
		set_deadline(p);
	return (size_t)(q - (const char *)start);
}

/* --- the stream's user */

static void posting_ended(struct stream *s)
{
	struct posting *p = s->owner;

	if (s->deaf)
		stream_abort(s);
	else if (p->over)
		p->x.http->head.keep_alive = false;
	else
		break_body(p, HUB_BAD_REQUEST, "the body ends before its end");
}

static void posting_late(struct stream *s)
{
	break_body(s->owner, HUB_TIMEOUT, "the body took too long");
}

static const struct stream_user posting_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .take = posting_take,
    .ended = posting_ended,
    .writable = exchange_writable,
    .progress = exchange_progress,
    .late = posting_late,
    .gone = exchange_gone,
};

/* --- serving */

static void opened(struct conn *c, struct session *s, enum hub_code code, const char *why)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct posting *p = posting_of(c);
	struct http *h = p->x.http;

	if (!s) {
		exchange_fail(&p->x, rest_status(code), hub_code_name(code), why);
		return;
	}
	p->publisher.session = p->x.session = s;
	if (h->has_body && h->head.expect_continue &&
	    stream_write(p->x.stream, go_on, sizeof(go_on) - 1) < 0)
		conn_close(c, 0, "write failed");
	http1_body_start(&p->body, &h->head);
	if (!h->has_body) {
		complete_body(p);
		return;
	}
	h->has_body = false; /* it is read here */
	if (stream_deadline(p->x.stream, c->worker->doors->set->header_timeout) < 0)
		exchange_fail(&p->x, 503, NULL, "out of memory");
}

/* Which of the two kinds of body it is, by the media type without its parameters; false: neither.
 * None at all is none of them: what a page can send without being asked (text/plain, forms) is not
 * to publish. */
static bool content_kind(const struct http1_head *head, bool *single)
{
	static const char *const lines[] = {NDJSON, "application/ndjson", "application/jsonl",
					    "application/x-jsonlines"};
	struct http1_span type;
	const char *semicolon;
	size_t i;

	if (http1_field(head, "content-type", &type) != 1)
		return false;
	semicolon = memchr(type.p, ';', type.len);
	if (semicolon)
		type.len = (size_t)(semicolon - type.p);
	type = http1_trim(type);
	*single = http1_is(type, "application/json");
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (http1_is(type, lines[i]))
			return true;
	return *single;
}

/* Who asks anew each time cannot be slowed. False where it was refused. */
static bool asker_may(struct http *h)
{
	struct address peer;
	bool counts = !h->trusted && gate_counts(h->stream, &peer);
	unsigned retry_s =
	    h->trusted ? 0 : meter_asker(h->stream->worker, h->identity, counts ? &peer : NULL);
	struct answer a = http_error(429, NULL, "the user, or the address, sends more than it may");
	char retry[40];

	snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", retry_s);
	a.fields = retry;
	if (retry_s)
		http_answer(h, a);
	return !retry_s;
}

/* With which he goes on elsewhere as the same client. */
static void put_token(struct posting *p)
{
	char token[RESUME_LEN + 1];

	comeback_token(p->x.conn, p->publisher.client, token);
	buf_printf(&p->x.fields, "Hub-Resume: %s\r\n", token);
}

void http_post(struct http *h, struct span session)
{
	struct opening opening = {.session = session, .create = true, .done = opened};
	struct http1_span name = {NULL, 0};
	struct posting *p;
	bool single;

	if (!h->head.chunked && !http1_field(&h->head, "content-length", NULL)) {
		http_answer(h, http_error(411, NULL,
					  "a body must come with Content-Length, or be chunked"));
		return;
	}
	if (!content_kind(&h->head, &single)) {
		http_answer(h, http_error(415, NULL,
					  "Content-Type must be application/x-ndjson, or "
					  "application/json for one message"));
		return;
	}
	if (http1_field(&h->head, "hub-client", &name) > 1 || name.len > REST_CLIENT_MAX) {
		http_answer(h, http_error(400, "bad_field",
					  "Hub-Client may occur once, with 64 bytes at most"));
		return;
	}
	if (!asker_may(h))
		return;
	p = calloc(1, sizeof(*p));
	if (p) {
		p->single = single;
		p->x.end = posting_end;
	}
	if (!exchange_begin(&p->x, h, &posting_door, &posting_user))
		return;
	p->publisher.conn = p->x.conn;
	p->publisher.client = rest_client(p->x.conn, name);
	if (name.len)
		put_token(p);
	member_open(p->x.conn, &opening);
}
