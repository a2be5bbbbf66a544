/* Socket.IO 5 for stock clients, hub(7): a namespace is a session, an event is a record. socketio.c
 * takes packets, socketio_connect.c connects them to namespaces, socketio_joined.c tells them that
 * they are there, socketio_text.c has what else is said.
 * A session that a rule joins a client to is a room of the namespace in which it asked for it, and
 * none itself: seat.above.
 * It speaks by encoding_packets, of a door whose handle begins with a struct socketio.
 *
 * What is called an address here, and takes the place of a msg_id, is what a packet has between its
 * type and its JSON: the namespace with its comma, nothing for the main one, then perhaps an ack's
 * id. */
#ifndef HUBD_SOCKETIO_H
#define HUBD_SOCKETIO_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "member/member.h"

struct socketio_half;
struct socketio_back;

/* What a connection keeps; zeroed at the start. */
struct socketio {
	/* How its records are to be encoded, and whether it is told who comes and goes, which its
	 * first CONNECT says. */
	void (*choose)(struct conn *c, bool offsets, bool presence);
	struct socketio_half *half; /* a packet that has not come whole, or NULL */
	struct socketio_back *back; /* namespaces that it comes back to, or NULL */
	uint32_t acked;		    /* messages with an ack so far */
	uint32_t joins;		    /* namespaces that it was ever in, each time counted */
	bool asked;		    /* a first CONNECT has come */
	bool again; /* its CONNECT has waited for what an earlier connection was in */
	bool offsets;
};

extern const struct dialect socketio_dialect, socketio_dialect_presence;

/* That sends back what comes, for tests of Engine.IO. */
extern const struct dialect socketio_echo;

/* Gives up what the connection keeps. */
void socketio_end(struct conn *c, struct socketio *io);

#endif
