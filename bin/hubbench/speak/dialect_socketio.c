/* Socket.IO 3 and later: Engine.IO 4 over WebSocket. The server speaks first, with "0" and the
 * session's parameters; then the client connects to a namespace. Sessions are rooms of the default
 * one, which are joined by an event without an answer, or namespaces. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "speak/dialect.h"
#include "speak/template.h"

/* Appends a packet's type and its namespace, in which {session} may be. */
static int put_head(struct buf *out, const char *type, const struct script *s)
{
	int r = buf_puts(out, type);

	if (r == 0 && s->space)
		r = buf_printf(out, s->sessions == 1 ? "/%s," : "/%s-{session},", s->space);
	return r;
}

static int put_event(struct buf *out, const struct script *s, const char *event)
{
	int r = put_head(out, "42", s);

	if (r == 0)
		r = buf_puts(out, "[");
	return r < 0 ? r : buf_put_json(out, event, strlen(event));
}

/* An event with the mark, or what --message says, as its only argument. */
static char *socketio_message(const struct script *s)
{
	const char *data = s->message ? s->message : "\"{mark}{pad}\"";
	struct buf out = {0};

	if (put_event(&out, s, s->event ? s->event : "message") < 0 ||
	    buf_printf(&out, ",%s]", data) < 0 || buf_put(&out, "", 1) < 0)
		buf_free(&out);
	return out.data;
}

/* Servers that know nothing of echo give everybody all. */
static int socketio_hello(const struct script *s, const struct dialect_client *c, struct buf *out)
{
	struct buf text = {0};
	char *mine = NULL;
	size_t len;
	int r = -ENOMEM;

	if (put_head(&text, "40", s) == 0 &&
	    buf_puts(&text, s->echo ? "{\"echo\":true}" : "") == 0 && buf_put(&text, "", 1) == 0)
		mine = template_for_session(text.data, c->session, &len);
	if (mine)
		r = buf_put(out, mine, len);
	free(mine);
	buf_free(&text);
	return r;
}

static int socketio_join(const struct script *s, const struct dialect_client *c, struct buf *out)
{
	char room[300];

	if (s->space || (!s->room && s->sessions == 1))
		return 0;
	if (s->sessions == 1)
		snprintf(room, sizeof(room), "%s", s->room);
	else
		snprintf(room, sizeof(room), "%s-%u", s->room ? s->room : "room", c->session);
	if (put_event(out, s, s->join_event ? s->join_event : "join") < 0 ||
	    buf_puts(out, ",") < 0 || buf_put_json(out, room, strlen(room)) < 0 ||
	    buf_puts(out, "]") < 0)
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
		return DIALECT_OPENED;
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
    .hello = socketio_hello,
    .join = socketio_join,
    .take = socketio_take,
};
