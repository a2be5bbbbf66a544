/* Engine.IO over a WebSocket: a frame each packet, binary messages as they are. A session begins
 * with one, or goes on over one that its client has tried beside its polls: a probe. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "door/doors.h"
#include "door/engineio.h"
#include "door/gate_impl.h"
#include "door/peer.h"
#include "door/ws_upgrade.h"
#include "wire/websocket.h"
#include "wire/wsframe.h"

#define UPGRADE_S 10 /* for a client to go on over a WebSocket that it has opened */
#define PONG_UNSENT                                                                  \
	(64 * 1024) /* bytes that wait for a peer at which its pings are passed over \
		     */

/* A close frame, then the end. */
static void say_close(struct stream *s, enum close_code code, const char *reason)
{
	unsigned char frame[2 + WEBSOCKET_CONTROL_MAX];

	if (stream_write(s, frame, websocket_put_close(frame, (uint16_t)code, reason)) < 0)
		stream_abort(s);
}

static void answer_ping(struct stream *s, const struct websocket_piece *e)
{
	unsigned char frame[2 + WEBSOCKET_CONTROL_MAX];

	if (!stream_waits(s) || s->more->unsent.len <= PONG_UNSENT)
		stream_write(s, frame, websocket_put_pong(frame, e->data, e->len));
}

/* --- the carrier */

/* Nothing follows a close frame. */
static int ws_write(struct engineio *e, const void *data, size_t len)
{
	return e->conn->said_close ? 0 : stream_write(e->stream, data, len);
}

static int ws_write_soon(struct engineio *e, const void *data, size_t len)
{
	return e->conn->said_close ? 0 : stream_write_soon(e->stream, data, len);
}

static void ws_pause(struct engineio *e, bool paused)
{
	stream_pause(e->stream, paused);
}

/* The peer's answer ends the connection, or the timer in conn.c. */
static void ws_close(struct engineio *e, enum close_code code, const char *reason)
{
	struct conn *c = e->conn;

	if (c->said_close)
		return;
	c->said_close = true;
	say_close(e->stream, code, reason);
	if (c->failed && !e->ended)
		stream_finish(e->stream);
}

static void ws_abort(struct engineio *e)
{
	stream_abort(e->stream);
}

static void ws_peer(struct engineio *e, struct address *a)
{
	if (e->stream)
		peer_of(e->stream, a);
}

static bool ws_counts(struct engineio *e, struct address *a)
{
	return e->stream && gate_counts(e->stream, a);
}

static void ws_turn(struct engineio *e)
{
	(void)e;
}

static const struct engineio_carrier ws_carrier = {
    .write = ws_write,
    .write_soon = ws_write_soon,
    .pause = ws_pause,
    .close = ws_close,
    .abort = ws_abort,
    .peer = ws_peer,
    .counts = ws_counts,
    .turn = ws_turn,
    .ping = "\x81\x01"
	    "2",
    .ping_len = 3,
};

/* --- the stream's user */

/* A whole message. */
static void take_message(struct engineio *e, bool text, const char *data, size_t len)
{
	struct worker *w = e->conn->worker;
	struct buf *b;

	if (text) {
		engineio_receive(e, (struct http1_span){data, len});
		return;
	}
	b = worker_scratch(w);
	if (buf_reserve(b, 1 + base64_len(len)) < 0) {
		conn_close(e->conn, CLOSE_INTERNAL, "out of memory");
	} else {
		b->data[0] = 'b';
		b->len = 1 + base64_put(b->data + 1, data, len);
		engineio_receive(e, (struct http1_span){b->data, b->len});
	}
	worker_scratch_done(w, b);
}

static void take_data(struct engineio *e, const struct websocket_piece *piece)
{
	struct conn *c = e->conn;
	struct buf whole;
	int r;

	if (c->closing)
		return;
	if (piece->first && piece->last) {
		take_message(e, piece->text, (const char *)piece->data, piece->len);
		return;
	}
	r = conn_part_put(c, piece->data, piece->len);
	if (r < 0) {
		conn_part_drop(c);
		conn_close(c, r == -ENOBUFS ? CLOSE_SLOW : CLOSE_INTERNAL,
			   r == -ENOBUFS ? CONN_OVER : "out of memory");
		return;
	}
	if (!piece->last)
		return;
	whole = conn_part_take(c);
	take_message(e, piece->text, whole.data ? whole.data : "", whole.len);
	buf_free(&whole);
}

