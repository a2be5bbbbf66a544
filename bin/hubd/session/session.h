/* A session: a log and the members that follow it, under one mutex. This room knows no connection,
 * no door and no database: a member is a client's id, a connection's number and a worker, and what
 * happens is told by events that run on the workers.
 *
 * A session is new (not loaded, where there is an archive), then loaded, for ever. It is freed when
 * the last reference on it goes; the registry holds one as long as it has users, and for a while
 * after. One that was deleted is left to its users: the next of its name is another one.
 *
 * Lock order: registry, session, mailbox. What takes a session's lock does not say so; what is to
 * be called under it does, and what is called back under it may call nothing that takes it.
 *
 * What stands in which header, and who has a use for it:
 *
 *   session.h    what all sessions share, a session's life and its workers' parts: everybody
 *   members.h    who is in (members.c), and whose they are (users.c): member/
 *   seek.h       where a member begins (seek.c), is after it was overtaken (resync.c) or wants
 * other cells (areas.c): member/ publish.h    new records (publish.c): member/, dialect/ limits.h
 * what an operator wants of one (limits.c): member/, dialect/ registry.h   all sessions
 * (registry.c, registry_list.c, registry_sweep.c): member/, main.c archive.h    what an archive is
 * asked: store/ and bus/ are such stored.h     what it says (stored.c), of records that it numbers
 * as well (offer.c, numbered.c) away.h       who is at other hubs (away.c), what these say
 * (elsewhere.c) and hear (tell.c): bus/
 *
 * session_impl.h is for the files of the room. These have, besides, members_table.c, contest.c
 * (connections of one client that end each other), bonds.c (state that goes by itself, records that
 * are taken on a condition), trim.c (what is dropped) and look.c. */
#ifndef HUBD_SESSION_H
#define HUBD_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "log/dedup.h"
#include "log/log.h"
#include "log/retained.h"
#include "log/state.h"
#include "loop/worker.h"
#include "session/archive.h"
#include "session/away.h"
#include "session/members.h"
#include "session/stored.h"
#include "wire/log_place.h"

/* Somebody came or went. */
struct session_change {
	bool joined; /* else left */
	uint64_t client;
	uint32_t user_count; /* then */
	uint32_t version;    /* of the member list then: who joined before is to be told */
};

/* What sessions tell a worker that has members of s, on its own thread. */
struct session_events {
	void (*wake)(struct worker *w, struct session *s); /* there are new records */
	void (*presence)(struct worker *w, struct session *s, const struct session_change *change);
	/* The number of members has changed, perhaps often. session_status_told() must follow
	 * before it is told again; w has a reference on s until then. */
	void (*status)(struct worker *w, struct session *s);
	/* The member that joined at `version` is replaced by a new connection of its client. */
	void (*replaced)(struct worker *w, struct session *s, uint64_t client, uint32_t version);
	/* It has state that goes in time, for which registry_expire() is to look. */
	void (*timed)(struct worker *w, struct session *s);
	/* It goes on without its members here: their connections are to come anew. */
	void (*parted)(struct worker *w, struct session *s, bool deleted);
	/* Something for that client, or where user is not empty for all of that user's, came from
	 * another hub. On any thread. */
	void (*direct)(struct session *s, uint64_t client, struct span user, struct span text);
	/* There are sessions that a watch of this worker was not told of. */
	void (*sessions)(struct worker *w);
};

#define SESSION_HASH_KEY_LEN 16 /* crypto_shorthash() */

/* What all sessions share; constant once they exist, but for what `memory` counts. */
struct session_env {
	struct log_limits limits;
	struct log_memory *memory;
	const struct workers *workers;
	struct archive *archive; /* NULL: nothing outlives the process */
	const struct session_events *events;
	const struct keys *keys; /* where records of a state that was read are; NULL: nowhere */
	uint32_t run; /* this hubd from start to end: random, or counted by the archive */
	size_t max_members, state_keys;
	size_t client_keys; /* state records that one client may have set; 0: all of them */
	size_t state_bytes, client_bytes; /* of them, the same; 0: no end */
	uint32_t presence_limit;	  /* members up to which each coming and going is told */
	bool retains; /* keeps records with an ack for members that will be overtaken */
	/* Is told of what is published here, in order, under the session's lock or by the archive
	 * that has numbered it; NULL: nobody is. */
	void (*published)(void *arg, const struct session *s, struct span body, uint64_t seq);
	void *arg;
	unsigned char hash_key[SESSION_HASH_KEY_LEN]; /* session_hash(); random */
};

/* One worker's part of a session, made when it is first needed. */
struct shard {
	struct session *session;
	struct mail wake;	   /* in the mailbox while woken, with a reference on the session */
	struct mail status;	   /* the same, while status_due and not yet told of */
	struct turn_entry dirty;   /* in TURN_SESSIONS with a reference on the session */
	struct shard *status_next; /* for who gets status events */
	struct member *members;	   /* this worker's, in no order, */
	struct member *ticking;	   /* but those that wait for ticks */
	_Atomic uint32_t n;	   /* how many; written under session->lock */
	_Atomic uint64_t low;	   /* no member of this worker still needs a record before it */
	atomic_bool woken, status_due;
	/* Monotonic: since when records wait for this worker's members, or 0; its own. What the
	 * wake brings of that: of who has set `woken`. */
	uint64_t since_ns, wake_ns;
};

