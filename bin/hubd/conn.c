/* Connections. Invariant: what is in `out` leaves before any record; a member's cursor only moves
 * over records that were handed to the transport, skipped as its own, or named in a gap. */
#include "conn.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "hub.h"
#include "watch.h"
#include "wire/wsframe.h"
#include "worker.h"

#define OUT_PAUSE (64 * 1024) /* bytes of answers at which a peer's input is stopped */
#define OUT_MAX (1024 * 1024) /* bytes at which a peer counts as slow, beside one message */

static uint32_t now_s(struct conn *c)
{
	return (uint32_t)(worker_now_ms(c->worker) / 1000);
}

struct conn *conn_new(struct worker *w, const struct transport *t, void *handle, uint32_t born)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->worker = w;
	c->transport = t;
	c->handle = handle;
	c->born = born;
	randombytes_buf(&c->id, sizeof(c->id));
	c->heard_s = now_s(c);
	worker_check_in(w, c, conn_check(c, c->heard_s));
	return c;
}

void conn_heard(struct conn *c)
{
	c->heard_s = now_s(c);
	c->pinged = false;
}

void conn_receive(struct conn *c, const char *text, size_t len)
{
	conn_heard(c);
	if (!c->closing)
		dispatch(c, text, len);
}

/* --- sending --- */

/* Acts on what transport->write returned; true where more may be written. */
static bool conn_wrote(struct conn *c, int r, size_t len)
{
	worker_count(c->worker, sent_bytes, len);
	if (r == 0)
		return true;
	if (r < 0) {
		conn_close(c, 0, "write failed");
		return false;
	}
	c->blocked = true;
	c->blocked_s = now_s(c);
	worker_check_in(c->worker, c, conn_check(c, c->blocked_s));
	return false;
}

/* Closes a connection whose peer has said all it will, once it has got all that is due to it. */
static void conn_end_if_done(struct conn *c)
{
	const struct member *m;

	if (c->closing || c->blocked || c->out.len)
		return;
	for (m = c->members; m; m = m->conn_next)
		if (m->acks_due)
			return;
	if (c->watching && watch_behind(c))
		return;
	conn_close(c, CLOSE_NORMAL, "end of input");
}

void conn_flush(struct conn *c)
{
	if (c->closing || c->blocked || !c->out.len)
		return;
	conn_wrote(c, c->transport->write(c, c->out.data, c->out.len), c->out.len);
	buf_free(&c->out);
	if (c->paused && !c->closing) {
		c->paused = false;
		c->transport->pause(c, false);
	}
}

