/* Invariant: a stream that has not begun a request is in its worker's list, the one that has waited
 * longest first. */
#include "door/http_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn.h"
#include "dialect/hub7.h"
#include "door/doors.h"
#include "door/http.h"
#include "door/metrics.h"
#include "wire/http1_answer.h"

/* --- who waits for a request */

/* What a proxy keeps open counts for nobody until the next request: door/gate.h. */
static void leave_share(struct stream *s)
{
	if (!s->by_proxy)
		return;
	shares_drop(s->worker->conns->shares, s->share);
	s->share = SHARE_NONE;
}

void http_wait_begin(struct http *h)
{
	struct doors *d = h->stream->worker->doors;

	leave_share(h->stream);
	h->waits = true;
	h->next = NULL;
	h->prev = d->waiting_last;
	*(d->waiting_last ? &d->waiting_last->next : &d->waiting_first) = h;
	d->waiting_last = h;
	atomic_fetch_add_explicit(&d->waiting, 1, memory_order_relaxed);
}

void http_wait_end(struct http *h)
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
	struct http *next;

	/* An end, no reset: what they ask just now is theirs to ask elsewhere. */
	for (struct http *h = w->doors->waiting_first; h; h = next) {
		next = h->next;
		stream_finish(h->stream);
	}
}

void http_free(struct http *h)
{
	http_wait_end(h);
	meter_end(h->meter);
	free(h);
}

/* --- answers */

struct answer http_error(int status, const char *code, const char *message)
{
	return (struct answer){.status = status, .code = code, .text = {message, strlen(message)}};
}

/* Where nobody knows better. */
static const char *code_of(int status)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = {
	    {401, "unauthorized"},	  {403, "forbidden"},	     {404, "not_found"},
	    {405, "method_not_allowed"},  {408, "timeout"},	     {413, "too_large"},
	    {411, "length_required"},	  {414, "too_large"},	     {415, "unsupported_type"},
	    {421, "misdirected"},	  {426, "upgrade_required"}, {429, "rate_limited"},
	    {431, "too_large"},		  {501, "not_implemented"},  {503, "internal"},
	    {505, "unsupported_version"},
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return "bad_request";
}

/* The names of all in a set of methods. */
static int put_methods(struct buf *b, const char *field, unsigned methods)
{
	const char *comma = "";
	int r = buf_printf(b, "%s: ", field);

	for (int m = HTTP1_GET; r == 0 && m <= HTTP1_PATCH; m++) {
		if (!(methods & 1u << m))
			continue;
		r = buf_printf(b, "%s%s", comma, http1_method_name((enum http1_method)m));
		comma = ", ";
	}
	return r == 0 ? buf_puts(b, "\r\n") : r;
}

/* Fetch Standard, section 3.2 (CORS protocol). Without --cors there is none of it. */
static int put_cors(struct buf *b, const struct http *h, const struct answer *a)
{
	const struct opt_list *cors = h->stream->worker->doors->set->cors;
	int r = 0;

	if (!cors->n)
		return 0;
	if (!h->cors || strcmp(h->cors, "*") != 0)
		r = buf_puts(b, "Vary: Origin\r\n");
	if (!h->cors)
		return r;
	if (r == 0)
		r = http1_put_field(b, "Access-Control-Allow-Origin", h->cors);
	if (!a->preflight)
		return r == 0 ? http1_put_field(b, "Access-Control-Expose-Headers",
						"Hub-Cursor, Hub-Epoch, Hub-Resume, Hub-Seq")
			      : r;
	if (r == 0)
		r = put_methods(b, "Access-Control-Allow-Methods", a->allow);
	if (r == 0)
		r = http1_put_field(b, "Access-Control-Allow-Headers",
				    "Authorization, Content-Type, Hub-Client, Last-Event-ID");
	return r == 0 ? http1_put_field(b, "Access-Control-Max-Age", "86400") : r;
}

/* RFC 9110 section 6.4.1. */
static bool has_content(const struct answer *a)
{
	return a->status != 204 && a->status != 304;
}

/* How the body ends. */
static int put_framing(struct buf *b, const struct http *h, const struct answer *a, size_t len)
{
	char length[24];

	if (!has_content(a) || a->body == ANSWER_TO_END)
		return 0;
	if (a->body == ANSWER_CHUNKED)
		return h->head.version_1_0 ? 0 : http1_put_field(b, "Transfer-Encoding", "chunked");
	snprintf(length, sizeof(length), "%ju",
		 a->body == ANSWER_SIZED ? (uintmax_t)a->size : (uintmax_t)len);
	return http1_put_field(b, "Content-Length", length);
}