/* The peer's close, or what is none of a WebSocket: nothing more is taken. */
static void take_end(struct engineio *e, bool closed, const struct websocket_piece *piece)
{
	struct conn *c = e->conn;

	c->failed = true;
	conn_part_drop(c);
	if (c->said_close)
		stream_finish(e->stream);
	else if (closed)
		deliver_finish(c, (enum close_code)piece->code, "");
	else
		conn_close(c, (enum close_code)piece->code, piece->why);
}

static size_t ws_take(struct stream *s, unsigned char *start, unsigned char *end)
{
	struct engineio *e = s->owner;
	struct conn *c = e->conn;
	uint32_t limit = (uint32_t)c->worker->conns->max_message;
	enum websocket_event event;
	struct websocket_piece piece;
	unsigned char *p = start;

	while (!s->paused && !c->failed &&
	       (event = websocket_read(&s->websocket, &p, end, limit, &piece)) != WEBSOCKET_MORE) {
		if (event == WEBSOCKET_DATA)
			take_data(e, &piece);
		else if (event == WEBSOCKET_PING)
			answer_ping(s, &piece);
		else if (event == WEBSOCKET_CLOSE || event == WEBSOCKET_FAILED)
			take_end(e, event == WEBSOCKET_CLOSE, &piece);
	}
	return c->failed ? (size_t)(end - start) : (size_t)(p - start);
}

static void ws_writable(struct stream *s)
{
	struct engineio *e = s->owner;

	deliver_writable(e->conn);
}

static void ws_progress(struct stream *s)
{
	struct engineio *e = s->owner;

	conn_progress(e->conn);
}

static void ws_ended(struct stream *s)
{
	struct engineio *e = s->owner;

	if (!e->conn->failed)
		stream_abort(s);
}

static void ws_gone(struct stream *s)
{
	engineio_end(s->owner);
}

static void ws_held(struct stream *s, int r)
{
	struct engineio *e = s->owner;

	conn_written(e->conn, r);
}

static const struct stream_user ws_user = {
    .counted = {COUNT_SOCKETIO, COUNT_SOCKETIO},
    .take = ws_take,
    .ended = ws_ended,
    .writable = ws_writable,
    .progress = ws_progress,
    .held = ws_held,
    .gone = ws_gone,
};

/* A packet of Engine.IO's own, or one that is ready. */
static int put_frame(struct buf *out, struct http1_span packet)
{
	unsigned char header[WSFRAME_HEADER_MAX];
	int r = buf_put(out, header, wsframe_text(header, packet.len));

	return r == 0 ? buf_put(out, packet.p, packet.len) : r;
}

void engineio_ws_begin(struct http *h, struct identity *id, bool base64)
{
	struct stream *s = h->stream;
	struct http1_span key;
	struct engineio *e;
	struct buf *hello, *frame;

	if (!ws_check(h, &key))
		return;
	if (ws_agree(h, key, NULL) < 0 || !(e = engineio_new(s->worker, &ws_carrier, id, base64))) {
		stream_abort(s);
		return;
	}
	http_free(h);
	e->stream = s;
	stream_use(s, &ws_user, e);
	stream_deadline(s, 0);
	hello = worker_scratch(s->worker);
	frame = worker_scratch(s->worker);
	if (engineio_put_hello(e, hello) < 0 ||
	    put_frame(frame, (struct http1_span){hello->data, hello->len}) < 0)
		conn_close(e->conn, CLOSE_INTERNAL, "out of memory");
	else
		conn_queue(e->conn, frame->data, frame->len);
	worker_scratch_done(s->worker, frame);
	worker_scratch_done(s->worker, hello);
}

/* --- going on from polling */

/* What waits as packets of an answer, as frames. */
static int put_frames(struct buf *out, struct http1_span payload, bool base64)
{
	const struct encoding *encoding =
	    &encoding_packets[base64 ? PACKETS_TEXT : PACKETS_FRAMES][0];
	struct http1_span packet;
	int r = 0;

	while (r == 0 && payload.len && engineio_next(&payload, &packet)) {
		if (packet.len && *packet.p == 'b')
			r = encoding->message(out, packet.p, packet.len);
		else
			r = put_frame(out, packet);
	}
	return r;
}

