/* WebSocket on a stream. Records leave as the frames that they are in the log; a message that comes
 * in pieces is put together in the connection's input, which exists only meanwhile. Of pings that
 * came together the last one is answered (RFC 6455 section 5.5.3 allows it). */
#include "door/ws.h"

#include <errno.h>
#include <string.h>

#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "door/stream.h"
#include "member/member.h"
#include "wire/websocket.h"

#define PONG_UNSENT                                                                  \
	(64 * 1024) /* bytes that wait for a peer at which its pings are passed over \
		     */

/* --- the door */

/* Nothing follows a close frame (section 5.5.1). */
static int ws_write(struct conn *c, const void *data, size_t len)
{
	if (c->said_close)
		return 0;
	return c->handle ? stream_write(c->handle, data, len) : -ENOTCONN;
}

static int ws_ping(struct conn *c)
{
	return ws_write(c, "\x89\x00", 2);
}

static void ws_pause(struct conn *c, bool paused)
{
	if (c->handle)
		stream_pause(c->handle, paused);
}

/* The peer's answer ends the connection, or the timer in conn.c; where the peer is not to be
 * understood any more there will be no answer. */
static void ws_close(struct conn *c, enum close_code code, const char *reason)
{
	unsigned char frame[2 + WEBSOCKET_CONTROL_MAX];

	if (!c->handle || c->said_close)
		return;
	c->said_close = true;
	if (stream_write(c->handle, frame, websocket_put_close(frame, (uint16_t)code, reason)) < 0)
		stream_abort(c->handle);
	else if (c->failed)
		stream_finish(c->handle);
}

static void ws_abort(struct conn *c)
{
	if (c->handle)
		stream_abort(c->handle);
}

static const struct door ws_door = {
    .name = "ws",
    .pings = true,
    .utf8 = true,
    .encoding = &encoding_websocket,
    .dialect = &hub7_dialect,
    .write = ws_write,
    .ping = ws_ping,
    .pause = ws_pause,
    .close = ws_close,
    .abort = ws_abort,
};

/* --- the stream's user */

static void ws_data(struct conn *c, const struct websocket_piece *e)
{
	struct buf *part, whole;

	if (c->closing)
		return;
	if (!e->text) {
		conn_close(c, CLOSE_UNSUPPORTED, "text messages only");
		return;
	}
	if (e->first && e->last) {
		conn_receive(c, (const char *)e->data, e->len);
		return;
	}
	part = conn_part(c);
	if (!part || buf_put(part, e->data, e->len) < 0) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return;
	}
	if (!e->last)
		return;
	whole = *part;
	*part = (struct buf){0};
	conn_part_done(c);
	conn_receive(c, whole.data, whole.len);
	buf_free(&whole);
}

static void ws_pong(struct stream *s, const void *data, size_t len)
{
	unsigned char frame[2 + WEBSOCKET_CONTROL_MAX];

	if (stream_waits(s) && s->more->unsent.len > PONG_UNSENT)
		return;
	stream_write(s, frame, websocket_put_pong(frame, data, len));
}

/* The peer's close: answered, if it is not itself an answer; then it is over (section 5.5.1). */
static void ws_closed(struct stream *s, struct conn *c, uint16_t code)
{
	unsigned char frame[2 + WEBSOCKET_CONTROL_MAX];

	if (!c->said_close)
		stream_write(s, frame, websocket_put_close(frame, code, ""));
	c->said_close = true;
	conn_close(c, CLOSE_NORMAL, "closed by the peer"); /* it leaves now, whatever waits */
	stream_finish(s);
}

static size_t ws_take(struct stream *s, unsigned char *start, unsigned char *end)
{
	struct conn *c = s->owner;
	uint32_t limit = (uint32_t)c->worker->conns->max_message;
	unsigned char *p = start, pong[WEBSOCKET_CONTROL_MAX];
	enum websocket_event event;
	struct websocket_piece e;
	size_t pong_len = 0;
	bool pinged = false;

	conn_heard(c);
	while (!s->paused &&
	       (event = websocket_read(&s->websocket, &p, end, limit, &e)) != WEBSOCKET_MORE) {
		switch (event) {
		case WEBSOCKET_DATA:
			ws_data(c, &e);
			break;
		case WEBSOCKET_PING:
			pinged = true;
			pong_len = e.len;
			memcpy(pong, e.data, e.len);
			break;
		case WEBSOCKET_CLOSE:
			ws_closed(s, c, e.code);
			return (size_t)(end - start);
		case WEBSOCKET_FAILED:
			/* What came before is as good as ever. */
			if (pinged)
				ws_pong(s, pong, pong_len);
			c->failed = true;
			conn_part_done(c);
			if (c->closing && c->said_close)
				stream_finish(s);
			else
				conn_close(c, (enum close_code)e.code, e.why);
			return (size_t)(end - start);
		case WEBSOCKET_PONG:
		case WEBSOCKET_MORE:
			break;
		}
	}
	if (pinged)
		ws_pong(s, pong, pong_len);
	return (size_t)(p - start);
}

static void ws_writable(struct stream *s)
{
	deliver_writable(s->owner);
}

static void ws_progress(struct stream *s)
{
	conn_progress(s->owner);
}

static void ws_gone(struct stream *s)
{
	conn_gone(s->owner);
}

static const struct stream_user ws_user = {
    .take = ws_take,
    .ended = stream_abort, /* without a close frame it is no end but a loss */
    .writable = ws_writable,
    .progress = ws_progress,
    .gone = ws_gone,
};

int ws_begin(struct stream *s, uint32_t born)
{
	struct conn *c = conn_new(s->worker, &ws_door, s, born);

	if (!c)
		return -ENOMEM;
	stream_deadline(s, 0);
	stream_use(s, &ws_user, c);
	return 0;
}
