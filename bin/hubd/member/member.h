/* What a client does in sessions and gets from them. A seat is a connection's membership: a member
 * of the session (its cursor), and the connection that it is written to.
 *
 * A seat is joined (joining.c), then perhaps leaving (its answers are still due), then left. Its
 * records: from its catch-up, if it has one, then from the log at its cursor; where the log no
 * longer has those, from the archive, by a request that comes back (reading).
 *
 * The files: rights.c what one may, seat.c the list of a connection, joining.c, deliver.c flushing
 * and leaving, wake.c who is flushed when, span.c bytes of many records at a time, submit.c
 * publishing and its acks, direct.c messages to one client, watch.c who is told of sessions,
 * events.c what sessions tell, steer.c what an operator does; trail.h, absent.h: what clients come
 * back to that were in rooms; select.h: what members want of the records, and how. Doors and
 * dialects call this room; it calls back through the tables of conn/door.h. */
#ifndef HUBD_MEMBER_H
#define HUBD_MEMBER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/bans.h"
#include "auth/ended.h"
#include "base/buf.h"
#include "conn/conn.h"
#include "conn/deflation.h"
#include "member/select.h"
#include "session/members.h"
#include "session/registry.h"
#include "session/seek.h"
#include "session/session.h"

struct publication;
struct published;

#define SEATS_MAX 64 /* sessions of one connection */
#define SEAT_NUMBER_BITS 28
#define RIGHTS_WHY_MAX 320 /* bytes of a refusal */
#define AUTHENTICATE_S 5   /* for who has shown no token yet */
#define PACE_BUCKETS 256

/* What few seats have. */
struct seat_more {
	struct selection *select;  /* a reference; NULL: it wants all, as it is and at once */
	struct pace *pace;	   /* a reference; NULL: it has no tick */
	uint64_t ahead;		   /* up to there it has had what does not wait for the tick */
	struct interest *interest; /* another area that it is to have; NULL: none */
	struct trail *trail;	   /* trail.h, of one that is above others; or NULL */
};

struct seat {
	struct member m; /* first */
	struct conn *conn;
	struct seat *next;	/* the connection's, latest joined first */
	struct seat *above;	/* of a room: the seat for whose sake it was joined, or NULL */
	uint32_t acks_due : 24; /* those that wait for their record to be stored */
	uint32_t leaving : 1;	/* as soon as its acks have come and it has had all until now */
	uint32_t reading : 1;	/* the archive was asked for its next records */
	uint32_t ordered : 1;	/* its messages must not overtake one that is refused for now */
	uint32_t held : 1;	/* one was; nothing with a msg_id is taken until it joins again */
	uint32_t blind : 1;	/* it may not read: it gets no records */
	uint32_t granted : 1;	/* by the operator's rules, whatever its token gives */
	uint32_t others : 1;	/* it has sent records that it does not get itself */
	uint32_t awaited : 1;	/* its dialect's at_head() is due */
	uint32_t rooms : 1;	/* it is above others, or was */
	uint32_t met : 1;	/* the dialect's: rules were told that it is there */
	uint32_t whole : 1;	/* it does not have all that patches are of */
	uint32_t returned : 1;	/* the dialect's: it has come back as it was, so far */
	uint32_t number
	    : SEAT_NUMBER_BITS; /* of its worker's, by which it is told from one in its place */
	uint32_t direct; /* bytes of messages to it alone that wait in the connection's queue */
	struct seat_more *more; /* or NULL */
};

/* Made where there is none; NULL: no memory. */
struct seat_more *seat_more(struct seat *seat);

static inline struct selection *seat_selection(const struct seat *seat)
{
	return seat->more ? seat->more->select : NULL;
}

static inline struct pace *seat_pace(const struct seat *seat)
{
	return seat->more ? seat->more->pace : NULL;
}

static inline uint64_t seat_ahead(const struct seat *seat)
{
	return seat->more ? seat->more->ahead : 0;
}

static inline struct interest *seat_interest(const struct seat *seat)
{
	return seat->more ? seat->more->interest : NULL;
}

