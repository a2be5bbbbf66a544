/* Socket.IO 3 and later: Engine.IO 4 over WebSocket, the default namespace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "conn.h"
#include "dialect.h"
#include "member.h"

static void put_event(struct buf *out, const char *event)
{
	if (buf_puts(out, "42[") < 0 || buf_put_json(out, event, strlen(event)) < 0)
		err_die(EX_OSERR, "out of memory");
}

/* An event with the mark, or what --message says, as its only argument. */
static char *socketio_message(const struct run *r)
{
	const char *data = r->o->message ? r->o->message : "\"{mark}{pad}\"";
	struct buf out = {0};

	put_event(&out, r->o->event ? r->o->event : "message");
	if (buf_printf(&out, ",%s]", data) < 0 || buf_put(&out, "", 1) < 0)
		err_die(EX_OSERR, "out of memory");
	return out.data;
}

static void socketio_open(struct loop *l, struct conn *c)
{
	/* The server speaks first: "0" and the session's parameters. */
	(void)l;
	(void)c;
}

/* Where rooms are asked for, there is no answer to that. */
static void socketio_connected(struct loop *l, struct conn *c)
{
	const struct options *o = l->run->o;
	struct buf out = {0};
	char room[300];

	if (o->room || l->run->sessions > 1) {
		snprintf(room, sizeof(room), "%s%s%u", o->room ? o->room : "room",
			 l->run->sessions > 1 ? "-" : "", c->session);
		if (l->run->sessions == 1)
			room[strlen(room) - 1] = '\0';
		put_event(&out, o->join_event ? o->join_event : "join");
		if (buf_puts(&out, ",") < 0 || buf_put_json(&out, room, strlen(room)) < 0 ||
		    buf_puts(&out, "]") < 0)
			err_die(EX_OSERR, "out of memory");
		conn_send(l, c, out.data, out.len);
		buf_free(&out);
	}
	if (c->fd >= 0)
		member_joined(l, c, true);
}

static void socketio_take(struct loop *l, struct conn *c, const char *p, size_t len)
{
	if (len >= 2 && p[0] == '4' && p[1] == '2') {
		if (!dialect_take_marks(l, c, p, len))
			l->audit.unknown++;
	} else if (len && p[0] == '2') {
		conn_send(l, c, "3", 1);
	} else if (len && p[0] == '0') {
		conn_send(l, c, "40", 2);
	} else if (len >= 2 && p[0] == '4' && p[1] == '0' && c->state == CONN_JOINING) {
		socketio_connected(l, c);
	} else if (len >= 2 && p[0] == '4' && p[1] == '4') {
		char why[100];

		snprintf(why, sizeof(why), "%.*s", (int)(len < 90 ? len : 90), p);
		conn_refuse(l, c, why);
	}
}

const struct dialect dialect_socketio = {
    .name = "socketio",
    .path = "/socket.io/?EIO=4&transport=websocket",
    .message = socketio_message,
    .open = socketio_open,
    .take = socketio_take,
};
