/* A reader is a hidden member of its session, whose cursor fills the answer: for ever, up to its
 * limit, or up to the end of the state. */
#include "door/http_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "dialect/rest.h"
#include "door/exchange.h"
#include "session/seek.h"
#include "wire/log_place.h"
#include "wire/sse.h"

#define NDJSON "application/x-ndjson"
#define RETRY_MS "1000"			/* after which EventSource comes back */
#define KEEP_S 15			/* of silence, then a comment */
#define RECORDS_BYTES (256 * 1024)	/* of records in an answer, about */
#define KEY_BYTES ((size_t)1024 * 1024) /* of one key's records */

struct reading {
	struct exchange x; /* first */
	enum http_reading what;
	struct rest_query query;
	/* READ_RECORDS */
	uint64_t at;	/* the seq of the last record in the answer */
	uint32_t lines; /* in it */
	bool waits;	/* for the first one */
	/* Of the key; or of the types that are wanted and those that do not wait, as written. */
	uint16_t key_len, first_len;
	char key[];
};

static struct reading *reading_of(struct conn *c)
{
	return c->handle;
}

/* --- events */

static int events_write(struct conn *c, const void *data, size_t len)
{
	struct reading *r = reading_of(c);

	return r ? stream_write(r->x.stream, data, len) : -ENOTCONN;
}

static int events_ping(struct conn *c)
{
	struct reading *r = reading_of(c);

	return r && r->x.streams ? events_write(c, SSE_COMMENT, strlen(SSE_COMMENT)) : 0;
}

/* Says where the reader is, so that it comes back to there. */
static void send_place(struct conn *c, const struct seat *seat)
{
	struct log_place place = session_place(seat->m.session, seat->m.cursor - 1);
	struct buf *b = worker_scratch(c->worker);
	char text[PLACE_MAX];
	size_t len = place_text(&place, text);

	if (sse_put(b, (struct http1_span){text, len}, (struct http1_span){NULL, 0},
		    (struct http1_span){NULL, 0}) == 0)
		conn_queue(c, b->data, b->len);
	worker_scratch_done(c->worker, b);
}

static void begin_events(struct reading *r, struct seat *seat, const struct session_from *from,
			 const struct session_joined *joined)
{
	static const char retry[] = "retry: " RETRY_MS "\n\n";
	struct conn *c = r->x.conn;
	struct buf *b;

	/* Else nginx holds it back where it compresses. */
	buf_puts(&r->x.fields, "X-Accel-Buffering: no\r\n");
	exchange_stream(&r->x, "text/event-stream", ANSWER_TO_END);
	conn_queue(c, retry, sizeof(retry) - 1);
	if (joined->reason) {
		b = worker_scratch(c->worker);
		conn_send_scratch(c, b, rest_lost(b, seat->m.session->id, from, joined));
	}
	if (!seat->m.catchup)
		send_place(c, seat);
}

/* The end as an event, as far as the reader takes it. */
static void events_close(struct conn *c, enum close_code code, const char *reason)
{
	struct reading *r = reading_of(c);
	char text[256];
	int n;

	if (r && r->x.streams && code != CLOSE_NORMAL) {
		n = snprintf(
		    text, sizeof(text),
		    "event: close\ndata: {\"type\":\"close\",\"code\":%d,\"reason\":\"%s\"}\n\n",
		    (int)code, reason);
		if (n > 0 && (size_t)n < sizeof(text))
			events_write(c, text, (size_t)n);
	}
	exchange_close(c, code, reason);
}

/* --- records */

static bool is_full(const struct reading *r)
{
	return r->lines >= r->query.limit || r->x.text.len >= RECORDS_BYTES;
}