static inline struct trail *seat_trail(const struct seat *seat)
{
	return seat->more ? seat->more->trail : NULL;
}

/* Records of one chunk, made for some members, for those after them that want the same. */
struct span_cache {
	struct span_key key;
	uint64_t from, to; /* which ones */
	uint64_t used;	   /* when it was last, in uses */
	uint32_t round;	   /* of the worker's sends, when they were last added to these */
	struct deflation_share share;
	struct buf bytes;
	uint32_t *end; /* of each, in bytes */
	size_t room;   /* of end */
};

/* Members that lag are in several chunks, and more than one encoding is wanted. */
#define SPAN_CACHES 16

/* What this room keeps for each worker. */
struct members {
	struct registry *registry;
	struct bans *bans;	 /* of the hub; NULL: nobody is banned */
	struct ended *ended;	 /* the same; NULL: nobody was sent away */
	struct absents *absents; /* the same; NULL: nobody is */
	bool resyncs;		 /* --slow resync */
	atomic_size_t direct;	 /* bytes of direct messages on their way here */
	struct watch *watches;	 /* its connections that are told of sessions */
	struct shard *status;	 /* sessions whose number of members is to be told, referenced */
	struct span_cache cache[SPAN_CACHES];
	uint64_t uses;		    /* of the cache */
	struct deflation deflation; /* of both */
	struct buf some;	    /* records without those of their sender, for one write */
	struct select_cache own;    /* the same of who selects */
	uint32_t seats;		    /* that were made, for their numbers */
	struct selection *selections[SELECT_BUCKETS]; /* of its members; bases are the first's */
	struct pace *paces[PACE_BUCKETS], *due;
	char why[RIGHTS_WHY_MAX]; /* of the last refusal */
};

/* --- rights.c */

/* Whether the connection may do that in the session; RIGHT_PUBLISH looks at the type, too, and
 * counts the message; RIGHT_TYPES looks at nothing else, and counts it. Who has no identity may do
 * what its door is trusted with. Returns HUB_OK, or HUB_UNAUTHENTICATED, HUB_FORBIDDEN or
 * HUB_RATE_LIMITED with a sentence in *why that is good until the next refusal. */
enum hub_code member_may(struct conn *c, enum right right, struct span session, struct span type,
			 const char **why);

/* Verifies a token, now. Returns a new reference, or NULL where it is not good: that is counted,
 * and said in the log, of the connection or, with NULL, of a request. */
struct identity *member_verify(struct worker *w, struct conn *c, const struct auth *auth,
			       struct span token);

/* Whether nothing keeps out who shows a token, or comes from an address; each may be NULL. HUB_OK,
 * HUB_UNAUTHORIZED (the token was revoked) or HUB_BANNED, counted, with static text in *why. */
enum hub_code member_admits(struct worker *w, const struct identity *id, const struct address *a,
			    const char **why);

/* Makes the connection that of id, which is of the same user where it was somebody's, or was in
 * sessions; takes no reference. What it may no longer do ends: it leaves sessions, and is told.
 * Returns HUB_OK, HUB_FORBIDDEN (another user) or HUB_INTERNAL (memory), with static text in *why.
 */
enum hub_code member_identify(struct conn *c, struct identity *id, const char **why);

/* What is said to who is on another connection now. */
#define SEAT_REPLACED "replaced by a new connection of the same client"

/* What is said where a user has as many connections as he may. */
#define USER_FULL "this user has as many connections as he may"

/* What presence shows of the connection besides who it is: info is JSON. Returns 0 or -ENOMEM. */
int member_show(struct conn *c, struct span info);

/* --- seat.c */

/* The connection's seat in the session called id, or NULL; one that is leaving counts only for
 * seat_find_any(). A NULL id: the one joined last. */
struct seat *seat_find(const struct conn *c, struct span id);
struct seat *seat_find_any(const struct conn *c, struct span id);

/* Leaves the session and frees the seat, and before it its rooms. Returns the number of members
 * left. */
uint32_t seat_free(struct seat *seat);

