/* A connection is a carrier (door) x an encoding x a dialect: three tables of functions, so that
 * what sends and receives knows neither sockets nor formats. */
#ifndef HUBD_DOOR_H
#define HUBD_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "loop/counters.h"

struct address;
struct conn;
struct deflation;
struct log_place;
struct seat;
struct session_change;
struct session_from;
struct session_joined;

/* WebSocket close codes (RFC 6455 section 7.4.1 and the IANA registry); every door says them in its
 * own way. */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_UNSUPPORTED = 1003, /* a binary message */
	CLOSE_BAD_TEXT = 1007,	  /* not UTF-8 */
	CLOSE_POLICY = 1008,	  /* too many errors */
	CLOSE_TOO_LARGE = 1009,
	CLOSE_INTERNAL = 1011,
	CLOSE_RESTART = 1012,
	CLOSE_SLOW = 1013,
	/* For private use: */
	CLOSE_REPLACED = 4000,	      /* the client resumed on another connection */
	CLOSE_UNAUTHENTICATED = 4401, /* no token was shown, or it is good no more */
	CLOSE_SENT_AWAY = 4403,	      /* by an operator */
	CLOSE_DELETED = 4410,	      /* its session is no more */
};

/* Which log a record is of, and what the member is there. */
struct record_log {
	struct span session;	       /* under whose name it gets it */
	const struct log_place *place; /* its seq is nothing */
	/* It is in rooms: joined for the sake of another session, under whose name it gets their
	 * records. Of a room, how far it is in that session; epoch 0: it cannot be told. */
	bool in_rooms;
	const struct log_place *above; /* NULL: not of a room */
	struct deflation *deflation;   /* NULL: they are for one member alone, and not deflated */
};

/* How a message becomes bytes. Both append one, and return 0 or -ENOMEM. */
struct encoding {
	bool as_logged; /* the log's frames are what it wants, as they are */
	bool deflates;	/* it makes use of record_log.deflation */
	int (*message)(struct buf *out, const char *text, size_t len);
	/* The same for a record of a log: type is as written, empty where it is not known. NULL:
	 * like any message. */
	int (*record)(struct buf *out, const char *text, size_t len, struct span type,
		      const struct record_log *in);
	/* The same for an array of records; in->place is that of the last of them. NULL: like any
	 * message. */
	int (*batch)(struct buf *out, const char *text, size_t len, const struct record_log *in);
};

/* What messages say: the words of a protocol. The texts each append one message to out, and return
 * 0 or -ENOMEM. */
struct dialect {
	/* What rules join a client to is a room of the session in which it asked for it. */
	bool rooms;
	/* A whole message from the peer; borrows text. Answers through conn_send(). Returns what
	 * was wrong with it, HUB_BAD_TEXT where it is not UTF-8, or HUB_OK. NULL for a door that
	 * never calls conn_receive(). */
	enum hub_code (*take)(struct conn *c, const char *text, size_t len);
	/* A join has succeeded, the seat is new or was moved: answers. */
	void (*joined)(struct conn *c, struct seat *seat, const struct session_from *from,
		       const struct session_joined *joined);
	/* A join has not succeeded. why is static text; msg_id as below; after retry_s seconds, if
	 * not 0, it may. */
	void (*refused)(struct conn *c, enum hub_code code, const char *why, struct span msg_id,
			uint32_t retry_s);
	/* The seat has had all that came before its next record of the log. NULL: of no interest.
	 */
	void (*caught_up)(struct conn *c, struct seat *seat);
	/* The seat has had all records there are, for the first time since `joined` asked for this
	 * by setting seat->awaited. NULL: nobody does. */
	void (*at_head)(struct conn *c, struct seat *seat);
	/* The connection closes, with c->code, and its seats are still there: last words, by
	 * conn_last_word(). NULL: none but the door's. */
	void (*parting)(struct conn *c);

	/* The connection is there, and it is known who it is; and its end, while it still has its
	 * seats. NULL: of no interest. */
	void (*opened)(struct conn *c);
	void (*ending)(struct conn *c);