/* Takes lines until there are enough. */
static int records_write(struct conn *c, const void *data, size_t len)
{
	struct reading *r = reading_of(c);
	const char *p = data, *end = p + len;

	while (r && p < end && !is_full(r)) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		size_t line = feed ? (size_t)(feed - p) : (size_t)(end - p);
		uint64_t seq = place_of_record(p, line);

		if (buf_put(&r->x.text, p, line) < 0 || buf_puts(&r->x.text, "\n") < 0)
			return -ENOMEM;
		if (seq) {
			r->at = seq;
			r->lines++;
		}
		p += line + (feed != NULL);
	}
	if (!r || is_full(r)) {
		conn_close(c, CLOSE_NORMAL, "answered");
		return 1; /* no more of them */
	}
	if (r->waits)
		conn_close(c, CLOSE_NORMAL, "answered");
	return 0;
}

static void records_close(struct conn *c, enum close_code code, const char *reason)
{
	struct reading *r = reading_of(c);

	/* Of a session that is no more, or for who may not read it any more, there is no place. */
	if (r && r->x.answer.status == 200 &&
	    (code > CLOSE_REPLACED || exchange_put_place(&r->x, r->at) < 0))
		r->x.answer = (struct answer){0};
	exchange_close(c, code, reason);
}

/* The cursor is lost: 410 where the log does not reach back so far, 409 where it is another log. */
static void refuse_place(struct reading *r, const struct session_joined *joined)
{
	bool trimmed = strcmp(joined->reason, "trimmed") == 0;

	exchange_put_place(&r->x, joined->seq);
	exchange_fail(&r->x, trimmed ? 410 : 409, joined->reason,
		      trimmed ? "the records after since are not kept any more"
			      : "since is of another log than this, or of what a crash has taken");
}

static void begin_records(struct reading *r, struct seat *seat, const struct session_joined *joined)
{
	struct conn *c = r->x.conn;

	if (joined->reason && !joined->gap_to) {
		refuse_place(r, joined);
		return;
	}
	r->at = seat->m.cursor - 1;
	r->x.answer = (struct answer){.status = 200, .type = NDJSON};
	if (joined->gap_to)
		deliver_gap(seat, joined->since + 1, joined->gap_to);
	r->waits = joined->seq < seat->m.cursor && !seat->m.catchup && r->query.wait_s &&
		   r->x.http->head.method != HTTP1_HEAD;
	if (!r->waits)
		deliver_finish(c, CLOSE_NORMAL, "answered");
	else if (stream_deadline(r->x.stream, r->query.wait_s) < 0)
		exchange_fail(&r->x, 503, NULL, "out of memory");
}

/* --- the state, and what is not of the log */

static void begin_state(struct reading *r, const struct session_joined *joined)
{
	if (exchange_put_place(&r->x, joined->seq) < 0) {
		exchange_fail(&r->x, 503, NULL, "out of memory");
		return;
	}
	exchange_stream(&r->x, NDJSON, ANSWER_CHUNKED);
	if (!joined->snapshot)
		exchange_done(&r->x);
}

/* What it asks for counts as that part of a join, and for the bytes that are made for it alone. */
static void meter(struct reading *r, uint64_t join, size_t bytes)
{
	if (!r->x.http->trusted)
		meter_work(r->x.conn, join + bytes * METER_ANSWER_BYTE, METER_JOINS);
}

static void answer_key(struct reading *r)
{
	uint64_t head;
	int n = session_state_of(r->x.session, (struct span){r->key, r->key_len}, &r->x.text,
				 KEY_BYTES, &head);

	meter(r, METER_LOOK, r->x.text.len);
	if (n >= 0 && exchange_put_place(&r->x, head) < 0)
		n = -ENOMEM;
	r->x.answer = (struct answer){.status = 200, .type = NDJSON};
	if (n == 0)
		r->x.answer = http_error(404, NULL, "the session's state has no such key");
	else if (n == -EFBIG)
		r->x.answer =
		    http_error(413, NULL, "that key has more records than one answer may");
	else if (n < 0)
		r->x.answer = http_error(503, NULL, "out of memory");
	exchange_done(&r->x);
}

