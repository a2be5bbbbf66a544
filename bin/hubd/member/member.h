/* What a client does in sessions and gets from them. A seat is a connection's membership: a member
 * of the session (its cursor), and the connection that it is written to.
 *
 * A seat is joined (joining.c), then perhaps leaving (its answers are still due), then left. Its
 * records: from its catch-up, if it has one, then from the log at its cursor; where the log no
 * longer has those, from the archive, by a request that comes back (reading).
 *
 * The files: seat.c the list of a connection, joining.c, deliver.c flushing and leaving, span.c
 * bytes of many records at a time, submit.c publishing and its acks, direct.c messages to one
 * client, watch.c who is told of sessions, events.c what sessions tell. Doors and dialects call
 * this room; it calls back through the tables of conn/door.h. */
#ifndef HUBD_MEMBER_H
#define HUBD_MEMBER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "conn/conn.h"
#include "session/registry.h"
#include "session/session.h"

#define SEATS_MAX 64 /* sessions of one connection */

struct seat {
	struct member m; /* first */
	struct conn *conn;
	struct seat *next; /* the connection's, latest joined first */
	uint32_t acks_due; /* those that wait for their record to be stored */
	bool leaving : 1;  /* as soon as its acks have come and it has had all until now */
	bool reading : 1;  /* the archive was asked for its next records */
};

/* Bytes of records that were made for one member, for those after it that want the same. */
struct span_cache {
	const struct encoding *encoding;
	uint64_t chunk; /* its serial; 0: nothing is here */
	uint64_t from, to;
	struct buf bytes;
};

/* What this room keeps for each worker. */
struct members {
	struct registry *registry;
	bool resyncs;	       /* --slow resync */
	atomic_size_t direct;  /* bytes of direct messages on their way here */
	struct watch *watches; /* its connections that are told of sessions */
	struct shard *status;  /* sessions whose number of members is to be told, referenced */
	struct span_cache cache;
};

/* --- seat.c */

static inline struct seat *seat_of(struct member *m)
{
	return (struct seat *)m;
}

/* The connection's seat in the session called id, or NULL; one that is leaving counts only for
 * seat_find_any(). A NULL id: the one joined last. */
struct seat *seat_find(const struct conn *c, struct span id);
struct seat *seat_find_any(const struct conn *c, struct span id);

/* Makes it the first of the connection's. */
void seat_link(struct conn *c, struct seat *seat);
void seat_unlink(struct seat *seat);

/* Leaves the session and frees the seat. Returns the number of members left. */
uint32_t seat_free(struct seat *seat);

/* TURN_REAP: of a connection that is closing. */
void seat_reap(struct worker *w, struct turn_entry *e);

/* --- joining.c */

struct join_request {
	struct span session;
	struct session_from from;
	bool echo;
	bool resumes;	    /* an earlier client comes back: */
	uint64_t client;    /* who it was */
	struct span msg_id; /* raw JSON, or empty: errors name it */
};

/* Joins, or moves the seat that is there. dialect->joined() or an error answers, at once or when
 * the archive has been asked; until then the connection is held. */
void member_join(struct conn *c, const struct join_request *request);

/* --- deliver.c */

/* TURN_SESSIONS, TURN_CONNECTIONS. */
void deliver_session(struct worker *w, struct turn_entry *e);
void deliver_connection(struct worker *w, struct turn_entry *e);

/* From the door: room to write again. */
void deliver_writable(struct conn *c);

/* Closes the connection once it has got all that is due to it: from a door whose peer has said all
 * it will, and at the end of the hub. reason lives for ever. */
void deliver_finish(struct conn *c, enum close_code code, const char *reason);

/* The worker's hook: sends connections away, in the end those too that have not got all. */
void deliver_drain(struct worker *w, uint64_t left_ms, bool now);

/* Flushes s to the members of this worker. */
void deliver_wake(struct worker *w, struct session *s);

/* Tells of records that the seat will not get, or not as records. */
void deliver_gap(struct seat *seat, uint64_t from, uint64_t to);

/* Leaves: what was logged and acked before comes before the answer. Takes the seat, now or later.
 */
void deliver_leave(struct seat *seat);

/* --- submit.c */

/* Publishes as the seat; acks where tags.acked. msg_id is raw JSON. Returns HUB_OK, or what
 * session_publish() returns with why in words: static text. */
enum hub_code member_publish(struct seat *seat, struct publication *p, struct span msg_id,
			     const char **why);

/* --- direct.c */

/* Hands a message to the member called client, wherever it is. Borrows blob. Returns HUB_OK,
 * HUB_NOT_MEMBER, HUB_HUB_FULL (too many are on their way there) or HUB_INTERNAL (memory). */
enum hub_code member_direct(struct session *s, struct span client, struct blob *blob);

/* --- events.c */

extern const struct session_events member_events;

/* Once a second: tells members of large sessions how many they are. */
void member_second(struct worker *w);

/* Gives up what the worker's members kept. */
void members_free(struct worker *w);

#endif
