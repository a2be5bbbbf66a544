/* Connections whose peer is a buffer: a door that writes to it, and a dialect that records what it
 * takes. */
#ifndef HUBD_TEST_CONN_STUB_H
#define HUBD_TEST_CONN_STUB_H

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "conn/conn.h"
#include "conn/encoding.h"
#include "hubd/loop_stub.h"

/* What became of a connection, what it was sent, and what it said: whole messages, a line each. */
struct peer {
	struct conn *conn; /* NULL once it is gone */
	struct buf got, said;
	bool stalled; /* takes one more write, then nothing until peer_resume() */
	bool waiting;
	bool dead;  /* writes fail */
	bool stays; /* closing it takes until peer_gone() */
	bool paused;
	unsigned pings, writes, aborts;
	int code; /* of the close; -1 after an abort */
	const char *reason;
	/* Where not NULL: what taking a message does, and returns. */
	enum hub_code (*take)(struct peer *p, const char *text, size_t len);
};

/* --- the door --- */

static inline int peer_write(struct conn *c, const void *data, size_t len)
{
	struct peer *p = c->handle;

	stub_need(p != NULL, "written to after it was gone");
	if (p->dead)
		return -EPIPE;
	stub_need(!p->waiting, "written to while it is blocked");
	stub_need(buf_put(&p->got, data, len) == 0, "out of memory");
	p->writes++;
	p->waiting = p->stalled;
	return p->waiting;
}

static inline int peer_ping(struct conn *c)
{
	struct peer *p = c->handle;

	if (p->dead)
		return -EPIPE;
	p->pings++;
	p->waiting = p->stalled;
	return p->waiting;
}

static inline void peer_pause(struct conn *c, bool paused)
{
	struct peer *p = c->handle;

	if (p)
		p->paused = paused;
}

static inline void peer_gone(struct peer *p)
{
	struct conn *c = p->conn;

	p->conn = NULL;
	if (c)
		conn_gone(c);
}

static inline void peer_close(struct conn *c, enum close_code code, const char *reason)
{
	struct peer *p = c->handle;

	stub_need(p && p->code == 0, "closed twice");
	p->code = (int)(unsigned)code;
	p->reason = reason;
	if (!p->stays)
		peer_gone(p);
}

static inline void peer_abort(struct conn *c)
{
	struct peer *p = c->handle;

	if (!p)
		return;
	p->aborts++;
	p->code = -1;
	peer_gone(p);
}

/* A door to peers, with that encoding and dialect. */
#define PEER_DOOR(door_encoding, door_dialect)                                                     \
	{                                                                                          \
		.counted = COUNT_WSS, .trusted = true, .pings = true, .encoding = (door_encoding), \
		.dialect = (door_dialect), .write = peer_write, .ping = peer_ping,                 \
		.pause = peer_pause, .close = peer_close, .abort = peer_abort                      \
	}

/* --- the dialect --- */

static inline enum hub_code peer_take(struct conn *c, const char *text, size_t len)
{
	struct peer *p = c->handle;

	if (p)
		stub_need(buf_put(&p->said, text, len) == 0 && buf_puts(&p->said, "\n") == 0,
			  "out of memory");
	return p && p->take ? p->take(p, text, len) : HUB_OK;
}

static inline int peer_error(struct buf *out, enum hub_code code, const char *message,
			     struct span msg_id)
{
	return buf_printf(out, "error %s %.*s: %s", hub_code_name(code),
			  msg_id.p ? (int)msg_id.len : 0, msg_id.p ? msg_id.p : "", message);
}

static const struct dialect peer_dialect = {.take = peer_take, .error = peer_error};
static const struct door peer_door = PEER_DOOR(&encoding_lines, &peer_dialect);

/* --- what peers do --- */

static inline void peer_open(struct peer *p, struct worker *w, const struct door *door)
{
	*p = (struct peer){0};
	p->conn = conn_new(w, door, p, 0);
	stub_need(p->conn != NULL, "no connection");
}

static inline enum hub_code peer_say(struct peer *p, const char *text)
{
	size_t len = strlen(text);
	enum hub_code code = HUB_OK;
	/* Of the exact size, so that a read behind it is seen. */
	char *copy = malloc(len ? len : 1);

	stub_need(copy != NULL, "out of memory");
	memcpy(copy, text, len);
	if (p->conn)
		code = conn_receive(p->conn, copy, len);
	free(copy);
	return code;
}

/* Takes what was sent before: true where it is exactly that. */
static inline bool buf_take(struct buf *b, const char *want)
{
	bool same = b->len == strlen(want) && (!b->len || memcmp(b->data, want, b->len) == 0);

	if (!same)
		fprintf(stderr, "# got: %.*s\n# want: %s\n", (int)b->len, b->data ? b->data : "",
			want);
	b->len = 0;
	return same;
}

static inline bool peer_got(struct peer *p, const char *want)
{
	return buf_take(&p->got, want);
}

static inline bool peer_said(struct peer *p, const char *want)
{
	return buf_take(&p->said, want);
}

/* Whether text is among what it was sent. */
static inline bool peer_has(const struct peer *p, const char *text)
{
	return p->got.len && memmem(p->got.data, p->got.len, text, strlen(text)) != NULL;
}

static inline void peer_free(struct peer *p)
{
	buf_free(&p->got);
	buf_free(&p->said);
}

/* --- workers with nothing but connections --- */

static inline void conn_stub_flush(struct worker *w, struct turn_entry *e)
{
	(void)w;
	conn_flush((struct conn *)(void *)((char *)e - offsetof(struct conn, flush)));
}

static inline void conn_stub_reap(struct worker *w, struct turn_entry *e)
{
	(void)w;
	conn_end((struct conn *)(void *)((char *)e - offsetof(struct conn, reap)));
}

static inline struct worker_hooks conn_stub_hooks(void)
{
	struct worker_hooks hooks = loop_stub_hooks();

	hooks.step[TURN_CONNECTIONS] = conn_stub_flush;
	hooks.step[TURN_REAP] = conn_stub_reap;
	hooks.step[TURN_RESUME] = meter_resume;
	hooks.due = conn_due;
	hooks.abort = conns_abort;
	return hooks;
}

#endif