	/* msg_id is raw JSON, of what it answers, or empty. */
	int (*error)(struct buf *out, enum hub_code code, const char *message, struct span msg_id);
	/* The same for HUB_CONFLICT, with what stands in the way: the seq of the key's last record,
	 * 0: there is none. NULL: nobody could cause it. */
	int (*conflict)(struct buf *out, uint64_t seq, struct span msg_id);
	/* session is NULL where it is about none; then seq is 0. */
	int (*ack)(struct buf *out, const char *session, uint64_t seq, struct span msg_id);
	/* An ack with a value, JSON, or with several: an array; an error with a code that the hub
	 * does not know. NULL where nothing calls for them. */
	int (*reply)(struct buf *out, struct span session, struct span value, bool several,
		     struct span msg_id);
	int (*error_named)(struct buf *out, const char *code, const char *message,
			   struct span msg_id);
	/* A client that comes back to the session of the seat, NULL: it is in there no more, is in
	 * its rooms again, as far as it may be. NULL where `rooms` is false. */
	void (*restored)(struct conn *c, struct seat *seat);
	/* The client is about to join what a rule says it is not to come back to. NULL: that means
	 * nothing. */
	void (*forget)(struct conn *c);
	/* Appends to the members of a message to the client, which is no record and about that
	 * seat, where the client is, for the encoding. Returns 0 or -ENOMEM. NULL: nothing. */
	int (*place)(struct buf *out, const struct seat *seat);
	/* A rule refuses a join, with a code or NULL. NULL: rules are not asked. */
	int (*refusal)(struct buf *out, const char *code, const char *message, struct span msg_id);
	/* above is NULL, or of a room the session under whose name its members are told of it. */
	int (*gap)(struct buf *out, const char *session, const char *above, uint64_t from,
		   uint64_t to);
	/* So many records of the state did not come, since others that did come say it anew. NULL:
	 * nobody asks for that. */
	int (*skipped)(struct buf *out, const char *session, uint64_t n);
	/* Records, an array, that go before others which wait for a tick. NULL: those go with them.
	 */
	int (*ahead)(struct buf *out, const char *session, struct span records);
	/* Records that were in the member's area are not any more: left is JSON, an array of
	 * objects with the `type` of some and an array of their `keys`. NULL: nobody asks for an
	 * area. And: it has another area from here on, of which n records of state follow; or,
	 * overtaken, it will have that of a later message. NULL: areas do not move. */
	int (*area_left)(struct buf *out, const char *session, struct span left);
	int (*area_entered)(struct buf *out, const char *session, uint64_t n, struct span msg_id,
			    bool overtaken);
	/* Both NULL where its members are not told who comes and goes. */
	int (*presence)(struct buf *out, const char *session, const char *above,
			const struct session_change *change);
	int (*status)(struct buf *out, const char *session, const char *above, uint32_t user_count);
	int (*left)(struct buf *out, const char *session, const char *above, uint32_t user_count);
	/* The token ends, exp seconds after 1970: another one is wanted. NULL: nobody could show
	 * one. */
	int (*expiring)(struct buf *out, double exp);
	/* Another token to come back with, in place of one that gets old. NULL: none was given. */
	int (*resume)(struct buf *out, const struct conn *c);
	/* Names in quotes with commas between; more: others follow. */
	int (*sessions)(struct buf *out, struct span names, bool more, bool partial);
};

/* What a carrier does for a connection. */
struct door {
	enum count_door counted; /* as what it is counted */
	bool trusted;		 /* its peers may ask for what is not everybody's to know */
	bool pings;		 /* has a ping of its own to tell whether the peer lives */
	/* The peer comes for what waits: that it is blocked is no fault of it, and the door ends
	 * who comes no more. Takes what is written at the end in any case. */
	bool fetched;
	/* Seconds of silence, at most, after which ping() tells what is between the two that the
	 * connection is in use; nobody answers that. 0: never. */
	uint32_t keep_s;
	const struct encoding *encoding;
	const struct dialect *dialect;

	/* Sends bytes that are encoded for this connection. Takes all of them or none: returns 0, 1
	 * where the rest waits inside the door (deliver_writable() follows when it has left), or
	 * -errno where the connection is dead. */
	int (*write)(struct conn *c, const void *data, size_t len);
	/* The same for bytes that stay as they are until sends_go() of the worker: they may leave
	 * then, and what became of them is told by conn_written(). NULL: they leave at once. */
	int (*write_soon)(struct conn *c, const void *data, size_t len);
	int (*ping)(struct conn *c);		    /* as write; of pings or keep_s */
	void (*pause)(struct conn *c, bool paused); /* stops and starts reading */
	/* Says code and reason to the peer as far as it still listens, then closes; conn_gone()
	 * follows. */
	void (*close)(struct conn *c, enum close_code code, const char *reason);
	/* Closes at once, saying nothing; conn_gone() follows. */
	void (*abort)(struct conn *c);
	/* The socket, or -1; NULL: there is none. */
	int (*descriptor)(const struct conn *c);
	/* Where the client is. NULL: it has no address. */
	void (*peer)(struct conn *c, struct address *a);
	/* The same where the connection counts for its address; false: it does not. NULL: none do.
	 */
	bool (*counts)(struct conn *c, struct address *a);
};

#endif