/* TURN_REAP: of a connection that is closing. */
void seat_reap(struct worker *w, struct turn_entry *e);

/* --- joining.c */

struct join_request {
	struct span session;
	struct session_from from;
	bool echo;
	bool hidden;		  /* a viewer: it counts, but nobody is told of it */
	bool ordered;		  /* seat.ordered */
	uint64_t ahead;		  /* seat_more.ahead; of a past */
	bool settles;		  /* member.settles */
	bool resumes;		  /* an earlier client comes back: */
	uint64_t client;	  /* who it was */
	struct span msg_id;	  /* raw JSON, or empty: errors name it */
	bool granted;		  /* by the operator's rules: its rights do not matter */
	struct seat *above;	  /* it becomes a room of that one; NULL: it is none, or no more */
	struct selection *select; /* borrowed; NULL: none */
	/* Where not NULL: once, what became of it, instead of dialect->refused(), of which it has
	 * what is said; seat is NULL where it was refused. Not called for a connection that closes
	 * meanwhile. */
	void (*done)(struct conn *c, struct seat *seat, enum hub_code code, const char *why,
		     uint32_t retry_s);
};

/* Joins, or moves the seat that is there. dialect->joined() or an error answers, at once or when
 * the archive has been asked; until then the connection is held. */
void member_join(struct conn *c, const struct join_request *request);

/* --- opening.c */

struct opening {
	struct span session;
	bool create; /* where there is no such session yet */
	/* Once, at once or when the archive has been asked; until then the connection is held. s is
	 * loaded, and used by the callee, who gives it up by member_release(); NULL: code and why,
	 * static text, say why there is none (HUB_NOT_FOUND, ...). Not called for a connection that
	 * closes meanwhile. */
	void (*done)(struct conn *c, struct session *s, enum hub_code code, const char *why);
};

/* Gets a session for a connection that need not be a member of it. */
void member_open(struct conn *c, const struct opening *opening);
void member_release(struct conn *c, struct session *s);

/* --- wake.c */

/* TURN_SESSIONS. */
void deliver_session(struct worker *w, struct turn_entry *e);

/* The worker's alarm: who waits for a tick that has come. */
void deliver_ticks(struct worker *w);

/* --- deliver.c */

/* TURN_CONNECTIONS. */
void deliver_connection(struct worker *w, struct turn_entry *e);

/* From the door: room to write again. */
void deliver_writable(struct conn *c);

/* Closes the connection once it has got all that is due to it: from a door whose peer has said all
 * it will, and at the end of the hub. reason lives for ever. */
void deliver_finish(struct conn *c, enum close_code code, const char *reason);

/* The worker's hook: sends connections away, in the end those too that have not got all. */
void deliver_drain(struct worker *w, uint64_t left_ms, bool now);

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

/* The same without asking whether it may. */
enum hub_code submit_seat(struct seat *seat, struct publication *p, struct span msg_id,
			  const char **why);

/* Publishes for who need be no member, and wakes those who are, on w. As session_publish(), with
 * why in words. */
enum hub_code submit_record(struct session *s, struct worker *w, struct publication *p,
			    struct published *out, const char **why);

/* --- direct.c */

/* Hands a message to the member called client, or to all of "@" and a user, wherever they are.
 * Borrows blob. Returns HUB_OK, HUB_NOT_MEMBER, HUB_RATE_LIMITED (it has not read those before; of
 * several of a user, who has not goes without), HUB_HUB_FULL (too many are on their way there) or
 * HUB_INTERNAL (memory). */
enum hub_code member_direct(struct session *s, struct span client, struct blob *blob);

/* --- watch.c */

/* Has c told of all sessions, from the first one on. Returns HUB_OK, HUB_HUB_FULL (too many are) or
 * HUB_INTERNAL (memory). */
enum hub_code watch_start(struct conn *c);

/* --- events.c */

extern const struct session_events member_events;

/* Once a second: tells members of large sessions how many they are. */
void member_second(struct worker *w);

/* Gives up what the worker's members kept. */
void members_free(struct worker *w);

#endif
