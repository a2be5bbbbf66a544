/* One connection, whatever its transport: who it is, where it is a member, what waits to be sent.
 *
 * A connection belongs to one worker and is touched by its thread only. It is open, then closing
 * (conn_close() was called: it takes no more input), then gone (the transport has let go of it),
 * and is freed at the end of the loop turn, never inside a callback. */
#ifndef HUBD_CONN_H
#define HUBD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "session.h"

/* WebSocket close codes (RFC 6455 section 7.4.1 and the IANA registry). */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_UNSUPPORTED = 1003, /* a binary message */
	CLOSE_BAD_TEXT = 1007,	  /* not UTF-8 */
	CLOSE_TOO_LARGE = 1009,
	CLOSE_INTERNAL = 1011,
	CLOSE_RESTART = 1012,
	CLOSE_SLOW = 1013,
	CLOSE_REPLACED = 4000, /* private use: the client resumed on another connection */
};

/* What a transport does for a connection. One table per transport. */
struct transport {
	const char *name;
	bool trusted;	/* its peers may ask for what is not everybody's to know */
	bool websocket; /* takes the log's frames as they are; else one line per record */
	bool pings;	/* has a ping of its own to tell whether the peer lives */

	/* Sends bytes that are framed for this transport. Takes all of them or none: returns 0, 1
	 * where the rest waits inside the transport (conn_writable() follows when it has left), or
	 * -errno where the connection is dead. */
	int (*write)(struct conn *c, const void *data, size_t len);
	/* Appends one JSON text, framed, to out. Returns 0 or -ENOMEM. */
	int (*frame)(struct buf *out, const char *json, size_t len);
	int (*ping)(struct conn *c);		    /* as write */
	void (*pause)(struct conn *c, bool paused); /* stops and starts reading */
	/* Where not NULL: whether the peer of a blocked connection has gone. */
	bool (*hung_up)(struct conn *c);
	/* Says code and reason to the peer as far as it still listens, then closes; conn_gone()
	 * follows. */
	void (*close)(struct conn *c, enum close_code code, const char *reason);
	/* Closes at once, saying nothing; conn_gone() follows. */
	void (*abort)(struct conn *c);
};

struct conn {
	struct worker *worker;
	const struct transport *transport;
	void *handle; /* the transport's */
	uint64_t id;
	struct member *members; /* latest joined first: the default session of its messages */
	struct blob *info;
	struct buf out; /* answers and direct messages, framed; sent before records */
	struct buf in;	/* the front of a message that has not come whole */

	struct conn *flush_next; /* the worker's list of connections with something in `out` */
	struct conn *reap_next;	 /* the worker's list of connections that are closing */
	struct conn *wheel_next; /* the worker's timer wheel */
	struct conn **wheel_link;

	uint32_t heard_s;   /* monotonic seconds: the last sign of life */
	uint32_t blocked_s; /* since when the transport has been holding bytes back */
	uint32_t born;	    /* connections are numbered as they are accepted */
	uint16_t code;	    /* enum close_code, once closing */
	bool flushing : 1;  /* in the flush list */
	bool blocked : 1;
	bool paused : 1;
	bool pinged : 1;
	bool closing : 1;
	bool reaping : 1;    /* in the reap list */
	bool told : 1;	     /* the transport was told to close */
	bool behind : 1;     /* a session was joined in the past: flush them all */
	bool finishing : 1;  /* the peer has said all; closes once it has got all */
	bool gone : 1;	     /* the transport has let go */
	bool said_close : 1; /* the transport's: the peer was sent a close frame */
	bool hot : 1;	     /* the transport's: may have more to read */
	bool watching : 1;   /* it is told of sessions; see watch.h */
	const char *reason;  /* static text for the peer and the log, once closing */
};

/* A new connection for a transport's handle, with a random id; counted by the worker. NULL: no
 * memory. */
struct conn *conn_new(struct worker *w, const struct transport *t, void *handle, uint32_t born);

/* From the transport: a whole message; a sign of life; room to write again; gone. */
void conn_receive(struct conn *c, const char *text, size_t len);
void conn_heard(struct conn *c);
void conn_writable(struct conn *c);
void conn_gone(struct conn *c);

/* Queues one JSON text for the peer. It leaves at the end of the loop turn. A peer that does not
 * read has its own input stopped first; one whose queue still grows is closed as slow. */
void conn_send(struct conn *c, const char *json, size_t len);

/* Queues an `error` answer. msg_id is raw JSON or empty. */
void conn_error(struct conn *c, enum hub_code code, const char *message, struct span msg_id);

/* Before m leaves: sends what it has not had yet, or names it in a gap where the transport is full.
 */
void conn_finish_member(struct conn *c, struct member *m);

/* Closes at once, whatever was begun before. */
void conn_abort(struct conn *c);

/* Tells of records of m's session that it will not get, or not as records. */
void conn_gap(struct conn *c, const struct member *m, uint64_t from, uint64_t to);

/* Starts closing; the first call counts. reason lives for ever. */
void conn_close(struct conn *c, enum close_code code, const char *reason);

/* From the transport: some of what it held back has left, but not all. */
void conn_progress(struct conn *c);

/* From the transport: the peer has said all it will, and is to get what it asked for. */
void conn_finish(struct conn *c);

/* As far as the transport takes it, sends what is queued; that and what m may read of view; that
 * and everything in all its sessions. */
void conn_flush(struct conn *c);
void conn_flush_all(struct conn *c);
void conn_flush_member(struct conn *c, struct member *m, struct log_view *view);

/* End of the turn: leaves the sessions of a closing connection, tells the transport, and once that
 * has let go frees it. Returns true where c is no more. */
bool conn_reap(struct conn *c);

/* Looks at a connection's timers (pings, dead peers, stalled writes). Returns in how many seconds
 * to look again. */
uint32_t conn_check(struct conn *c, uint32_t now_s);

#endif
