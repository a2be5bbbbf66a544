/* Who is in a session: members, and whose they are. A member stands in the session's table (under
 * the lock, so that other workers find it by client id) and in the list of its worker's shard (that
 * worker's thread alone). Nothing else of a member is touched by other threads, but for `info`,
 * under the lock. */
#ifndef HUBD_MEMBERS_H
#define HUBD_MEMBERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "loop/worker.h"
#include "wire/blob.h"

struct catchup;
struct session;
struct session_from;
struct session_joined;
struct shard;

/* A cursor in the session's log. */
struct member {
	struct session *session;   /* a reference */
	struct member *shard_next; /* the worker's other members of the session */
	struct member **shard_link;
	struct member *hash_next; /* session->lock */
	struct blob *info;	  /* session->lock; a reference: what it says of itself, or NULL */
	struct catchup *catchup;  /* what it gets before its next record, or NULL */
	struct member_user *user; /* session->lock: whose it is, or NULL */
	uint64_t client;
	uint64_t cursor;    /* seq of the next record it gets */
	uint64_t last_sent; /* seq of the last record that it sent */
	uint32_t version;   /* of the member list, when it joined: no other member has it */
	uint32_t born;	    /* the connection's number: connections count as they are accepted */
	uint8_t worker;	    /* index */
	bool echo;	    /* wants its own records back */
	bool hidden;	    /* a viewer: it only reads, and nobody is told of it */
	bool ticks;	    /* it waits for ticks */
	bool settles;	    /* whose place it takes hears so and does not come back: no contest */
	_Atomic uint32_t direct; /* bytes of messages to it alone that it has not taken yet */
};

/* Whose members are; session->lock. */
struct member_user {
	struct member_user *next;
	union {
		struct member *one;   /* his only member */
		struct member **many; /* where he has more than one, in no order */
	};
	uint32_t n, hash;
	uint16_t len;
	char text[];
};

/* All whose members are in a session. Zeroed at the start. */
struct users {
	struct member_user **table; /* chained */
	uint32_t size;		    /* a power of two, or 0 */
	uint32_t n;
};

/* Makes m a member of s and moves it to where it wants to begin. Sets m->session (a new reference),
 * m->cursor, m->catchup, m->user and m->version. The caller has set client, born, worker, info
 * (of which it takes a reference), echo, hidden and settles. A member of the same client on another
 * connection is told to go. It stays where it is younger: HUB_FORBIDDEN; and where the two have
 * ended each other too often: HUB_IN_USE, with out->retry_s (contest.h). Returns HUB_OK (but see
 * out->ask), HUB_SESSION_FULL, HUB_NOT_FOUND (it was deleted) or HUB_INTERNAL (memory); but for
 * HUB_OK m is no member. */
enum hub_code session_join(struct session *s, struct member *m, const struct session_from *from,
			   struct session_joined *out);

/* Undoes session_join(), tells the others, and gives up what the member holds: its catch-up, its
 * info and its reference on the session. Returns the number of members left. */
uint32_t session_leave(struct member *m);

/* It waits for ticks from now on, or does not: on its worker's thread. */
void session_set_ticks(struct member *m, bool ticks);

/* Replaces what presence shows of m, and tells other hubs. Takes a reference of its own on info. */
void session_set_info(struct member *m, struct blob *info);

/* The worker of the member called client, which so many bytes of a message to it alone are counted
 * for. NULL: there is none; or, *full, it has as many as max already. */
struct worker *session_locate(struct session *s, uint64_t client, uint32_t bytes, uint32_t max,
			      bool *full);
/* They are not under way any more: for the member's worker; and where they never were. */
void session_direct_done(struct member *m, uint32_t bytes);
void session_unlocate(struct session *s, uint64_t client, uint32_t bytes);

/* The member called client on worker `self`, or NULL; with version not 0, the one that joined then.
 * Borrowed; for its worker only. */
struct member *session_find(struct session *s, uint64_t client, uint32_t version, unsigned self);

/* The workers that have members of that user: bit i is worker i. */
uint64_t session_locate_user(struct session *s, struct span user);

/* Calls each() for those of worker `self`, whose thread it is, under the lock. */
void session_each_of_user(struct session *s, struct span user, unsigned self,
			  void (*each)(struct member *m, void *arg), void *arg);

/* Calls each() for at most max members that are not hidden, under the lock: of those at other hubs
 * it sees client and info only. Returns how many there are. */
uint32_t session_each_member(struct session *s, size_t max,
			     void (*each)(const struct member *m, void *arg), void *arg);

/* How many members there are that are not hidden, those at other hubs included. */
uint32_t session_user_count(struct session *s);

/* The members of a worker are to be told how many there are, by a status event. */
void session_status_due(struct shard *shard);

/* A status event was told of. Takes no reference. */
void session_status_told(struct shard *shard);

#endif
