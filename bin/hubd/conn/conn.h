/* One connection, whatever its door: what waits to be sent, and its timers.
 *
 * A connection belongs to one worker and is touched by its thread only. It is open, then closing
 * (conn_close() was called: it takes no more input), then gone (the door has let go of it), and is
 * freed at the end of a turn, never inside a callback. Whose seats it has is told by who reaps it:
 * member/. */
#ifndef HUBD_CONN_H
#define HUBD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conn/door.h"
#include "json/envelope.h"
#include "loop/worker.h"

#define CONN_BUSY_MAX 127 /* requests of a connection under way */

/* Options of hubd(8) that say how connections live; seconds. */
struct conn_settings {
	size_t max_message; /* bytes */
	double ping, pong;
	double write_timeout;
};

/* What has come and cannot be handled yet; there is seldom any. */
struct conn_input {
	struct buf part; /* the front of a message that has not come whole: the door's */
	struct buf held; /* whole messages while the connection is held: length, text, ... */
};

struct conn {
	struct worker *worker;
	const struct door *door;
	void *handle; /* the door's */
	uint64_t id;
	struct seat
	    *seats;	   /* member/'s; latest joined first: the default session of its messages */
	struct blob *info; /* what it says of itself: a reference, or NULL */
	struct buf out;	   /* answers and direct messages, encoded; sent before records */
	struct conn_input *input; /* or NULL */
	const char *reason;	  /* static text for the peer and the log, with code */

	struct turn_entry flush;  /* TURN_CONNECTIONS */
	struct turn_entry reap;	  /* TURN_REAP */
	struct wheel_entry timer; /* always in the worker's wheel */

	uint32_t heard_s;   /* monotonic seconds: the last sign of life */
	uint32_t blocked_s; /* since when the door has been holding bytes back */
	uint32_t born;	    /* connections are numbered as they are accepted */
	uint32_t code : 13; /* enum close_code, once closing or finishing */
	uint32_t busy : 7; /* requests under way that will come back to it; CONN_BUSY_MAX at most */
	uint32_t blocked : 1;
	uint32_t paused : 1; /* the door was told so: held, or too much in `out` */
	uint32_t held : 1;   /* its next message has to wait for the one before */
	uint32_t pinged : 1;
	uint32_t closing : 1;
	uint32_t closed : 1;	  /* the door was told to close */
	uint32_t gone : 1;	  /* the door has let go */
	uint32_t flush_seats : 1; /* one was moved back: flush them all, not only `out` */
	uint32_t finishing : 1;	  /* closes, with `code`, once it has got all that is due to it */
	uint32_t watching : 1;	  /* it is told of sessions; see member/watch.h */
	uint32_t said_close : 1;  /* the door's: the peer was sent a close frame */
	uint32_t failed : 1;	  /* the door's: the peer is not to be understood any more */
};

/* A new connection for a door's handle, with a random id. NULL: no memory. */
struct conn *conn_new(struct worker *w, const struct door *door, void *handle, uint32_t born);

/* --- from the door */

/* A whole message. Returns what the dialect's take() says; HUB_OK where it is held. */
enum hub_code conn_receive(struct conn *c, const char *text, size_t len);

/* Room for the front of a message; NULL: no memory. And that it is empty again. */
struct buf *conn_part(struct conn *c);
void conn_part_done(struct conn *c);

void conn_heard(struct conn *c);    /* a sign of life */
void conn_progress(struct conn *c); /* some of what the door held back has left, but not all */
void conn_gone(struct conn *c);	    /* the door has let go */

/* --- sending */

/* Queues one message for the peer. It leaves at the end of the turn. A peer that does not read has
 * its own input stopped first; one whose queue still grows is closed as slow. */
void conn_send(struct conn *c, const char *text, size_t len);

/* The same for a text that was made in a worker's scratch, with what its making returned; closes
 * the connection where that is an error. Takes the scratch. */
void conn_send_scratch(struct conn *c, struct buf *b, int r);

/* Queues an `error` answer. msg_id is raw JSON or empty. */
void conn_error(struct conn *c, enum hub_code code, const char *message, struct span msg_id);

/* Hands encoded bytes to the door. True where more may be written. */
bool conn_write(struct conn *c, const void *data, size_t len);

/* As far as the door takes it, sends what is queued. */
void conn_flush(struct conn *c);

/* --- holding: the next message waits until the one before was handled */

void conn_hold(struct conn *c);
void conn_release(struct conn *c); /* handles what has come meanwhile; it may be held again */

/* A request that refers to the connection is under way, and has come back; until then it is not
 * freed. */
void conn_busy(struct conn *c);
void conn_idle(struct conn *c);

/* --- ending */

/* Starts closing; the first call counts. code 0: without a word. reason lives for ever. */
void conn_close(struct conn *c, enum close_code code, const char *reason);

/* Closes at once, whatever was begun before. */
void conn_abort(struct conn *c);

/* Of a closing connection that has left its sessions: tells the door, and once that has let go
 * frees it. */
void conn_end(struct conn *c);

/* --- timers and all connections of a worker */

/* Of the wheel: looks at a connection's timers (pings, dead peers, stalled writes). */
uint32_t conn_due(struct wheel_entry *e, uint32_t now_s);

/* Calls each() for every connection of the worker; none is freed meanwhile. */
void conns_each(struct worker *w, void (*each)(struct conn *c, void *arg), void *arg);

/* The worker's hook: ends them all at once. */
void conns_abort(struct worker *w);

#endif