void conn_send(struct conn *c, const char *json, size_t len)
{
	if (c->closing)
		return;
	if (c->transport->frame(&c->out, json, len) < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	worker_flush_later(c->worker, c);
	if (c->out.len > OUT_PAUSE && !c->paused) {
		c->paused = true;
		c->transport->pause(c, true);
	}
	if (c->out.len > OUT_MAX + (size_t)c->worker->hub->opt.max_message) {
		worker_count(c->worker, slow_disconnects, 1);
		conn_close(c, CLOSE_SLOW, "too slow: too many messages wait to be read");
	}
}

void conn_error(struct conn *c, enum hub_code code, const char *message, struct span msg_id)
{
	struct buf *b = &c->worker->answer;

	worker_count(c->worker, errors, 1);
	b->len = 0;
	if (buf_printf(b, "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":",
		       hub_code_name(code)) < 0 ||
	    buf_put_json(b, message, strlen(message)) < 0 || buf_puts(b, "}") < 0 ||
	    (msg_id.p &&
	     (buf_puts(b, ",\"msg_id\":") < 0 || buf_put(b, msg_id.p, msg_id.len) < 0)) ||
	    buf_puts(b, "}") < 0)
		return;
	conn_send(c, b->data, b->len);
}

/* The records [from, to) of chunk as t wants them, without those of sender `skip` (0: all of them),
 * in a buffer of the worker's that is good until the next call. */
static const struct buf *reframe(struct worker *w, const struct transport *t,
				 const struct chunk *chunk, uint64_t from, uint64_t to,
				 uint64_t skip)
{
	struct buf *b = &w->reframed;
	uint64_t seq;

	/* Members in step with each other want the same bytes. */
	if (!skip && !t->websocket && w->reframed_chunk == chunk && w->reframed_from == from &&
	    w->reframed_to == to)
		return b;
	b->len = 0;
	w->reframed_chunk = NULL;
	for (seq = from; seq < to; seq++) {
		const struct slot *slot = chunk_slot(chunk, seq - chunk->first);
		const unsigned char *frame = chunk->data + slot->offset;
		size_t header = t->websocket ? 0 : wsframe_header_len(frame);
		int r;

		if (skip && slot->sender == skip)
			continue;
		if (t->websocket)
			r = buf_put(b, frame, slot->len);
		else
			r = t->frame(b, (const char *)frame + header, slot->len - header);
		if (r < 0)
			return NULL;
	}
	if (!skip && !t->websocket)
		w->reframed_chunk = chunk;
	w->reframed_from = from;
	w->reframed_to = to;
	return b;
}

/* Writes the records from *cursor on, up to the end of the chunk they are in and the head of the
 * view, without those of sender `skip` (0: all of them). */
static bool conn_write_span(struct conn *c, struct log_view *view, uint64_t *cursor, uint64_t skip)
{
	const struct chunk *chunk =
	    view->hint && view->hint->first <= *cursor ? view->hint : view->chunk;
	const void *data;
	uint64_t end;
	size_t len;

	chunk = view->hint = chunk_find(chunk, *cursor);
	end = chunk->first + atomic_load_explicit(&chunk->n, memory_order_relaxed);
	if (end > view->head + 1)
		end = view->head + 1;
	if (c->transport->websocket && !skip) {
		const struct slot *first = chunk_slot(chunk, *cursor - chunk->first);
		const struct slot *last = chunk_slot(chunk, end - 1 - chunk->first);

		data = chunk->data + first->offset;
		len = last->offset + last->len - first->offset;
	} else {
		const struct buf *b = reframe(c->worker, c->transport, chunk, *cursor, end, skip);

		if (!b) {
			conn_close(c, CLOSE_INTERNAL, "out of memory");
			return false;
		}
		data = b->data;
		len = b->len;
	}
	*cursor = end;
	return len == 0 || conn_wrote(c, c->transport->write(c, data, len), len);
}

/* Writes the state records that m gets before its next record; true where it has had them all. */
static bool conn_catch_up(struct conn *c, struct member *m)
{
	struct catchup *up = m->catchup;
	struct log_view view = {.chunk = up->chunk, .tail = 1, .head = up->n};

	while (up->at <= up->n)
		if (!conn_write_span(c, &view, &up->at, up->skip))
			break;
	c->worker->reframed_chunk = NULL; /* it may be gone before the next one is at its place */
	if (up->at <= up->n)
		return false;
	chunk_unref(up->chunk);
	free(up);
	m->catchup = NULL;
	return !c->closing && !c->blocked;
}

void conn_gap(struct conn *c, const struct member *m, uint64_t from, uint64_t to)
{
	struct buf *b = &c->worker->answer;

	b->len = 0;
	if (buf_printf(b,
		       "{\"type\":\"gap\",\"session_id\":\"%s\",\"from_seq\":%ju,\"to_seq\":%ju}",
		       m->session->id, (uintmax_t)from, (uintmax_t)to) < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	else
		conn_send(c, b->data, b->len);
}

/* m's next records are no longer in the log. True where it may go on. */
static bool conn_overtaken(struct conn *c, struct member *m)
{
	uint64_t from = m->cursor, to;
	int r;

	if (c->worker->hub->opt.slow == SLOW_RESYNC) {
		if (c->blocked)
			return false; /* until it reads, or the write timeout ends it */
		r = session_resync(m, &to);
		if (r == 0) {
			worker_count(c->worker, slow_resyncs, 1);
			conn_gap(c, m, from, to);
			conn_flush(c);
			return !c->closing && !c->blocked;
		}
	}
	worker_count(c->worker, slow_disconnects, 1);
	conn_close(c, CLOSE_SLOW, "too slow: fell behind the session's history");
	return false;
}

void conn_flush_member(struct conn *c, struct member *m, struct log_view *view)
{
	if (c->closing)
		return;
	conn_flush(c);
	for (;;) {
		if (c->closing)
			return;
		if (c->blocked) {
			/* Who stalls is found out here, where nothing but the log could help. */
			if (m->cursor < view->tail && !m->catchup && !c->worker->hub->store)
				conn_overtaken(c, m);
			return;
		}
		if (m->catchup && !conn_catch_up(c, m))
			return;
		if (m->cursor >= view->tail)
			break;
		if (session_read_back(m, view->tail) < 0 && !conn_overtaken(c, m))
			return;
	}
	while (m->cursor <= view->head) {
		uint64_t skip = !m->echo && m->own >= m->cursor ? c->id : 0;

		if (!conn_write_span(c, view, &m->cursor, skip))
			return;
	}
}

/* Returns the session's head. */
static uint64_t flush_to_head(struct conn *c, struct member *m)
{
	struct log_view view;

	session_view(m->session, m->cursor, &view);
	conn_flush_member(c, m, &view);
	chunk_unref(view.chunk);
	/* The view may have been the last to hold the chunk that was reframed. */
	c->worker->reframed_chunk = NULL;
	return view.head;
}

void conn_flush_all(struct conn *c)
{
	struct member *m;

	conn_flush(c);
	while (c->watching && !c->closing && !c->blocked && watch_next(c))
		conn_flush(c);
	for (m = c->members; m && !c->closing && !c->blocked; m = m->conn_next)
		flush_to_head(c, m);
	if (c->finishing)
		conn_end_if_done(c);
}

void conn_finish_member(struct conn *c, struct member *m)
{
	uint64_t head = flush_to_head(c, m);

	if (!c->closing && m->cursor <= head)
		conn_gap(c, m, m->cursor, head);
}

void conn_progress(struct conn *c)
{
	if (c && !c->closing)
		c->blocked_s = now_s(c);
}

void conn_writable(struct conn *c)
{
	if (c->closing)
		return;
	if (c->blocked)
		conn_heard(c); /* who takes what was sent lives */
	c->blocked = false;
	conn_flush_all(c);
}

/* --- ending --- */

void conn_finish(struct conn *c)
{
	if (c->closing)
		return;
	c->finishing = true;
	conn_flush_all(c);
}

void conn_abort(struct conn *c)
{
	conn_close(c, 0, "aborted");
	c->code = 0;
	if (c->told && !c->gone)
		c->transport->abort(c);
}

void conn_close(struct conn *c, enum close_code code, const char *reason)
{
	if (c->closing)
		return;
	c->closing = true;
	c->code = (uint16_t)code;
	c->reason = reason;
	worker_reap_later(c->worker, c);
}

void conn_gone(struct conn *c)
{
	c->gone = true;
	c->closing = true;
	c->handle = NULL;
	worker_reap_later(c->worker, c);
}

bool conn_reap(struct conn *c)
{
	while (c->members) {
		struct member *m = c->members;

		c->members = m->conn_next;
		session_leave(m);
		free(m);
	}
	watch_stop(c);
	if (c->gone) {
		worker_uncheck(c);
		blob_unref(c->info);
		buf_free(&c->out);
		buf_free(&c->in);
		free(c);
		return true;
	}
	if (c->told)
		return false;
	c->told = true;
	if (!c->code) {
		c->transport->abort(c);
		return false;
	}
	if (!c->blocked && c->out.len)
		c->blocked = c->transport->write(c, c->out.data, c->out.len) != 0;
	buf_free(&c->out);
	if (c->paused)
		c->transport->pause(c, false); /* its answer to our close is to be heard */
	c->blocked_s = now_s(c);
	worker_check_in(c->worker, c, conn_check(c, c->blocked_s));
	c->transport->close(c, c->code, c->reason);
	return false;
}

static uint32_t seconds_until(uint32_t since_s, double after, uint32_t at_s)
{
	uint32_t due = since_s + (uint32_t)(after + 0.999);

	return due > at_s ? due - at_s : 0;
}

uint32_t conn_check(struct conn *c, uint32_t at_s)
{
	const struct hub_options *opt = &c->worker->hub->opt;
	uint32_t next = UINT32_MAX, left;

	if (c->closing || c->blocked) {
		next = seconds_until(c->blocked_s, opt->write_timeout, at_s);
		if (next == 0) {
			if (c->closing) {
				c->transport->abort(c);
				return 1;
			}
			worker_count(c->worker, dead, 1);
			conn_close(c, 0, "write timeout");
			return 1;
		}
	}
	if (c->blocked && !c->closing && c->transport->hung_up) {
		if (c->transport->hung_up(c)) {
			conn_close(c, 0, "the peer is gone");
			return 1;
		}
		next = 1;
	}
	if (c->closing || !c->transport->pings || opt->ping <= 0)
		return next;
	left = seconds_until(c->heard_s, opt->pong, at_s);
	if (left == 0) {
		worker_count(c->worker, dead, 1);
		conn_close(c, 0, "no sign of life");
		return 1;
	}
	next = left < next ? left : next;
	left = seconds_until(c->heard_s, opt->ping, at_s);
	if (left == 0 && c->blocked) {
		next = 1;
	} else if (left == 0 && !c->pinged) {
		c->pinged = true;
		conn_wrote(c, c->transport->ping(c), 0);
	} else if (left) {
		next = left < next ? left : next;
	}
	return next;
}
