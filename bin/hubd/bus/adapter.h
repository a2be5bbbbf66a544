/* The messages of servers of Socket.IO 4 to each other, as @socket.io/redis-adapter 8 and
 * @socket.io/redis-emitter 5 have them: msgpack, of which this reads any and writes one layout.
 * Pure; work and memory are bounded by what is read.
 *
 * A broadcast is [uid, packet, opts], on the channel PREFIX#NSP#, or PREFIX#NSP#ROOM# where it is
 * for one room; one that wants answers is a map with the same packet and opts, of type 7, on
 * PREFIX-request#NSP#. A packet is {type, data, nsp}, opts are {rooms, except, flags}.
 *
 * A namespace is a session as in wire/socketio_packet.h; a room of it is the session NAME~ROOM. */
#ifndef HUBD_ADAPTER_H
#define HUBD_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "json/envelope.h"

#define ADAPTER_UID 20	 /* bytes: those of servers are shorter */
#define ADAPTER_ROOM '~' /* between a namespace and a room */

/* Where the records of a session go. */
struct adapter_place {
	struct span nsp;  /* without its slash; empty: the main one */
	struct span room; /* empty: to all of it */
};

/* False where a session is neither a namespace nor a room. Borrows. */
bool adapter_place(struct span session, struct adapter_place *place);

/* Appends the channel for that. Returns 0 or -ENOMEM. */
int adapter_channel(struct buf *out, const char *prefix, const struct adapter_place *place);

/* Appends a pattern of all channels that begin with prefix and behind. Returns 0 or -ENOMEM. */
int adapter_pattern(struct buf *out, const char *prefix, const char *behind);

/* Appends a broadcast of an event: a JSON array that json_scan() accepts, its name first. Values
 * {"$base64":"..."}, so written, become binary, up to the 10 that clients take. Returns 0 or
 * -ENOMEM. */
int adapter_put(struct buf *out, struct span uid, const struct adapter_place *place,
		struct span event);

/* What was heard; all borrowed. */
struct adapter_heard {
	struct span nsp;   /* with its slash */
	struct span rooms; /* for adapter_session() */
	size_t nrooms;	   /* 0: to all of the namespace */
};

/* Reads a broadcast, or a request; appends to message the message that its event is, of max bytes
 * at most. Returns 1; 0 where it is uid's own, or no event; -EINVAL where it is malformed,
 * -EMSGSIZE or -ENOMEM. */
int adapter_read(struct span bytes, struct span uid, struct adapter_heard *heard,
		 struct buf *message, size_t max);

/* The session of the namespace, or of its next room, which is taken from the front. Returns its
 * length; 0 where its name is none of a session. */
size_t adapter_session(struct adapter_heard *heard, char out[ENVELOPE_SESSION_MAX]);

#endif
