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

#include "auth/resume.h"
#include "conn/conn.h"
#include "member/member.h"
#include "wire/log_place.h"
#include "wire/socketio_packet.h"

/* A binary packet whose attachments have not all come, and they, one behind the other. */
struct socketio_half {
	struct buf bytes;
	size_t end[SOCKETIO_ATTACHMENTS_MAX + 1]; /* of the packet, and of each that has come */
	unsigned have, want;			  /* attachments */
};

/* A client that has come back and is told so when it has had what it missed. */
struct socketio_back {
	struct socketio_back *next;
	struct seat *seat;
	unsigned rooms; /* that it was in, and comes back to with it */
	bool restored;	/* that was tried, and all of it */
	bool fresh;	/* what it has missed in one is not all there */
	size_t len;
	char pid[]; /* the one that it showed; empty: it gets a new one */
};

/* What a connection keeps; zeroed at the start. */
struct socketio {
	/* How its records are to be encoded, and whether it is told who comes and goes, which its
	 * first CONNECT says. */
	void (*choose)(struct conn *c, bool offsets, bool presence);
	struct socketio_half *half; /* or NULL */
	struct socketio_back *back;
	uint32_t acked; /* messages with an ack so far */
	uint32_t joins; /* namespaces that it was ever in, each time counted */
	bool asked;	/* a first CONNECT has come */
	bool again;	/* its CONNECT has waited for what an earlier connection was in */
	bool offsets;
};

extern const struct dialect socketio_dialect, socketio_dialect_presence;

/* That sends back what comes, for tests of Engine.IO. */
extern const struct dialect socketio_echo;

/* Gives up what the connection keeps. */
void socketio_end(struct conn *c, struct socketio *io);

/* --- within the room */

/* Its seat in a namespace, or NULL: what rules joined it to is none. */
static inline struct seat *socketio_seat(const struct conn *c, struct span session)
{
	struct seat *seat = seat_find(c, session);

	return seat && !seat->above ? seat : NULL;
}

/* NULL: the door has let go. */
static inline struct socketio *socketio_of(const struct conn *c)
{
	return c->handle;
}

/* Ends the connection for a packet that may not be. why lives for ever. */
static inline void socketio_break(struct conn *c, const char *why)
{
	conn_close(c, CLOSE_POLICY, why);
}

/* Characters of a pid, and a NUL. */
#define PID_MAX (RESUME_LEN + 10 + PLACE_MAX)

/* The one that is kept for the join that is under way. */
void socketio_drop_pid(struct socketio *io);

void socketio_connect(struct conn *c, const struct socketio_packet *p);
void socketio_joined(struct conn *c, struct seat *seat, const struct session_from *from,
		     const struct session_joined *joined);
void socketio_refused(struct conn *c, enum hub_code code, const char *why, struct span address,
		      uint32_t retry_s);
void socketio_forget(struct conn *c);
void socketio_restored(struct conn *c, struct seat *seat);
void socketio_caught_up(struct conn *c, struct seat *seat);
void socketio_at_head(struct conn *c, struct seat *seat);
void socketio_parting(struct conn *c);

/* The texts of struct dialect. */
int socketio_skipped(struct buf *out, const char *session, uint64_t n);
int socketio_area_left(struct buf *out, const char *session, struct span left);
int socketio_conflict(struct buf *out, uint64_t seq, struct span address);
int socketio_error(struct buf *out, enum hub_code code, const char *message, struct span address);
int socketio_ack(struct buf *out, const char *session, uint64_t seq, struct span address);
int socketio_reply(struct buf *out, struct span session, struct span value, bool several,
		   struct span address);
int socketio_error_named(struct buf *out, const char *code, const char *message,
			 struct span address);
int socketio_place(struct buf *out, const struct seat *seat);
int socketio_refusal(struct buf *out, const char *code, const char *message, struct span address);
int socketio_gap(struct buf *out, const char *session, const char *above, uint64_t from,
		 uint64_t to);
int socketio_presence(struct buf *out, const char *session, const char *above,
		      const struct session_change *change);
int socketio_status(struct buf *out, const char *session, const char *above, uint32_t user_count);
int socketio_left(struct buf *out, const char *session, const char *above, uint32_t user_count);

#endif
