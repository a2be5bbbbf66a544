/* WebSocket on a stream. Records leave as the frames that they are in the log; a message that comes
 * in pieces is put together in the connection's input, which exists only meanwhile. Of pings that
 * came together the last one is answered (RFC 6455 section 5.5.3 allows it). */
#include "door/ws.h"

#include <errno.h>
#include <string.h>

#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "door/gate_impl.h"
#include "door/peer.h"
#include "door/stream.h"
#include "member/member.h"
#include "wire/deflate.h"
#include "wire/utf8_stream.h"
#include "wire/websocket.h"

#define PONG_UNSENT (64 * 1024) /* bytes that wait for a peer whose pings are passed over then */
#define MOVES_BYTES 256		/* at a time: a message that is not whole yet shows life */

/* --- the door */

/* Nothing follows a close frame (section 5.5.1). */
static int ws_write(struct conn *c, const void *data, size_t len)
{
	if (c->said_close)
		return 0;
	return c->handle ? stream_write(c->handle, data, len) : -ENOTCONN;
}

static int ws_write_soon(struct conn *c, const void *data, size_t len)
{
	if (c->said_close)
		return 0;
	return c->handle ? stream_write_soon(c->handle, data, len) : -ENOTCONN;
}

static int ws_ping(struct conn *c)
{
	unsigned char frame[2];

	return ws_write(c, frame, websocket_put_ping(frame, NULL, 0));
}

static void ws_pause(struct conn *c, bool paused)
{
	if (c->handle)
		stream_pause(c->handle, paused);
}

/* The peer's answer ends the connection, or the timer in conn.c; where the peer is not to be
 * heard any more there will be no answer. */
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

static void ws_peer(struct conn *c, struct address *a)
{
	peer_of(c->handle, a);
}

static bool ws_counts(struct conn *c, struct address *a)
{
	return gate_counts(c->handle, a);
}

#define WS_DOOR(as, how)                                                                     \
	{                                                                                    \
		.counted = (as), .pings = true, .encoding = (how), .dialect = &hub7_dialect, \
		.write = ws_write, .write_soon = ws_write_soon, .ping = ws_ping,             \
		.pause = ws_pause, .close = ws_close, .abort = ws_abort, .peer = ws_peer,    \
		.counts = ws_counts,                                                         \
	}
#define DEFLATED_DOORS(as)                                                                  \
	{                                                                                   \
		WS_DOOR(as, &encoding_deflated[0]), WS_DOOR(as, &encoding_deflated[1]),     \
		    WS_DOOR(as, &encoding_deflated[2]), WS_DOOR(as, &encoding_deflated[3]), \
		    WS_DOOR(as, &encoding_deflated[4]), WS_DOOR(as, &encoding_deflated[5]), \
		    WS_DOOR(as, &encoding_deflated[6]),                                     \
	}

/* Each without TLS, and with. */
static const struct door doors[] = {WS_DOOR(COUNT_WS, &encoding_websocket),
				    WS_DOOR(COUNT_WSS, &encoding_websocket)};
static const struct door deflated_doors[][ENCODINGS_DEFLATED] = {DEFLATED_DOORS(COUNT_WS),
								 DEFLATED_DOORS(COUNT_WSS)};

/* --- the stream's user */

/* One that is not UTF-8 ends the connection (section 8.1). */
static void ws_message(struct conn *c, const char *text, size_t len)
{
	if (conn_receive(c, text, len) == HUB_BAD_TEXT)
		conn_close(c, CLOSE_BAD_TEXT, "text that is not UTF-8");
}

/* A deflated message. Memory is taken for no more than one that is as large as may be. */
static void ws_inflate(struct conn *c, const void *data, size_t len)
{
	struct worker *w = c->worker;
	struct buf text = {0};
	uint8_t utf8 = UTF8_STREAM_WHOLE;
	int r = deflation_undo(&w->members->deflation, data, len, w->conns->max_message, &text);
	const unsigned char *p = (const unsigned char *)text.data;

	counter_add(&w->counters, inflated, 1);
	if (r == -EMSGSIZE)
		conn_close(c, CLOSE_TOO_LARGE, "a message that is too large when it is inflated");
	else if (r == -ENOMEM)
		conn_close(c, CLOSE_INTERNAL, "out of memory");
	else if (r < 0)
		conn_close(c, CLOSE_BAD_TEXT, "what cannot be inflated");
	else if (text.len && (utf8_stream(&utf8, p, p + text.len) || utf8 != UTF8_STREAM_WHOLE))
		conn_close(c, CLOSE_BAD_TEXT, "text that is not UTF-8");
	else
		ws_message(c, text.len ? text.data : "", text.len);
	buf_free(&text);
}

static void ws_whole(struct conn *c, bool deflated, const char *data, size_t len)
{
	if (deflated)
		ws_inflate(c, data, len);
	else
		ws_message(c, data, len);
}