struct session {
	atomic_uint refs;
	const struct session_env *env;
	pthread_mutex_t lock;
	struct log log;		   /* lock */
	struct state state;	   /* lock */
	struct dedup dedup;	   /* lock */
	struct retained retained;  /* lock */
	struct users owned;	   /* lock; members that are somebody's */
	struct contests *contests; /* lock; NULL: there was none */
	struct member **table;	   /* lock; by client id, chained */
	uint32_t table_size;	   /* a power of two */
	uint32_t nmembers;	   /* lock; those that are not hidden */
	uint32_t nviewers;	   /* lock; those that are */
	uint32_t version;	   /* lock; counts changes of the member list */
	uint32_t heard;		   /* lock; the last version that the other hubs know of */
	struct aways aways;	   /* lock; who is at another hub, and not here */
	uint64_t epoch;		   /* constant once loaded */
	bool orphans; /* lock; there may be state whose owner has gone: memory was out then */
	bool timed;   /* lock; the registry knows that there is state that goes in time, or will */
	_Atomic uint64_t
	    due_ms;	    /* monotonic: none of that goes before; TIES_NEVER: there is none */
	struct mail timing; /* in the mailbox of the first worker, with a reference */
	bool steered;	    /* lock; there are limits, or it is deleted: limits.c */
	bool deleted;	    /* lock; nobody joins it any more, and nothing is published */
	struct session_limits *limits; /* lock; its own, or NULL */

	/* With an archive; lock. */
	bool loaded;
	bool storing[2];      /* in the archive's lists of those that have something new */
	bool full;	      /* it has its share of the archive */
	uint64_t durable;     /* the last seq that the archive will not lose */
	uint64_t stored;      /* the last seq that can be read there */
	uint64_t stored_acks; /* its writer's: messages in the dedup window there; 0: not known */
	size_t unstored;      /* bytes of the records after it, or on their way to be numbered */
	union {
		struct session *store_next[2]; /* the archive's lists */
		void *far;		       /* the bus's part of it; its thread's alone */
	};
	struct crashes *crashes;
	struct waits waits;

	/* The registry's, under its lock. */
	struct session *hash_next;
	struct session *all_prev, *all_next;
	struct session *idle_prev, *idle_next;
	struct session *timed_prev, *timed_next;
	uint64_t idle_since_ms;
	uint32_t users; /* members, joins under way, limits of its own */
	bool idle;
	bool limited; /* it has limits */
	bool removed; /* it is in the registry no more */
	bool listed;  /* ... in the list of those with state that goes in time */

	uint8_t id_len;
	char id[ENVELOPE_SESSION_MAX + 1];
	_Atomic(struct shard *) shard[]; /* one per worker, or NULL */
};

/* Borrowed. */
static inline struct span session_name(const struct session *s)
{
	return (struct span){s->id, s->id_len};
}

/* A hash of a name that comes from outside, a session's or a user's: nobody there can tell which
 * others have the same. */
uint64_t session_hash(const struct session_env *env, struct span name);

/* --- life: session.c */

/* A new session with one reference, in no registry. NULL: no memory. */
struct session *session_new(const struct session_env *env, struct span id);

/* For any thread that has a reference. */
struct session *session_ref(struct session *s);
void session_unref(struct session *s); /* takes the reference; NULL is fine */

/* The part of worker `index`, or NULL. */
static inline struct shard *session_shard(struct session *s, unsigned index)
{
	return atomic_load_explicit(&s->shard[index], memory_order_acquire);
}

/* All of its members, one after the other, on the worker's thread; NULL: that was the last. */
static inline struct member *shard_first(const struct shard *shard)
{
	return shard->members ? shard->members : shard->ticking;
}

static inline struct member *shard_next(const struct shard *shard, const struct member *m)
{
	return m->shard_next || m->ticks ? m->shard_next : shard->ticking;
}

/* How a place in the session's log is named outside; s is loaded. */
struct log_place session_place(const struct session *s, uint64_t seq);

/* log_view() under the lock. */
void session_view(struct session *s, uint64_t from, struct log_view *view);

/* New records were published on w, which wakes nobody: at the end of w's turn the step
 * TURN_SESSIONS runs with the shard's entry; session_turn() begins it. */
void session_changed(struct session *s, struct worker *w);

/* Since when (monotonic nanoseconds) records have been waiting for the worker's members, 0: there
 * are none, or unknown; from then on for none. On the worker's thread. */
uint64_t session_since(struct shard *shard);

/* Takes a TURN_SESSIONS entry: wakes the other workers that have members of it, and the archive.
 * Returns the session: the reference is the caller's. */
struct session *session_turn(struct worker *w, struct turn_entry *e);

/* --- looking at the state: look.c */

/* Appends the state's records of that key to out, a line each, in no order. Returns how many there
 * are; -EFBIG where they have more than max bytes, or -ENOMEM. *head: what the log's was then. */
int session_state_of(struct session *s, struct span key, struct buf *out, size_t max,
		     uint64_t *head);

#endif