static void go_on(struct engineio_probe *p)
{
	struct engineio *e = p->session;
	struct conn *c = e->conn;
	struct buf *b = worker_scratch(c->worker);

	e->probe = NULL;
	e->base64 = p->base64;
	e->stream = p->stream;
	engineio_poll_leave(e);
	if (put_frames(b, (struct http1_span){c->out.data, c->out.len}, p->base64) < 0)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	conn_requeue(c, b->data, b->len);
	worker_scratch_done(c->worker, b);
	stream_deadline(p->stream, 0);
	stream_use(p->stream, &ws_user, e);
	stream_pause(p->stream, c->paused);
	free(p);
	engineio_carry(e, &ws_carrier);
	conn_log(c, ERR_DEBUG, JOURNAL_come, "goes on over a WebSocket");
	deliver_writable(c);
}

static bool is(const struct engineio_probe *p, const char *want)
{
	return p->session && p->len == strlen(want) && memcmp(p->packet, want, p->len) == 0;
}

/* Ends a probe; its session goes on polling. */
static void end_probe(struct engineio_probe *p, enum close_code code, const char *why)
{
	struct stream *s = p->stream;

	if (p->session) {
		p->session->probe = NULL;
		engineio_poll_release(p->session, false);
		p->session = NULL;
	}
	say_close(s, code, why);
	if (s->fd >= 0)
		stream_finish(s);
}

/* A whole packet. False where the probe is no more. */
static bool take_probe_packet(struct engineio_probe *p)
{
	static const unsigned char pong[] = {0x81, 6, '3', 'p', 'r', 'o', 'b', 'e'};

	if (is(p, "2probe")) {
		stream_write(p->stream, pong, sizeof(pong));
		/* Until its poll returns the client holds back what it has to say. */
		engineio_poll_release(p->session, true);
		p->len = 0;
		return true;
	}
	if (is(p, "5") && !p->session->conn->closing)
		go_on(p);
	else
		end_probe(p, CLOSE_NORMAL, "");
	return false;
}

/* False where the probe is no more. */
static bool take_probe(struct engineio_probe *p, enum websocket_event event,
		       const struct websocket_piece *piece)
{
	if (event == WEBSOCKET_PING) {
		answer_ping(p->stream, piece);
		return true;
	}
	if (event == WEBSOCKET_PONG)
		return true;
	if (event == WEBSOCKET_DATA && piece->text && p->len + piece->len <= ENGINEIO_PROBE_MAX) {
		memcpy(p->packet + p->len, piece->data, piece->len);
		p->len += (uint8_t)piece->len;
		return piece->last ? take_probe_packet(p) : true;
	}
	end_probe(p, CLOSE_NORMAL, "");
	return false;
}

static size_t probe_take(struct stream *s, unsigned char *start, unsigned char *end)
{
	struct engineio_probe *p = s->owner;
	unsigned char *at = start;
	enum websocket_event event;
	struct websocket_piece piece;

	while ((event = websocket_read(&s->websocket, &at, end, WEBSOCKET_CONTROL_MAX, &piece)) !=
	       WEBSOCKET_MORE)
		if (!take_probe(p, event, &piece))
			break;
	return (size_t)(at - start);
}

static void probe_late(struct stream *s)
{
	end_probe(s->owner, CLOSE_NORMAL, "");
}

static void probe_gone(struct stream *s)
{
	struct engineio_probe *p = s->owner;

	if (p->session) {
		p->session->probe = NULL;
		engineio_poll_release(p->session, false);
	}
	free(p);
}

static const struct stream_user probe_user = {
    .counted = {COUNT_SOCKETIO, COUNT_SOCKETIO},
    .take = probe_take,
    .ended = stream_abort,
    .late = probe_late,
    .gone = probe_gone,
};

void engineio_ws_probe(struct engineio *e, struct http *h, bool base64)
{
	struct engineio_probe *p;
	struct stream *s = h->stream;
	struct http1_span key;
	/* Of a session that has a WebSocket, or tries one, clients see the end of this one. */
	bool taken = !e->polls || e->probe;

	if (!ws_check(h, &key))
		return;
	p = calloc(1, sizeof(*p));
	if (!p || ws_agree(h, key, NULL) < 0 || stream_deadline(s, UPGRADE_S) < 0) {
		free(p);
		stream_abort(s);
		return;
	}
	*p = (struct engineio_probe){.session = taken ? NULL : e, .stream = s, .base64 = base64};
	http_free(h);
	stream_use(s, &probe_user, p);
	if (taken)
		end_probe(p, CLOSE_NORMAL, "");
	else
		e->probe = p;
}
