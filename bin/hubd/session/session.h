/* A session: a log and the members that follow it, under one mutex. This room knows no connection,
 * no door and no database: a member is a client's id, a connection's number and a worker, and what
 * happens is told by events that run on the workers.
 *
 * A session is new (not loaded, where there is an archive), then loaded, for ever. It is freed when
 * the last reference on it goes; the registry holds one as long as it has users, and for a while
 * after.
 *
 * Lock order: registry, session, mailbox. A member stands in the session's table (under the lock,
 * so that other workers find it by client id) and in the list of its worker's shard (that worker's
 * thread alone). Nothing else of a member is touched by other threads, but for `info`, under the
 * lock.
 *
 * The files: session.c life and shards, members.c who is in, seek.c where a member begins,
 * publish.c new records, stored.c what an archive has, resync.c members that were overtaken, trim.c
 * what is dropped, registry.c all sessions. */
#ifndef HUBD_SESSION_H
#define HUBD_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "json/envelope.h"
#include "log/dedup.h"
#include "log/log.h"
#include "log/retained.h"
#include "log/state.h"
#include "loop/worker.h"
#include "session/archive.h"
#include "wire/blob.h"

struct session;

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
	/* There are sessions that a watch of this worker was not told of. */
	void (*sessions)(struct worker *w);
};

/* What all sessions share; constant once they exist, but for what `memory` counts. */
struct session_env {
	struct log_limits limits;
	struct log_memory *memory;
	const struct workers *workers;
	struct archive *archive; /* NULL: nothing outlives the process */
	const struct session_events *events;
	uint32_t run; /* this hubd from start to end: random, or counted by the archive */
	size_t max_members, state_keys;
	uint32_t presence_limit; /* members up to which each coming and going is told */
	bool retains;		 /* keeps records with an ack for members that will be overtaken */
};

/* A cursor in the session's log. */
struct member {
	struct session *session;   /* a reference */
	struct member *shard_next; /* the worker's other members of the session */
	struct member **shard_link;
	struct member *hash_next; /* session->lock */
	struct blob *info;	  /* session->lock; a reference: what it says of itself, or NULL */
	struct catchup *catchup;  /* what it gets before its next record, or NULL */
	uint64_t client;
	uint64_t cursor;    /* seq of the next record it gets */
	uint64_t last_sent; /* seq of the last record that it sent */
	uint32_t version;   /* of the member list, when it joined: no other member has it */
	uint32_t born;	    /* the connection's number: connections count as they are accepted */
	uint8_t worker;	    /* index */
	bool echo;	    /* wants its own records back */
};

/* Records on their way to a member, before the log goes on at its cursor. */
struct catchup {
	struct chunk *chunk; /* a reference; a chain of n records, numbered from 1 */
	uint64_t at;	     /* the number of the next one */
	uint64_t n;
	uint64_t skip; /* no records of this sender; 0: all */
};

/* One worker's part of a session, made when it is first needed. */
struct shard {
	struct session *session;
	struct mail wake;	   /* in the mailbox while woken, with a reference on the session */
	struct mail status;	   /* the same, while status_due and not yet told of */
	struct turn_entry dirty;   /* in TURN_SESSIONS with a reference on the session */
	struct shard *status_next; /* for who gets status events */
	struct member *members;	   /* this worker's, in no order */
	_Atomic uint32_t n;	   /* how many; written under session->lock */
	_Atomic uint64_t low;	   /* no member of this worker still needs a record before it */
	atomic_bool woken, status_due;
};

/* Who waits until its record is stored: allocated by malloc() with this first, so that a session
 * that ends, or another connection that waits for the same, can give it up by free(). */
struct stored_wait {
	struct mail done; /* posted to worker, with `session` a reference that is its own */
	struct worker *worker;
	struct session *session;
	uint64_t seq;
	uint32_t version; /* of the member that waits */
};

/* All of a session's, one for a seq at most, in the order of it: a ring. Zeroed at the start. */
struct waits {
	struct stored_wait **at;
	uint32_t cap; /* a power of two */
	uint32_t first, n;
};

/* The heads that earlier runs of the hub left behind where they ended in a crash, by run. */
struct crashes {
	size_t n;
	struct crash {
		uint32_t run;
		uint64_t head;
	} at[];
};

