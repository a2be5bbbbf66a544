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

#include "auth/identity.h"
#include "base/buf.h"
#include "conn/door.h"
#include "conn/meter.h"
#include "conn/shares.h"
#include "json/envelope.h"
#include "loop/journal.h"
#include "loop/worker.h"
#include "wire/address.h"

#define CONN_BUSY_MAX 127	   /* requests of a connection under way */
#define CONN_OUT_PAUSE (64 * 1024) /* bytes of answers at which a peer's input is stopped */

#define CONN_ID_KEY_LEN 16 /* crypto_shorthash() */

/* What is said to who is one too many by conn_over(). */
#define CONN_OVER \
	"all connections together hold as much as they may, and this one more than its part"

/* How connections live: options of hubd(8), in seconds. */
struct conn_settings {
	size_t max_message; /* bytes */
	bool deflate;	    /* permessage-deflate is agreed to, */
	size_t deflate_min; /* for texts of so many bytes at least */
	double ping, pong;
	double write_timeout;
	uint64_t resume_ms;		       /* that a resume token is good; 0: for ever */
	unsigned char id_key[CONN_ID_KEY_LEN]; /* random, and of this run only */
	/* Of connections from outside, of users, and of addresses. */
	struct meter_rates rates, user_rates, address_rates;
	size_t max_memory; /* bytes that all connections hold of what has come or is to leave */
	unsigned max_per_user, max_per_address; /* connections; 0: as many as there may be */
	int64_t rate_requests, rate_joins;	/* a second, of an address; 0: all */
	struct shares *shares;			/* where these are counted */
};

/* What has come and cannot be handled yet, and is to be counted; there is seldom any. */
struct conn_input {
	struct buf part;     /* the front of a message that has not come whole: the door's */
	struct meter *meter; /* what it does in a time, or NULL */
};

/* What few connections have. */
struct conn_self {
	struct blob *info; /* a reference: what presence shows, where it said something of itself */
	uint32_t said_at;  /* in there: what it said itself */
	bool met;	   /* the dialect's: it was told that the connection is there */
	void *acting;	   /* the dialect's: what it still has to do; free() ends it */
	char *reason;	   /* by malloc(): conn.reason, where that is no static text */
};

struct conn {
	struct worker *worker;
	const struct door *door;
	void *handle; /* the door's */
	uint64_t id;
	struct seat
	    *seats; /* member/'s; latest joined first: the default session of its messages */
	struct identity *identity; /* a reference; NULL: nobody in particular */
	struct conn_self *self;	   /* or NULL */
	struct buf out;		   /* answers and direct messages, encoded; sent before records */
	struct conn_input *input;  /* or NULL */
	const char *reason;	   /* text for the peer and the log, with code */

	struct turn_entry flush;  /* TURN_CONNECTIONS */
	struct turn_entry reap;	  /* TURN_REAP */
	struct wheel_entry timer; /* always in the worker's wheel */

	uint32_t heard_s;      /* monotonic seconds: the last sign of life */
	uint32_t blocked_s;    /* since when the door has been holding bytes back */
	uint32_t born;	       /* connections are numbered as they are accepted */
	uint32_t since_s : 30; /* monotonic: when it began */
	uint32_t warned : 1;   /* it was told that its token ends */
	uint32_t counted : 1;  /* among its user's: shares */
	uint32_t given_s;      /* the same: when it got what it can come back with; 0: it has not */
	uint32_t code : 13;    /* enum close_code, once closing or finishing */
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
	uint32_t failed : 1;	  /* the door's: the peer is not to be heard any more */
};

/* A new connection for a door's handle, with an id that cannot be guessed. NULL: no memory. */
struct conn *conn_new(struct worker *w, const struct door *door, void *handle, uint32_t born);

/* --- who it is */

/* Made where there is none; NULL: no memory. */
struct conn_self *conn_self(struct conn *c);

static inline struct identity *conn_identity(const struct conn *c)
{
	return c->identity;
}

static inline struct blob *conn_info(const struct conn *c)
{
	return c->self && c->self->info ? c->self->info : identity_shown(c->identity);
}

/* Makes it that one, in place of who it was, until its token ends. Takes a reference of its own.
 * Returns 0, or -EBUSY where the user has as many connections as he may; then nothing has changed.
 */
int conn_identify(struct conn *c, struct identity *id);