static void ws_data(struct conn *c, const struct websocket_piece *e)
{
	struct buf whole;
	int r;

	if (c->closing)
		return;
	if (!e->text) {
		conn_close(c, CLOSE_UNSUPPORTED, "text messages only");
		return;
	}
	if (e->first && e->last) {
		ws_whole(c, e->deflated, (const char *)e->data, e->len);
		return;
	}
	r = conn_part_put(c, e->data, e->len);
	if (r < 0) {
		conn_part_drop(c);
		conn_close(c, r == -ENOBUFS ? CLOSE_SLOW : CLOSE_INTERNAL,
			   r == -ENOBUFS ? CONN_OVER : "out of memory");
		return;
	}
	if (!e->last)
		return;
	whole = conn_part_take(c);
	ws_whole(c, e->deflated, whole.data, whole.len);
	buf_free(&whole);
}

static void ws_pong(struct stream *s, const void *data, size_t len)
{
	unsigned char frame[2 + WEBSOCKET_CONTROL_MAX];

	if (stream_waits(s) && s->more->unsent.len > PONG_UNSENT)
		return;
	stream_write(s, frame, websocket_put_pong(frame, data, len));
}

/* The peer's close (section 5.5.1). Where it is no answer to ours it is answered after all that is
 * due to the messages before it. */
static void ws_closed(struct stream *s, struct conn *c, uint16_t code)
{
	conn_part_drop(c);
	if (c->said_close)
		stream_finish(s);
	else
		deliver_finish(c, (enum close_code)code, "");
}

static void ws_failed(struct stream *s, struct conn *c, uint16_t code, const char *why)
{
	conn_part_drop(c);
	if (c->said_close)
		stream_finish(s);
	else
		conn_close(c, (enum close_code)code, why);
}

static size_t ws_take(struct stream *s, unsigned char *start, unsigned char *end)
{
	struct conn *c = s->owner;
	uint32_t limit = (uint32_t)c->worker->conns->max_message;
	unsigned char *p = start, pong[WEBSOCKET_CONTROL_MAX];
	enum websocket_event event = WEBSOCKET_MORE;
	struct websocket_piece e;
	size_t pong_len = 0;
	bool pinged = false;

	if ((size_t)(end - start) >= MOVES_BYTES)
		conn_heard(c);
	while (!s->paused && !c->failed &&
	       (event = websocket_read(&s->websocket, &p, end, limit, &e)) != WEBSOCKET_MORE) {
		switch (event) {
		case WEBSOCKET_DATA:
			ws_data(c, &e);
			break;
		case WEBSOCKET_PING:
			conn_heard(c);
			pinged = true;
			pong_len = e.len;
			memcpy(pong, e.data, e.len);
			break;
		case WEBSOCKET_CLOSE:
		case WEBSOCKET_FAILED:
			c->failed = true;
			break;
		case WEBSOCKET_PONG:
			conn_heard(c);
			break;
		case WEBSOCKET_MORE:
			break;
		}
	}
	/* What came before an end is as good as ever. */
	if (pinged)
		ws_pong(s, pong, pong_len);
	if (!c->failed)
		return (size_t)(p - start);
	if (event == WEBSOCKET_CLOSE)
		ws_closed(s, c, e.code);
	else if (event == WEBSOCKET_FAILED)
		ws_failed(s, c, e.code, e.why);
	return (size_t)(end - start);
}

static void ws_writable(struct stream *s)
{
	deliver_writable(s->owner);
}

static void ws_progress(struct stream *s)
{
	conn_progress(s->owner);
}

static void ws_held(struct stream *s, int r)
{
	conn_written(s->owner, r);
}

/* The peer's end. Without a close frame it is no end but a loss. */
static void ws_ended(struct stream *s)
{
	struct conn *c = s->owner;

	if (!c->failed)
		stream_abort(s);
}

/* Who is nobody has not shown a token in time. */
static void ws_late(struct stream *s)
{
	struct conn *c = s->owner;

	if (conn_identity(c) == &identity_none)
		conn_close(c, CLOSE_UNAUTHENTICATED, "no token was shown in time");
}

static void ws_gone(struct stream *s)
{
	conn_gone(s->owner);
}

static const struct stream_user ws_user = {
    .counted = {COUNT_WS, COUNT_WSS},
    .take = ws_take,
    .ended = ws_ended,
    .writable = ws_writable,
    .progress = ws_progress,
    .held = ws_held,
    .late = ws_late,
    .gone = ws_gone,
};

static const struct door *door_for(const struct stream *s, unsigned bits)
{
	bool tls = s->tls;

	return bits ? &deflated_doors[tls][bits - DEFLATE_BITS_MIN] : &doors[tls];
}

int ws_begin(struct stream *s, uint32_t born, struct identity *id, unsigned bits)
{
	struct conn *c = conn_new(s->worker, door_for(s, bits), s, born);
	enum hub_code code = HUB_OK;
	const char *why;

	if (!c)
		return -ENOMEM;
	if (id)
		code = member_identify(c, id, &why);
	if (code != HUB_OK || stream_deadline(s, id == &identity_none ? AUTHENTICATE_S : 0) < 0) {
		conn_gone(c);
		return code == HUB_HUB_FULL ? -EBUSY : -ENOMEM;
	}
	if (bits)
		websocket_deflates(&s->websocket);
	stream_use(s, &ws_user, c);
	if (c->door->dialect->opened)
		c->door->dialect->opened(c);
	return 0;
}
