/* Engine.IO 4, which carries Socket.IO: a session is a connection (struct conn) whose client first
 * polls, each answer filled by what waits for it, then perhaps goes on over a WebSocket, or begins
 * with one.
 *
 * engineio.c serves requests, engineio_poll.c and engineio_ws.c are the two carriers,
 * engineio_session.c is what they carry: a session is open, then closing (conn_close() was called),
 * then ended (its connection is gone), and is freed in the turn.
 *
 * A session belongs to the worker that its sid names, and what comes for it on another one's stream
 * moves there with the stream. */
#ifndef HUBD_ENGINEIO_H
#define HUBD_ENGINEIO_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "conn/encoding.h"
#include "dialect/socketio.h"
#include "door/http_request.h"
#include "door/stream.h"
#include "wire/engineio_packet.h"

struct engineio;
struct engineio_polls;

#define ENGINEIO_PROBE_MAX 6 /* bytes of a packet on a probe: "2probe" */

/* A WebSocket that may become a session's. */
struct engineio_probe {
	struct engineio *session; /* NULL: it is not to be any more */
	struct stream *stream;
	bool base64;
	uint8_t len;
	char packet[ENGINEIO_PROBE_MAX]; /* the front of one that has not come whole */
};

struct engineio_carrier {
	int (*write)(struct engineio *e, const void *data, size_t len);	     /* as struct door */
	int (*write_soon)(struct engineio *e, const void *data, size_t len); /* or NULL */
	void (*pause)(struct engineio *e, bool paused);
	void (*close)(struct engineio *e, enum close_code code, const char *reason);
	void (*abort)(struct engineio *e);
	void (*peer)(struct engineio *e, struct address *a);
	bool (*counts)(struct engineio *e, struct address *a);
	/* What was put off until now: engineio_later(). */
	void (*turn)(struct engineio *e);
	const char *ping; /* a packet, in its bytes */
	uint8_t ping_len;
	bool polled; /* it is polling */
};

struct engineio {
	struct socketio io; /* first: the dialect's */
	const struct engineio_carrier *carrier;
	struct conn *conn;
	struct stream *stream;	      /* the WebSocket, or NULL */
	struct engineio_polls *polls; /* of who polls, or NULL */
	struct engineio_probe *probe; /* or NULL */
	struct engineio *next;	      /* in the table */
	struct turn_entry turn;	      /* TURN_POLLS */
	struct wheel_entry beat;
	/* Milliseconds, monotonic and cut to 32 bits; then as long as that. */
	uint32_t due;	    /* the next ping, or where one was sent its answer */
	uint32_t heard;	    /* the last packet came */
	uint32_t connected; /* it is to be connected to a namespace; once, where `connects` */
	uint32_t ping_ms, pong_ms;
	unsigned char secret[ENGINEIO_SID_BYTES];
	bool pinged : 1;
	bool connects : 1;
	bool base64 : 1; /* binary goes as text over a WebSocket */
	bool offsets : 1, presence : 1;
	bool ended : 1;
};

/* --- engineio_session.c */

/* The worker's hooks: what it keeps for its sessions, made, to be given up, given up. */
int engineio_start(struct worker *w);
void engineio_stop(struct worker *w);
void engineio_free(struct worker *w);

/* A new session of id (NULL: nobody in particular), with a number of its own, for the stream that
 * it begins on may have served others before. base64: as in the struct. NULL: no memory. */
struct engineio *engineio_new(struct worker *w, const struct engineio_carrier *carrier,
			      struct identity *id, bool base64);

/* The session of this worker, or NULL. */
struct engineio *engineio_find(struct worker *w, const struct engineio_sid *sid);

/* Whether it is to be found no more, though it is there for a moment still: it was lost, or its
 * time is over, which the timer finds out a little later. */
bool engineio_is_over(struct engineio *e);

/* Appends its open packet. Returns 0 or -ENOMEM. */
int engineio_put_hello(const struct engineio *e, struct buf *out);

/* A packet has come. False where no other is to be taken: the connection closes. */
bool engineio_receive(struct engineio *e, struct http1_span packet);

/* Goes on by that carrier. What is queued must be in its bytes. */
void engineio_carry(struct engineio *e, const struct engineio_carrier *carrier);

/* Calls carrier->turn() at the end of the turn. */
void engineio_later(struct engineio *e);

/* The carrier has let go of it. */
void engineio_end(struct engineio *e);

/* --- engineio_poll.c */

/* Answers the handshake with a new session. */
void engineio_poll_begin(struct http *h, struct identity *id);

/* Serves a request of a session that polls, GET or POST. */
void engineio_poll(struct engineio *e, struct http *h);

/* No poll waits any more, or they do again. */
void engineio_poll_release(struct engineio *e, bool released);

/* It polls no more: answers what waits. What is queued is still in the bytes of answers. */
void engineio_poll_leave(struct engineio *e);

/* --- engineio_ws.c */

/* Makes the request a WebSocket with a new session, or refuses it. h may be no more. */
void engineio_ws_begin(struct http *h, struct identity *id, bool base64);

/* Makes it one that may become the session's. */
void engineio_ws_probe(struct engineio *e, struct http *h, bool base64);

/* --- engineio.c */

/* Whether the request is for this door; its worker, where it is for a session of another one, else
 * that of its stream. */
bool engineio_is(const struct http *h);
struct worker *engineio_home(const struct http *h);

/* Serves it; h may be no more. */
void engineio_serve(struct http *h);

#endif
