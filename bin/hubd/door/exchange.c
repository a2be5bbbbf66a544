/* Invariant: the stream's owner is the exchange exactly while its connection has it for a handle.
 */
#include "door/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door/gate_impl.h"
#include "door/peer.h"
#include "wire/id.h"
#include "wire/log_place.h"

#define LAST_CHUNK "0\r\n\r\n"

bool exchange_begin(struct exchange *x, struct http *h, const struct door *door,
		    const struct stream_user *user)
{
	struct conn *c = NULL;
	int r = -ENOMEM;

	if (x) {
		x->stream = h->stream;
		c = conn_new(x->stream->worker, door, x, h->born);
	}
	if (c)
		r = h->identity ? conn_identify(c, h->identity) : 0;
	if (r < 0) {
		if (c)
			conn_gone(c);
		free(x);
		http_answer(h, http_error(503, r == -EBUSY ? "hub_full" : NULL,
					  r == -EBUSY ? USER_FULL : "out of memory"));
		return false;
	}
	x->http = h;
	x->conn = c;
	meter_give(c, h->meter);
	h->meter = NULL;
	stream_deadline(x->stream, 0);
	stream_use(x->stream, user, x);
	return true;
}

/* Lets go of everything but the stream and what it was before. */
static void let_go(struct exchange *x)
{
	if (x->end)
		x->end(x);
	if (x->session)
		member_release(x->conn, x->session);
	conn_gone(x->conn);
	buf_free(&x->text);
	buf_free(&x->fields);
	free(x);
}

/* --- the answer */

void exchange_fail(struct exchange *x, int status, const char *code, const char *message)
{
	if (!x->streams && !x->answer.status)
		x->answer = http_error(status, code, message);
	conn_close(x->conn, CLOSE_NORMAL, "answered");
}

void exchange_done(struct exchange *x)
{
	conn_close(x->conn, CLOSE_NORMAL, "answered");
}

int exchange_put_place(struct exchange *x, uint64_t seq)
{
	struct log_place place = session_place(x->session, seq);
	char text[PLACE_MAX], epoch[ID_LEN + 1];

	place_text(&place, text);
	id_text(place.epoch, epoch);
	return buf_printf(&x->fields, "Hub-Cursor: %s\r\nHub-Epoch: %s\r\nHub-Seq: %ju\r\n", text,
			  epoch, (uintmax_t)seq);
}

/* The lines of the head; NULL where there are none. */
static const char *fields_text(struct exchange *x)
{
	if (!x->fields.len || buf_put(&x->fields, "", 1) < 0)
		return NULL;
	return x->fields.data;
}

void exchange_stream(struct exchange *x, const char *type, enum answer_body body)
{
	struct buf *b = worker_scratch(x->conn->worker);

	x->answer =
	    (struct answer){.status = 200, .type = type, .body = body, .fields = fields_text(x)};
	if (http_put_answer(b, x->http, &x->answer) < 0 ||
	    stream_write(x->stream, b->data, b->len) < 0)
		conn_close(x->conn, 0, "write failed");
	x->streams = true;
	if (x->http->head.method == HTTP1_HEAD)
		exchange_done(x);
	worker_scratch_done(x->conn->worker, b);
}

static bool is_chunked(const struct exchange *x)
{
	return x->answer.body == ANSWER_CHUNKED && !x->http->head.version_1_0;
}

static int write_chunk(struct exchange *x, const void *data, size_t len)
{
	struct buf *b = worker_scratch(x->conn->worker);
	int r = buf_printf(b, "%zx\r\n", len);

	if (r == 0)
		r = buf_put(b, data, len);
	if (r == 0)
		r = buf_puts(b, "\r\n");
	if (r == 0)
		r = stream_write(x->stream, b->data, b->len);
	worker_scratch_done(x->conn->worker, b);
	return r;
}

int exchange_write(struct conn *c, const void *data, size_t len)
{
	struct exchange *x = c->handle;

	if (!x)
		return -ENOTCONN;
	if (!x->streams)
		return buf_put(&x->text, data, len);
	if (x->http->head.method == HTTP1_HEAD)
		return 0;
	return is_chunked(x) ? write_chunk(x, data, len) : stream_write(x->stream, data, len);
}

/* --- the end */

/* What cannot be gone on from: who reads sees that the answer is not whole. */
static void break_off(struct http *h)
{
	http_answered(h, true);
}

/* Of an answer that a close has come before. */
static int status_of(enum close_code code)
{
	if (code == CLOSE_DELETED)
		return 404;
	return code > CLOSE_REPLACED ? 403 : 503;
}

void exchange_close(struct conn *c, enum close_code code, const char *reason)
{
	struct exchange *x = c->handle;
	struct http *h;
	struct answer a;
	bool chunked, ends;

	if (!x)
		return;
	h = x->http;
	http_back(h);
	/* What a proxy passes on is everybody's. */
	if (!h->stream->by_proxy)
		h->meter = meter_take(c);
	if (x->streams) {
		chunked = is_chunked(x) && h->head.method != HTTP1_HEAD;
		ends = http_closes(h, &x->answer);
		let_go(x);
		if (chunked && code != CLOSE_NORMAL)
			break_off(h);
		else if (chunked && stream_write(h->stream, LAST_CHUNK, strlen(LAST_CHUNK)) < 0)
			stream_abort(h->stream);
		else
			http_answered(h, ends);
		return;
	}
	a = x->answer;
	if (!a.status && code != CLOSE_NORMAL && code != CLOSE_RESTART)
		a = http_error(status_of(code), NULL, reason);
	else if (!a.status)
		a = http_error(503, "shutting_down", "the hub is shutting down");
	if (!a.text.p)
		a.text = (struct span){x->text.data, x->text.len};
	a.fields = fields_text(x);
	http_answer(h, a); /* h may be no more */
	let_go(x);
}

void exchange_peer(struct conn *c, struct address *a)
{
	const struct exchange *x = c->handle;

	peer_of(x->stream, a);
}

bool exchange_counts(struct conn *c, struct address *a)
{
	const struct exchange *x = c->handle;

	return gate_counts(x->stream, a);
}

int exchange_descriptor(const struct conn *c)
{
	const struct exchange *x = c->handle;

	return x ? x->stream->fd : -1;
}

void exchange_abort(struct conn *c)
{
	struct exchange *x = c->handle;

	if (x)
		stream_abort(x->stream);
}

void exchange_pause(struct conn *c, bool paused)
{
	struct exchange *x = c->handle;

	if (x)
		stream_pause(x->stream, paused);
}

void exchange_end(struct exchange *x)
{
	struct conn *c = x->conn;

	deliver_connection(c->worker, &c->flush);
	if (c->closing)
		seat_reap(c->worker, &c->reap);
}

/* --- the stream's user */

/* The next request has come too early. It stays where it is; that the peer ends is seen only when
 * it does not. */
size_t exchange_take(struct stream *s, unsigned char *p, unsigned char *end)
{
	(void)p;
	(void)end;
	stream_pause(s, true);
	return 0;
}

void exchange_writable(struct stream *s)
{
	struct exchange *x = s->owner;

	deliver_writable(x->conn);
}

void exchange_progress(struct stream *s)
{
	struct exchange *x = s->owner;

	conn_progress(x->conn);
}

void exchange_gone(struct stream *s)
{
	struct exchange *x = s->owner;

	http_free(x->http);
	let_go(x);
}