static void answer_presence(struct reading *r)
{
	r->x.answer = (struct answer){.status = 200};
	if (hub7_members(r->x.conn->worker, &r->x.text, r->x.session) < 0 ||
	    buf_puts(&r->x.text, "\n") < 0)
		r->x.answer = http_error(503, NULL, "out of memory");
	meter(r, METER_LOOK, r->x.text.len);
	exchange_done(&r->x);
}

static void answer_sessions(struct reading *r)
{
	struct conn *c = r->x.conn;
	enum hub_code code = watch_start(c);

	if (code != HUB_OK) {
		exchange_fail(&r->x, rest_status(code), hub_code_name(code),
			      code == HUB_HUB_FULL
				  ? "too many connections are told of sessions already"
				  : "out of memory");
		return;
	}
	exchange_stream(&r->x, NDJSON, ANSWER_CHUNKED);
	deliver_finish(c, CLOSE_NORMAL, "answered");
}

/* --- joining */

static void joined(struct conn *c, struct seat *seat, const struct session_from *from,
		   const struct session_joined *how)
{
	struct reading *r = reading_of(c);

	if (!r)
		return;
	if (r->what == READ_EVENTS)
		begin_events(r, seat, from, how);
	else if (r->what == READ_RECORDS)
		begin_records(r, seat, how);
	else
		begin_state(r, how);
}

static void refused(struct conn *c, enum hub_code code, const char *why, struct span msg_id,
		    uint32_t retry_s)
{
	struct reading *r = reading_of(c);

	(void)msg_id;
	(void)retry_s;
	if (r)
		exchange_fail(&r->x, rest_status(code), hub_code_name(code), why);
}

static void caught_up(struct conn *c, struct seat *seat)
{
	struct reading *r = reading_of(c);

	if (r && r->what == READ_EVENTS)
		send_place(c, seat);
	else if (r && r->what == READ_STATE)
		exchange_done(&r->x);
}

static void opened(struct conn *c, struct session *s, enum hub_code code, const char *why)
{
	struct reading *r = reading_of(c);
	struct join_request join = {.echo = true, .hidden = true};
	struct select_wish wish;
	bool ok;

	if (!s) {
		refused(c, code, why, (struct span){0}, 0);
		return;
	}
	r->x.session = s;
	if (r->what == READ_PRESENCE) {
		answer_presence(r);
	} else if (r->what == READ_KEY) {
		answer_key(r);
	} else {
		meter(r, r->what == READ_RECORDS ? METER_LOOK : METER_JOIN, 0);
		join.session = session_name(s);
		join.from = r->query.from;
		ok = rest_wish(&r->query, (struct http1_span){r->key, r->key_len},
			       (struct http1_span){r->key + r->key_len, r->first_len}, &wish) == 0;
		if (ok && r->query.has_area && c->worker->hub7->grids.n) {
			wish.in_area = true;
			area_around(&c->worker->hub7->grids, r->query.area[0], r->query.area[1],
				    r->query.area[2], &wish.area);
		}
		join.select = ok ? select_get(c->worker, &wish, &ok) : NULL;
		if (ok)
			member_join(c, &join);
		else
			exchange_fail(&r->x, 503, NULL, "out of memory");
		select_unref(join.select);
	}
}

/* --- the tables */

static const struct dialect reading_dialect = {
    .joined = joined,
    .refused = refused,
    .caught_up = caught_up,
    .error = hub7_error,
    .ack = hub7_ack,
    .gap = hub7_gap,
    .skipped = hub7_skipped,
    .area_left = hub7_area_left,
    .left = hub7_left,
    .sessions = hub7_sessions,
};

static const struct door events_door = {
    .counted = COUNT_SSE,
    .keep_s = KEEP_S,
    .encoding = &encoding_events,
    .dialect = &reading_dialect,
    .write = events_write,
    .ping = events_ping,
    .pause = exchange_pause,
    .close = events_close,
    .abort = exchange_abort,
    .peer = exchange_peer,
    .descriptor = exchange_descriptor,
};