/* Sets what presence shows of it, and where in it is what it said itself; NULL: what its identity
 * does. Takes a reference of its own. Returns 0 or -ENOMEM. */
int conn_set_info(struct conn *c, struct blob *info, uint32_t said_at);

/* It was given what it can come back with: while it lasts the dialect gives it another in time. */
void conn_given(struct conn *c);

/* --- from the door */

/* A whole message, of a connection that is not held. Returns what the dialect's take() says. */
enum hub_code conn_receive(struct conn *c, const char *text, size_t len);

/* Adds to the front of a message that has not come whole; 0, -ENOMEM, or -ENOBUFS, see conn_over().
 * Gives it away: the caller frees it. And drops it. */
int conn_part_put(struct conn *c, const void *data, size_t len);
struct buf conn_part_take(struct conn *c);
void conn_part_drop(struct conn *c);

void conn_heard(struct conn *c);    /* a sign of life */
void conn_progress(struct conn *c); /* some of what the door held back has left */
void conn_gone(struct conn *c);	    /* the door has let go */
void conn_replaced(struct conn *c); /* the same, and another goes on: nothing is said of it */

/* --- where it is, and how much it may hold */

/* Where the client is, behind the proxies that are trusted; not known where it has no address, or
 * the door has let go. */
void conn_peer(struct conn *c, struct address *a);

/* Whether a connection that comes to hold so many bytes has more than its part, and that where the
 * connections of its worker hold all that they may: then it is one too many. It is counted. Who has
 * less than an equal part is never refused for the others. */
bool conn_over(struct worker *w, size_t bytes);

/* --- sending */

/* Queues one message for the peer. It leaves at the end of the turn. A peer that does not read has
 * its own input stopped first; one whose queue still grows is closed as slow. */
void conn_send(struct conn *c, const char *text, size_t len);

/* The same for one that is closing, before its door is told: it may be sent still. */
void conn_last_word(struct conn *c, const char *text, size_t len);

/* The same for bytes that are encoded already. */
void conn_queue(struct conn *c, const void *data, size_t len);

/* As conn_send() for a text that was made in a worker's scratch, with what its making returned;
 * closes the connection where that is an error. Takes the scratch. */
void conn_send_scratch(struct conn *c, struct buf *b, int r);

/* Queues an `error` answer. msg_id is raw JSON or empty. */
void conn_error(struct conn *c, enum hub_code code, const char *message, struct span msg_id);

/* The same for a text that was made in a worker's scratch, with what its making returned. Takes the
 * scratch. */
void conn_error_made(struct conn *c, enum hub_code code, struct buf *b, int r);

/* An error was answered, by whatever: it is counted, and who makes too many is slowed, or sent away
 * with CLOSE_POLICY. */
void conn_error_said(struct conn *c, enum hub_code code);

/* Hands encoded bytes to the door. True where more may be written. */
bool conn_write(struct conn *c, const void *data, size_t len);

/* The same for bytes that stay as they are until sends_go() of the worker. */
bool conn_write_soon(struct conn *c, const void *data, size_t len);

/* The door's: what it was handed waits for the peer (1), or cannot be sent (-errno). */
void conn_written(struct conn *c, int r);

/* Goes on by another door, which counts it as the same. What is queued must be for that one, too,
 * or be put in other bytes: conn_requeue(). */
void conn_set_door(struct conn *c, const struct door *door);
void conn_requeue(struct conn *c, const void *data, size_t len);

/* As far as the door takes it, sends what is queued. */
void conn_flush(struct conn *c);

/* Who is at the other end, for people: an address, of a Unix socket its process, or "". */
void conn_peer_text(struct conn *c, char *out, size_t cap);

/* Its door, as the journal calls it. */
const char *conn_door_name(const struct conn *c);

/* A line of the journal about it. */
void conn_log(struct conn *c, enum err_level level, enum journal_event event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* --- holding: the door reads nothing more until what came was handled */

void conn_hold(struct conn *c);
void conn_release(struct conn *c);

/* A request that refers to the connection is under way, and has come back; until then it is not
 * freed. */
void conn_busy(struct conn *c);
void conn_idle(struct conn *c);

/* --- ending */

/* Starts closing; the first call counts. code 0: without a word. reason lives for ever. */
void conn_close(struct conn *c, enum close_code code, const char *reason);

/* The same for a reason that is copied. */
void conn_close_saying(struct conn *c, enum close_code code, const char *reason);

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