struct session {
	atomic_uint refs;
	const struct session_env *env;
	pthread_mutex_t lock;
	struct log log;		  /* lock */
	struct state state;	  /* lock */
	struct dedup dedup;	  /* lock */
	struct retained retained; /* lock */
	struct member **table;	  /* lock; by client id, chained */
	uint32_t table_size;	  /* a power of two */
	uint32_t nmembers;	  /* lock */
	uint32_t version;	  /* lock; counts changes of the member list */
	uint64_t epoch;		  /* constant once loaded */

	/* With an archive; lock. */
	bool loaded;
	bool storing;	 /* in the archive's list of those that have something new */
	uint64_t stored; /* the last seq that is kept there */
	struct session *store_next;
	struct crashes *crashes;
	struct waits waits;

	/* The registry's, under its lock. */
	struct session *hash_next;
	struct session *all_prev, *all_next;
	struct session *idle_prev, *idle_next;
	uint64_t idle_since_ms;
	uint32_t users; /* members, joins under way */
	bool idle;

	uint8_t id_len;
	char id[ENVELOPE_SESSION_MAX + 1];
	_Atomic(struct shard *) shard[]; /* one per worker, or NULL */
};

/* --- life: session.c */

/* A new session with one reference, in no registry. NULL: no memory. */
struct session *session_new(const struct session_env *env, struct span id);

struct session *session_ref(struct session *s);
void session_unref(struct session *s); /* takes the reference; NULL is fine */

/* The part of worker `index`, or NULL. */
static inline struct shard *session_shard(struct session *s, unsigned index)
{
	return atomic_load_explicit(&s->shard[index], memory_order_acquire);
}

/* The same, made where there is none: under the lock. NULL: no memory. */
struct shard *session_shard_make(struct session *s, unsigned index);

/* log_view() under the lock. */
void session_view(struct session *s, uint64_t from, struct log_view *view);

/* New records were published on w, which wakes nobody: at the end of w's turn the step
 * TURN_SESSIONS runs with the shard's entry; session_turn() begins it. */
void session_changed(struct session *s, struct worker *w);

/* Takes a TURN_SESSIONS entry: wakes the other workers that have members of it, and the archive.
 * Returns the session: the reference is the caller's. */
struct session *session_turn(struct worker *w, struct turn_entry *e);

/* --- who is in: members.c */

struct session_joined {
	bool ask; /* nothing was done: an archive's ARCHIVE_OPEN has to come first */
	uint64_t epoch;
	uint64_t seq;	   /* head at the join */
	uint64_t gap_to;   /* the records since + 1 to gap_to are not kept; 0: no such gap */
	uint64_t since;	   /* of a gap, or of what is left */
	uint64_t snapshot; /* state records that follow */
	uint32_t user_count;
	bool recovered;
	bool rest;	    /* what is left of a past that is not recovered follows */
	const char *reason; /* why a wanted past is not recovered, or NULL */
};

/* Where a member wants to begin. */
struct session_from {
	bool has_since, has_epoch;
	bool rest; /* where that past is not all there, what is left of it */
	uint64_t since;
	uint64_t epoch;
	bool has_run;
	uint32_t run;	 /* the hub's run in which it got its resume token */
	bool opened;	 /* an ARCHIVE_OPEN of just now said: */
	uint64_t stored; /* the first seq kept there */
};

/* Makes m a member of s and moves it to where it wants to begin. Sets m->session (a new reference),
 * m->cursor, m->catchup and m->version. The caller has set client, born, worker, info (taken over
 * by a new reference) and echo. A member of the same client on another connection is told to go,
 * or, where that connection is younger, stays: HUB_FORBIDDEN. Returns HUB_OK (but see out->ask),
 * HUB_SESSION_FULL or HUB_INTERNAL (memory). */
enum hub_code session_join(struct session *s, struct member *m, const struct session_from *from,
			   struct session_joined *out);

/* Undoes session_join(), tells the others, and gives up what the member holds: its catch-up, its
 * info and its reference on the session. Returns the number of members left. */
uint32_t session_leave(struct member *m);

/* Replaces what presence shows of m. Borrows info. */
void session_set_info(struct member *m, struct blob *info);

/* The worker of the member called client, or NULL. */
struct worker *session_locate(struct session *s, uint64_t client);

/* The member called client on worker `self`, or NULL; with version not 0, the one that joined then.
 * Borrowed; for its worker only. */
