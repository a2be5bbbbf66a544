/* A connection is a carrier (door) x an encoding x a dialect: three tables of functions, so that
 * what sends and receives knows neither sockets nor formats. */
#ifndef HUBD_DOOR_H
#define HUBD_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"

struct conn;
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
	CLOSE_TOO_LARGE = 1009,
	CLOSE_INTERNAL = 1011,
	CLOSE_RESTART = 1012,
	CLOSE_SLOW = 1013,
	CLOSE_REPLACED = 4000, /* private use: the client resumed on another connection */
};

/* How a message becomes bytes. */
struct encoding {
	bool as_logged; /* the log's frames are what it wants, as they are */
	/* Appends one message; seq is a record's, else 0. Returns 0 or -ENOMEM. */
	int (*message)(struct buf *out, const char *text, size_t len, uint64_t seq);
};

/* What messages say: the words of a protocol. The texts each append one message to out, and return
 * 0 or -ENOMEM. */
struct dialect {
	/* A whole message from the peer; borrows text. Answers through conn_send(). Returns what
	 * was wrong with it, HUB_BAD_TEXT where it is not UTF-8, or HUB_OK. */
	enum hub_code (*take)(struct conn *c, const char *text, size_t len);
	/* A join has succeeded, the seat is new or was moved: answers. */
	void (*joined)(struct conn *c, struct seat *seat, const struct session_from *from,
		       const struct session_joined *joined);

	/* msg_id is raw JSON, of what it answers, or empty. */
	int (*error)(struct buf *out, enum hub_code code, const char *message, struct span msg_id);
	int (*ack)(struct buf *out, const char *session, uint64_t seq, struct span msg_id);
	int (*gap)(struct buf *out, const char *session, uint64_t from, uint64_t to);
	int (*presence)(struct buf *out, const char *session, const struct session_change *change);
	int (*status)(struct buf *out, const char *session, uint32_t user_count);
	int (*left)(struct buf *out, const char *session, uint32_t user_count);
	/* Names in quotes with commas between; more: others follow. */
	int (*sessions)(struct buf *out, struct span names, bool more);
};

/* What a carrier does for a connection. */
struct door {
	const char *name;
	bool trusted; /* its peers may ask for what is not everybody's to know */
	bool pings;   /* has a ping of its own to tell whether the peer lives */
	bool utf8;    /* a message that is not UTF-8 ends the connection: RFC 6455 section 8.1 */
	const struct encoding *encoding;
	const struct dialect *dialect;

	/* Sends bytes that are encoded for this connection. Takes all of them or none: returns 0, 1
	 * where the rest waits inside the door (deliver_writable() follows when it has left), or
	 * -errno where the connection is dead. */
	int (*write)(struct conn *c, const void *data, size_t len);
	int (*ping)(struct conn *c);		    /* as write */
	void (*pause)(struct conn *c, bool paused); /* stops and starts reading */
	/* Says code and reason to the peer as far as it still listens, then closes; conn_gone()
	 * follows. */
	void (*close)(struct conn *c, enum close_code code, const char *reason);
	/* Closes at once, saying nothing; conn_gone() follows. */
	void (*abort)(struct conn *c);
};

#endif