static const struct door records_door = {
    .counted = COUNT_HTTP,
    .encoding = &encoding_lines,
    .dialect = &reading_dialect,
    .write = records_write,
    .pause = exchange_pause,
    .close = records_close,
    .abort = exchange_abort,
    .peer = exchange_peer,
    .descriptor = exchange_descriptor,
};

static const struct door lines_door = {
    .counted = COUNT_HTTP,
    .encoding = &encoding_lines,
    .dialect = &reading_dialect,
    .write = exchange_write,
    .pause = exchange_pause,
    .close = exchange_close,
    .abort = exchange_abort,
    .peer = exchange_peer,
    .descriptor = exchange_descriptor,
};

/* Nothing but its end is heard of a reader whose answer has no end. */
static size_t events_take(struct stream *s, unsigned char *p, unsigned char *end)
{
	(void)s;
	return (size_t)(end - p);
}

/* Whoever still waits for records gets what there is. */
static void reading_ended(struct stream *s)
{
	struct reading *r = s->owner;

	if (s->deaf || r->what == READ_EVENTS) {
		stream_abort(s);
		return;
	}
	r->x.http->head.keep_alive = false;
	if (r->waits)
		exchange_done(&r->x);
}

static void reading_late(struct stream *s)
{
	struct reading *r = s->owner;

	exchange_done(&r->x);
}

static const struct stream_user events_user = {
    .counted = {COUNT_SSE, COUNT_SSE},
    .take = events_take,
    .ended = reading_ended,
    .writable = exchange_writable,
    .progress = exchange_progress,
    .gone = exchange_gone,
};

static const struct stream_user reading_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .take = exchange_take,
    .ended = reading_ended,
    .writable = exchange_writable,
    .progress = exchange_progress,
    .late = reading_late,
    .gone = exchange_gone,
};

/* --- serving */

/* Where it wants to begin, in words of a join. */
static void complete(struct rest_query *q, enum http_reading what)
{
	if (what == READ_STATE)
		q->from = (struct session_from){0};
	else
		q->from.bare = what == READ_RECORDS || !q->state;
	q->from.rest = what == READ_EVENTS && !q->state;
	if (what != READ_EVENTS) {
		q->tick_ms = 0; /* an answer is made at once */
		q->batch = q->conflate = false;
	}
	if (what == READ_RECORDS)
		q->from.has_since = true; /* from the first record on */
}

void http_read(struct http *h, enum http_reading what, struct span session, struct span key)
{
	struct http1_span last_event_id = {NULL, 0};
	struct rest_query query = {0};
	struct http1_span first = {NULL, 0};
	struct reading *r;
	const char *wrong = NULL;
	bool events = what == READ_EVENTS;
	struct opening opening = {.session = session, .done = opened};

	if (events)
		http1_field(&h->head, "last-event-id", &last_event_id);
	if (events || what == READ_RECORDS) {
		wrong = rest_read_query(&query, h->head.target.query, last_event_id);
		key = (struct span){query.types.p, query.types.len};
		first = events ? query.priority : first;
	}
	complete(&query, what);
	if (wrong) {
		http_answer(h, http_error(400, "bad_field", wrong));
		return;
	}
	r = malloc(sizeof(*r) + key.len + first.len);
	if (r) {
		*r = (struct reading){.what = what,
				      .query = query,
				      .key_len = (uint16_t)key.len,
				      .first_len = (uint16_t)first.len};
		if (key.len)
			memcpy(r->key, key.p, key.len);
		if (first.len)
			memcpy(r->key + key.len, first.p, first.len);
	}
	if (!exchange_begin(&r->x, h,
			    events		   ? &events_door
			    : what == READ_RECORDS ? &records_door
						   : &lines_door,
			    events ? &events_user : &reading_user))
		return;
	if (what == READ_SESSIONS)
		answer_sessions(r);
	else
		member_open(r->x.conn, &opening);
}