struct member *session_find(struct session *s, uint64_t client, uint32_t version, unsigned self);

/* Calls each() for at most max members, under the lock; returns the number of members. */
uint32_t session_each_member(struct session *s, size_t max,
			     void (*each)(const struct member *m, void *arg), void *arg);

uint32_t session_user_count(struct session *s);

/* A status event was told of. Takes no reference. */
void session_status_told(struct shard *shard);

/* --- where a member begins: seek.c */

/* Moves a member to where it wants to begin. Returns HUB_OK (but see out->ask) or HUB_INTERNAL
 * (memory). */
enum hub_code session_seek(struct member *m, const struct session_from *from,
			   struct session_joined *out);

/* The same under the lock, for a member without a catch-up that is not in the table yet. */
enum hub_code session_seek_locked(struct session *s, struct member *m,
				  const struct session_from *from, struct session_joined *out);

/* Gives a member records to get before its next one. Takes chunk. Returns 0 or -ENOMEM. */
int member_catch_up(struct member *m, struct chunk *chunk, uint64_t n, uint64_t skip);
void member_drop_catchup(struct member *m);

/* --- new records: publish.c */

/* A record to be. */
struct publication {
	struct span body; /* the record up to its seq */
	struct span type;
	struct span key;  /* where tags.class says that there is one */
	struct slot tags; /* all but its place and `key` */
	/* Where not NULL: waits for the record to be stored, where it is not yet. Its done.run,
	 * worker and version are set. */
	struct stored_wait *wait;
};

struct published {
	uint64_t seq;  /* 0: not known yet; then the wait is told */
	bool repeated; /* a message with that tags.msg was published before, as seq */
	bool waits;    /* the wait was taken, and will be told */
	bool waited;   /* it was not: the member waits for the same already */
};

/* Appends a record, and makes it part of the state; the publisher need be no member. A repeat of a
 * message with an ack changes nothing and gives the first one's seq. Nobody is woken:
 * session_changed(). Returns HUB_OK, HUB_SESSION_FULL (too many state keys), HUB_HUB_FULL (no room
 * for more state) or HUB_INTERNAL (memory, or the archive fails). */
enum hub_code session_publish(struct session *s, struct publication *p, uint64_t now_ms,
			      struct published *out);

/* Of messages with an ack that are not logged: whether it was seen before; that it was. */
bool session_knows(struct session *s, uint64_t msg);
void session_remember(struct session *s, uint64_t msg);

/* --- what an archive has: stored.c */

/* What an archive keeps of a session, read without any lock. */
struct session_image {
	bool found;
	uint64_t epoch, head;
	struct state state;
	struct dedup dedup;
	struct crashes *crashes; /* by malloc(), or NULL */
};

void session_image_init(struct session_image *image, const struct session_env *env);
void session_image_free(struct session_image *image, const struct session_env *env);

/* A message of the dedup window, the oldest first. Returns 0 or -ENOMEM. */
int session_image_ack(struct session_image *image, const struct session_env *env, uint64_t hash,
		      uint64_t seq);

/* Whether that is to be read at all; and that it was: takes what the image holds, and makes the
 * session loaded, but once. For the archive's thread. */
bool session_wants_image(struct session *s);
void session_load(struct session *s, struct session_image *image);

/* Everything up to seq is kept: tells those who wait for it. */
void session_stored(struct session *s, uint64_t seq);

/* Under the lock: makes sure that session_wait() has room; 0 or -ENOMEM. And, for a seq that is not
 * stored: takes wait, in the place of an older member's that waits for the same; false where the
 * same member or a younger one does. */
int session_wait_reserve(struct session *s);
bool session_wait(struct session *s, struct stored_wait *wait, uint64_t seq);

/* --- members that were overtaken: resync.c */

/* Moves a member that the log has overtaken to its head, by way of the state and of the records
 * with an ack that it has not had, in order. *gap_to: the last seq withheld. Returns 0, -ENOMEM, or
 * -ESTALE where such records are lost. */
int session_resync(struct member *m, uint64_t *gap_to);

/* --- what is dropped: trim.c, under the lock */

/* Drops what nobody needs of the log. */
void session_trim(struct session *s, uint64_t now_ms);

/* Counts what the dedup window has grown or shrunk by. */
void session_count_dedup(const struct session_env *env, size_t before, size_t after);

#endif