static int put_connection(struct buf *b, const struct http *h, const struct answer *a)
{
	bool close = http_closes(h, a);

	if (a->upgrade)
		return http1_put_field(b, "Connection", close ? "close, Upgrade" : "Upgrade");
	if (close)
		return http1_put_field(b, "Connection", "close");
	/* Who speaks HTTP/1.0 and wants to go on has to be told that it may. */
	return h->head.version_1_0 ? http1_put_field(b, "Connection", "keep-alive") : 0;
}

static int put_head(struct buf *b, const struct http *h, const struct answer *a, size_t len)
{
	int r = http1_put_status(b, a->status);

	if (r == 0)
		r = http1_put_date(b, (int64_t)(worker_wall_ms(h->stream->worker) / 1000));
	if (r == 0 && has_content(a))
		r = http1_put_field(b, "Content-Type", a->type ? a->type : "application/json");
	if (r == 0)
		r = put_framing(b, h, a, len);
	if (r == 0)
		r = http1_put_field(b, "Cache-Control", a->cache ? a->cache : "no-store");
	if (r == 0 && a->fields)
		r = buf_puts(b, a->fields);
	if (r == 0 && a->allow)
		r = put_methods(b, "Allow", a->allow);
	if (r == 0)
		r = put_cors(b, h, a);
	if (r == 0 && a->upgrade)
		r = buf_puts(b, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	if (r == 0)
		r = put_connection(b, h, a);
	return r == 0 ? buf_puts(b, "\r\n") : r;
}

int http_put_answer(struct buf *b, const struct http *h, const struct answer *a)
{
	struct buf *error = worker_scratch(h->stream->worker);
	struct span text = a->text;
	int r = 0;

	if (a->counted)
		counter_add_at(&h->stream->worker->counters, refused, a->counted, 1);
	else
		metrics_answered(h->stream->worker, a->status);
	if (a->status >= 400 && text.len && *text.p != '{') {
		r = hub7_error_named(error, a->code ? a->code : code_of(a->status), text.p,
				     (struct span){0});
		if (r == 0)
			r = buf_puts(error, "\n");
		text = (struct span){error->data, error->len};
	}
	if (r == 0)
		r = put_head(b, h, a, text.len);
	if (r == 0 && text.len && h->head.method != HTTP1_HEAD)
		r = buf_put(b, text.p, text.len);
	worker_scratch_done(h->stream->worker, error);
	return r;
}

bool http_closes(const struct http *h, const struct answer *a)
{
	/* A body that waits for a word of ours will never come, and one that is too long is not
	 * thrown away. */
	return a->close || !h->head.keep_alive || a->body == ANSWER_TO_END ||
	       (a->body == ANSWER_CHUNKED && h->head.version_1_0) ||
	       (h->has_body &&
		(h->head.expect_continue || h->head.content_length > HTTP_BODY_MAX)) ||
	       atomic_load_explicit(&h->stream->worker->all->draining, memory_order_relaxed);
}

/* The stream is paused while the peer does not take its answer, so that it asks for no more. */
void http_answered(struct http *h, bool close)
{
	if (close) {
		stream_finish(h->stream); /* h may be no more */
		return;
	}
	h->in_body = h->has_body;
	h->body_left = HTTP_BODY_MAX;
	if (h->has_body) {
		http1_body_start(&h->body, &h->head);
		h->has_body = false;
	} else {
		h->head = (struct http1_head){0};
		http_wait_begin(h);
	}
	if (stream_waits(h->stream))
		stream_pause(h->stream, true);
	if (stream_deadline(h->stream, HTTP_IDLE_S) < 0)
		stream_abort(h->stream);
}

void http_answer(struct http *h, struct answer a)
{
	struct worker *w = h->stream->worker;
	struct buf *b = worker_scratch(w);
	int r = http_put_answer(b, h, &a);

	if (r == 0)
		r = stream_write(h->stream, b->data, b->len);
	worker_scratch_done(w, b);
	if (r < 0)
		stream_abort(h->stream);
	else
		http_answered(h, http_closes(h, &a));
}

void http_back(struct http *h)
{
	stream_use(h->stream, h->user, h);
	stream_pause(h->stream, false);
}
