/* A stream of bytes from and to a peer: a socket, with TLS over it or not. It knows no protocol:
 * who uses it hands it a table, and may hand it on to another user (HTTP to WebSocket).
 *
 * A stream is open, then perhaps finishing (nothing more is read, what waits still leaves), then
 * lingering (the user is told that it is gone; what comes is thrown away until the peer's end,
 * within bounds, so that what was sent last is not lost), then closed. It is freed in the next
 * turn. */
#ifndef HUBD_STREAM_H
#define HUBD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conn/shares.h"
#include "loop/poller.h"
#include "loop/wheel.h"
#include "loop/worker.h"
#include "wire/address.h"
#include "wire/websocket.h"

struct ssl_st;
struct stream;
struct tls;

/* All run on the worker's thread; any may finish or abort the stream. */
struct stream_user {
	enum count_door counted[2]; /* as what its streams are counted: without TLS, with */
	/* What take() does not use stays in the socket, so that TLS may begin behind what it uses;
	 * it is shown all of it again when more comes. */
	bool peeks;
	/* Bytes have come, in place and to be changed at will. Returns how many were used; the rest
	 * comes again, with more behind it. Uses nothing once the stream is paused. */
	size_t (*take)(struct stream *s, unsigned char *p, unsigned char *end);
	/* The peer has said all that it will. */
	void (*ended)(struct stream *s);
	/* What stream_write() held back has left; some of it has. NULL: of no interest. */
	void (*writable)(struct stream *s);
	void (*progress)(struct stream *s);
	/* What stream_write_soon() took waits for the peer (1), or cannot be sent (-errno). */
	void (*held)(struct stream *s, int r);
	/* The time of stream_deadline() is over; NULL: aborts. */
	void (*late)(struct stream *s);
	/* It was closed, or lingers: the last call. */
	void (*gone)(struct stream *s);
};

/* What an idle stream does not have. */
struct stream_more {
	struct buf unsent;
	struct buf rest; /* read, and not used yet */
	struct wheel_entry timer;
	struct stream *stream;
	uint32_t due_s;	   /* 0: no deadline */
	unsigned answers;  /* of TLS's own that wait among what is unsent */
	struct worker *to; /* where it moves in this turn, or NULL */
};

struct stream {
	struct pollee poll; /* first */
	struct worker *worker;
	const struct stream_user *user;
	void *owner; /* the user's */
	struct ssl_st *tls;
	struct stream_more *more; /* or NULL */
	struct turn_entry turn;	  /* TURN_STREAMS */
	int fd;			  /* -1: closed */
	struct address peer;	  /* door/peer.h */
	bool by_proxy : 1;	  /* a proxy named it */
	bool readable : 1;	  /* there may be more than was read */
	bool paused : 1;
	bool hung_up : 1;	       /* the peer's end is there to be read */
	bool at_end : 1;	       /* it was read */
	bool told_end : 1;	       /* and the user told */
	bool finishing : 1;	       /* closes once unsent has left */
	bool deaf : 1;		       /* the peer takes nothing any more: writes go nowhere */
	bool late : 1;		       /* the deadline is over */
	unsigned soon : 9;	       /* its place among the worker's sends, from 1; 0: none */
	bool yields : 1;	       /* what is left is for the next turn */
	share share : SHARE_BITS;      /* where it counts for its address: door/gate.h */
	struct websocket_in websocket; /* for who speaks that */
};

/* Takes a connected, non-blocking socket; over TLS where tls is not NULL. The worker counts it as
 * one of its connections until it is closed. NULL with the socket closed: no memory, or
 * descriptors. */
struct stream *stream_new(struct worker *w, int fd, struct tls *tls, const struct stream_user *user,
			  void *owner);

/* Goes on over TLS, from the next byte in the socket on. Returns 0 or -ENOMEM. */
int stream_secure(struct stream *s, struct tls *tls);

/* Hands it on: what was not used yet comes to the new user, from within take() when that returns,
 * else in the next turn. */
void stream_use(struct stream *s, const struct stream_user *user, void *owner);

/* From within take(), between two things that the user does for the peer: whether the stream has
 * had its part of this turn. Then take() is to return; what is left comes in the next one. */
bool stream_yields(struct stream *s);

/* Moves it to another worker, with what its user has, which must be of no worker: until it is
 * there, no function of the user is called. What take() does not use comes again there. */
void stream_move(struct stream *s, struct worker *to);

/* Takes all of data: returns 0, 1 where some of it waits for the peer, or -errno: nothing can be
 * sent any more, or memory is out. */
int stream_write(struct stream *s, const void *data, size_t len);

/* The same for bytes that stay as they are until sends_go() of the worker: they leave then at the
 * latest, and user->held() tells what did not. */
int stream_write_soon(struct stream *s, const void *data, size_t len);

bool stream_waits(const struct stream *s); /* something is unsent */

void stream_pause(struct stream *s, bool paused);

/* Calls user->late() in about so many seconds; 0: never. Returns 0 or -ENOMEM. */
int stream_deadline(struct stream *s, uint32_t seconds);

/* Closes when all has been sent, or when the peer has taken none of it for as long as the option
 * write-timeout says. May call user->gone() before it returns, as stream_abort() does. */
void stream_finish(struct stream *s);

/* Closes at once, with a reset. */
void stream_abort(struct stream *s);

/* The worker's: of its wheel of deadlines; ends those that have a deadline. */
void streams_second(struct wheel *wheel, struct worker *w);
void streams_abort(struct wheel *wheel);

#endif
