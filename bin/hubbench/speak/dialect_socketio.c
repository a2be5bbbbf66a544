/* Socket.IO 3 and later: Engine.IO 4 over WebSocket, the default namespace. The server speaks
 * first, with "0" and the session's parameters; to join a room is an event without an answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "speak/dialect.h"

static int put_event(struct buf *out, const char *event)
{
	int r = buf_puts(out, "42[");

	return r < 0 ? r : buf_put_json(out, event, strlen(event));
}

/* An event with the mark, or what --message says, as its only argument. */
static char *socketio_message(const struct script *s)
{
	const char *data = s->message ? s->message : "\"{mark}{pad}\"";
	struct buf out = {0};

	if (put_event(&out, s->event ? s->event : "message") < 0 ||
	    buf_printf(&out, ",%s]", data) < 0 || buf_put(&out, "", 1) < 0)
		buf_free(&out);
	return out.data;
}

static int socketio_join(const struct script *s, const struct dialect_client *c, struct buf *out)
{
	char room[300];

	if (!s->room && s->sessions == 1)
		return 0;
	if (s->sessions == 1)
		snprintf(room, sizeof(room), "%s", s->room);
	else
		snprintf(room, sizeof(room), "%s-%u", s->room ? s->room : "room", c->session);
	if (put_event(out, s->join_event ? s->join_event : "join") < 0 || buf_puts(out, ",") < 0 ||
	    buf_put_json(out, room, strlen(room)) < 0 || buf_puts(out, "]") < 0)
		return -ENOMEM;
	return 1;
}

static enum dialect_got say(struct dialect_news *news, const char *text)
{
	news->p = text;
	news->len = strlen(text);
	return DIALECT_SAY;
}

static enum dialect_got socketio_take(const struct script *s, const char *p, size_t len,
				      struct dialect_news *news)
{
	char engine = len ? p[0] : '\0', socket = len >= 2 ? p[1] : '\0';

	if (engine == '4' && socket == '2') {
		news->p = script_first_mark(s, p, len);
		return news->p ? DIALECT_MARKS : DIALECT_UNKNOWN;
	}
	if (engine == '2')
		return say(news, "3");
	if (engine == '0')
		return say(news, "40");
	if (engine == '4' && socket == '0')
		return DIALECT_GREETED;
	if (engine == '4' && socket == '4') {
		news->p = p;
		news->len = len < 90 ? len : 90;
		return DIALECT_DENIED;
	}
	return DIALECT_NOTHING;
}

const struct dialect dialect_socketio = {
    .name = "socketio",
    .path = "/socket.io/?EIO=4&transport=websocket",
    .greets = true,
    .events = true,
    .message = socketio_message,
    .join = socketio_join,
    .take = socketio_take,
};
