/* A session: a log and the members that follow it, under one mutex. This room knows no connection,
 * no door and no database: a member is a client's id, a connection's number and a worker, and what
 * happens is told by events that run on the workers.
 *
 * A session is new (not loaded, where there is an archive), then loaded, for ever. It is freed when
 * the last reference on it goes; the registry holds one as long as it has users, and for a while
 * after. One that was deleted is left to its users: the next of its name is another one.
 *
 * Lock order: registry, session, mailbox. A member stands in the session's table (under the lock,
 * so that other workers find it by client id) and in the list of its worker's shard (that worker's
 * thread alone). Nothing else of a member is touched by other threads, but for `info`, under the
 * lock.
 *
 * The files: session.c life and shards, members.c who is in, users.c whose they are, away.c who is
 * at other hubs, seek.c where a member begins, area.c what it has to get elsewhere, publish.c new
 * records, stored.c what an archive has, look.c a look at the state, resync.c members that were
 * overtaken, bonds.c state that goes by itself and records that are taken on a condition, offer.c
 * and numbered.c records that are numbered elsewhere, trim.c what is dropped, limits.c what an
 * operator wants of one, registry.c all sessions. */
#ifndef HUBD_SESSION_H
#define HUBD_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "json/envelope.h"
#include "json/terms.h"
#include "log/dedup.h"
#include "log/log.h"
#include "log/retained.h"
#include "log/state.h"
#include "loop/worker.h"
#include "session/archive.h"
#include "wire/blob.h"
#include "wire/log_place.h"

struct session;

/* What one session is held to instead of what all are; SESSION_USUAL: that. */
#define SESSION_USUAL INT64_MAX
struct session_limits {
	int64_t max_members;
	int64_t messages, bytes; /* of records a second, and twice as much at once; usually any */
	int64_t history, history_bytes;
	uint64_t message_bucket, byte_bucket; /* loop/bucket.h */
};

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
};

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

/* Records on their way to a member, before the log goes on at its cursor. */
struct catchup {
	struct chunk *chunk; /* a reference; a chain of n records, numbered from 1 */
	uint64_t at;	     /* the number of the next one */
	uint64_t n;
	uint64_t skip; /* no records of this sender; 0: all */
	uint64_t
	    first; /* seq of its first one, where they stand before the cursor; 0: they do not */
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

/* Who waits until its record is stored: allocated by malloc() with this first, so that a session
 * that ends, or another connection that waits for the same, can give it up by free(). */
struct stored_wait {
	struct mail done; /* posted to worker, with `session` a reference that is its own */
	struct worker *worker;
	struct session *session;
	uint64_t seq;
	uint32_t version; /* of the member that waits; 0: no member does */
	/* Where records are numbered elsewhere: HUB_OK, or why there is none, with static text; of
	 * HUB_CONFLICT `seq` is the key's last record. */
	enum hub_code code;
	const char *why;
};

/* All of a session's, one of a member for a seq at most, in the order of it: a ring. Zeroed at the
 * start. */
struct waits {
	struct stored_wait **at;
	uint32_t cap; /* a power of two */
	uint32_t first, n;
};

/* A member at another hub. */
struct away {
	struct away *next, *user_next; /* of those alike */
	struct blob *info;	       /* a reference, or NULL */
	uint64_t client, node;
	uint32_t round; /* in which he was told of last */
	uint32_t user_hash;
	uint16_t user_len;
	char user[];
};

/* All of a session's, by client and by user. Zeroed at the start. */
struct aways {
	struct away **table, **users;
	uint32_t size, n; /* size is a power of two, or 0 */
	uint32_t both;	  /* of them: here as well, but about to leave */
	uint32_t round;
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
	bool storing;	 /* in the archive's list of those that have something new */
	bool full;	 /* it has its share of the archive */
	uint64_t stored; /* the last seq that is kept there */
	size_t unstored; /* bytes of the records after it, or on their way to be numbered */
	union {
		struct session *store_next;
		void *far; /* the bus's part of it; its thread's alone */
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

/* All of its members, one after the other; NULL: that was the last. */
static inline struct member *shard_first(const struct shard *shard)
{
	return shard->members ? shard->members : shard->ticking;
}

static inline struct member *shard_next(const struct shard *shard, const struct member *m)
{
	return m->shard_next || m->ticks ? m->shard_next : shard->ticking;
}

/* The same, made where there is none: under the lock. NULL: no memory. */
struct shard *session_shard_make(struct session *s, unsigned index);

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

/* Records that came by no worker: wakes all that have members of s. */
void session_wake(struct session *s, uint64_t since_ns);

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
	uint32_t retry_s; /* of HUB_IN_USE: it may ask again then */
	bool recovered;
	bool rest;	    /* what is left of a past that is not recovered follows */
	const char *reason; /* why a wanted past is not recovered, or NULL */
};

/* Where a member wants to begin. */
struct session_from {
	bool has_since, has_epoch;
	bool rest; /* where that past is not all there, what is left of it */
	bool bare; /* no state, whatever it gets */
	uint64_t since;
	uint64_t epoch;
	bool has_run;
	uint32_t run;	 /* the hub's run in which it got its resume token */
	bool opened;	 /* an ARCHIVE_OPEN of just now said: */
	uint64_t stored; /* the first seq kept there */
	/* It wants what is in these cells, and anywhere; borrowed. NULL: all. What is in an archive
	 * only it does not get: nobody knows where that is. */
	const struct area *area;
	struct span user; /* and whose it is; empty: nobody's in particular */
};

/* Under the lock: tells the members that one came or went; tells this hub's connections of a client
 * to go, of which the others knew before he joined at another; whether he is here. */
void session_announce(struct session *s, bool joined, uint64_t client);
bool session_replaced_away(struct session *s, uint64_t client); /* false: it is younger */
bool session_is_here(struct session *s, uint64_t client);

/* Makes m a member of s and moves it to where it wants to begin. Sets m->session (a new reference),
 * m->cursor, m->catchup, m->user and m->version. The caller has set client, born, worker, info
 * (taken over by a new reference) and echo. A member of the same client on
 * another connection is told to go. It stays where it is younger: HUB_FORBIDDEN; and where the two
 * have ended each other too often: HUB_IN_USE, with out->retry_s (contest.h).
 * Returns HUB_OK (but see out->ask), HUB_SESSION_FULL, HUB_NOT_FOUND (it was deleted) or
 * HUB_INTERNAL (memory). */
enum hub_code session_join(struct session *s, struct member *m, const struct session_from *from,
			   struct session_joined *out);

/* Undoes session_join(), tells the others, and gives up what the member holds: its catch-up, its
 * info and its reference on the session. Returns the number of members left. */
uint32_t session_leave(struct member *m);

/* It waits for ticks from now on, or does not: on its worker's thread. */
void session_set_ticks(struct member *m, bool ticks);

/* members_table.c, under the lock: a member that is that client, or NULL; others that are stand
 * behind it, by hash_next, among others. And who is one. */
struct member *session_client(struct session *s, uint64_t client);
void session_table_add(struct session *s, struct member *m);
void session_table_remove(struct session *s, struct member *m);

/* Replaces what presence shows of m. Borrows info. */
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

/* Members by their user: users.c. Under the lock: one comes, or goes. 0 or -ENOMEM; who is hidden
 * is nobody's. */
int session_user_add(struct session *s, struct member *m, struct span user);
void session_user_remove(struct session *s, struct member *m);

/* The workers that have members of that user: bit i is worker i. */
uint64_t session_locate_user(struct session *s, struct span user);

/* Calls each() for those of worker `self`, whose thread it is, under the lock. */
void session_each_of_user(struct session *s, struct span user, unsigned self,
			  void (*each)(struct member *m, void *arg), void *arg);

/* Calls each() for at most max members that are not hidden, under the lock; returns how many there
 * are. */
uint32_t session_each_member(struct session *s, size_t max,
			     void (*each)(const struct member *m, void *arg), void *arg);

uint32_t session_user_count(struct session *s);

/* The members of a worker are to be told how many there are, by a status event. */
void session_status_due(struct shard *shard);

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

/* What a member has to get that is to see other cells from now on. */
struct session_entered {
	uint64_t head;	     /* behind that record */
	struct chunk *state; /* a reference: n records, oldest first; NULL where n is 0 */
	uint64_t n;
};

/* The state of the cells of `to` that are not of `from`, and each(arg) for every record that is in
 * those of `from` and not of `to`: under the lock. NULL: all cells. Takes as long as the cells are
 * many. Returns 0 or -ENOMEM. */
int session_enter(struct session *s, const struct area *from, const struct area *to,
		  void (*each)(struct state_look look, void *arg), void *arg,
		  struct session_entered *out);

/* Tags the n records of a chain that an archive has read with where they are, and their key and
 * type; where those were that they replace nobody knows any more: AREA_ANYWHERE. The chain is
 * nobody's else. */
void session_find_places(const struct session *s, struct chunk *chunk, uint64_t n);

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
	bool trusted; /* the sender has no share of the state's records, but all */
	bool member;  /* it is in the session: state may be its own */
	bool heard;   /* where env->published() tells it to */
	struct terms terms;
	uint64_t current; /* set for HUB_CONFLICT: the seq of the key's last record; 0: none */
};

struct published {
	uint64_t seq;  /* 0: not known yet; then the wait is told */
	bool repeated; /* a message with that tags.msg was published before, as seq */
	bool waits;    /* the wait was taken, and will be told */
	bool waited;   /* it was not: the member waits for the same already */
	bool lags; /* the archive has much to do for this session: the publisher is to be slower */
	bool over; /* of HUB_RATE_LIMITED: it is the session's own limit */
	const char *why; /* of an archive that numbers records: static text, or NULL */
};

/* Appends a record, and makes it part of the state; the publisher need be no member. A repeat of a
 * message with an ack changes nothing and gives the first one's seq. Nobody is woken:
 * session_changed(). Returns HUB_OK, HUB_SESSION_FULL (too many state keys), HUB_HUB_FULL (no room
 * for more state), HUB_STORE_FULL (nor in the archive), HUB_RATE_LIMITED (the archive does not keep
 * up with this session, or its limit), HUB_NOT_FOUND (it was deleted), HUB_CONFLICT (p->terms are
 * not met), HUB_NOT_MEMBER (nor can they be) or HUB_INTERNAL (memory, or the archive fails). */
enum hub_code session_publish(struct session *s, struct publication *p, uint64_t now_ms,
			      struct published *out);

/* Of messages with an ack that are not logged: whether it was seen before; that it was. */
bool session_knows(struct session *s, uint64_t msg);
void session_remember(struct session *s, uint64_t sender, uint64_t msg);

/* --- state that goes by itself, and conditions: bonds.c; all but the last under the lock */

/* Whether p's terms are met: HUB_OK, HUB_CONFLICT with p->current, or HUB_NOT_MEMBER. */
enum hub_code session_agrees(const struct session *s, struct publication *p);

/* There is state that goes at that time. */
void session_due(struct session *s, uint64_t due_ms);

/* Deletes, by records, the keys of state that goes with that client (0: with any); those whose time
 * has come. Where there is no memory for the record it is tried again, by session_expire(). Returns
 * how many; where there are some, session_changed() is to follow. */
size_t session_end_owned(struct session *s, uint64_t client, uint64_t now_ms);
size_t session_end_due(struct session *s, uint64_t now_ms);

/* The latter, with all that follows, on w. */
void session_expire(struct session *s, struct worker *w);

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

/* All of its state has been put into it. */
void session_image_place(struct session_image *image, const struct session_env *env);

/* A message of the dedup window, the oldest first. Returns 0 or -ENOMEM. */
int session_image_ack(struct session_image *image, const struct session_env *env, uint64_t sender,
		      uint64_t hash, uint64_t seq);

/* Whether that is to be read at all; and that it was: takes what the image holds, and makes the
 * session loaded, but once. For the archive's thread. */
bool session_wants_image(struct session *s);
void session_load(struct session *s, struct session_image *image);

/* The session has its share of the archive, or has not any more. */
void session_set_full(struct session *s, bool full);

/* Everything up to seq is kept: tells those who wait for it. */
void session_stored(struct session *s, uint64_t seq);

/* It is no more: who joins or publishes is refused, and nothing of it is kept. Who waits for a
 * record to be stored is told that it was. For the registry. */
void session_delete(struct session *s);

/* Under the lock: makes sure that session_wait() has room; 0 or -ENOMEM. And, for a seq that is not
 * stored: takes wait, in the place of an older member's that waits for the same; false where the
 * same member or a younger one does. */
int session_wait_reserve(struct session *s);
bool session_wait(struct session *s, struct stored_wait *wait, uint64_t seq);

/* For who is no member: waits until seq is stored. Returns 1: wait was taken, and will be told; 0:
 * it is stored already, or nothing ever is; or -ENOMEM. wait->done.run and worker are set. */
int session_await(struct session *s, struct stored_wait *wait, uint64_t seq);

/* --- records that are numbered elsewhere: offer.c, numbered.c */

/* session_publish() where that is so. */
enum hub_code session_offer(struct session *s, struct publication *p, uint64_t now_ms,
			    struct published *out);

/* Under the lock: a new one, with a reference of its own on s. NULL: no memory. And: a record of
 * the hub's that ends a key, if that one is still the last of its type. Returns 0 or -ENOMEM. */
struct offer *offer_new(struct session *s, const struct publication *p, uint64_t now_ms);
int session_offer_end(struct session *s, const struct slot *tags, struct span body,
		      const struct state_look *ended);

/* Ends an offer, and takes it: it is record seq (which need not be here yet: who waits is told when
 * it is); or another code says why not. */
void session_offered(struct offer *o, enum hub_code code, uint64_t seq, const char *why);

/* A record that has come; all of it is borrowed. */
struct incoming {
	struct slot tags;	     /* all but its place and `key` */
	struct span body, key, type; /* up to its seq; key and type where tags.class wants them */
	uint64_t due_ms;	     /* monotonic: when it goes; TIES_NEVER */
};

/* Takes records from `first` on, which is the next one, and tells all who are to know. Returns 0,
 * or -ENOMEM, then some are missing. */
int session_take(struct session *s, const struct incoming *in, size_t n);

/* The seq of the last record that is here. */
uint64_t session_head(struct session *s);

/* Puts a record of the state into an image. Returns 0 or -ENOMEM. */
int session_image_state(struct session_image *image, const struct incoming *in, uint64_t seq);

/* --- who is at other hubs: away.c; elsewhere.c: what these say; tell.c: what they are told */

#define AWAY_USER_MAX 1024 /* bytes of a user of whom others are told */

/* Under the lock: the one of that client, or NULL. */
struct away *away_find(const struct session *s, uint64_t client);

/* Under the lock; here: he is here as well. False where he was not there; where memory is out. */
bool away_remove(struct session *s, uint64_t client, bool here);
bool away_add(struct session *s, uint64_t node, uint64_t client, struct span info, struct span user,
	      bool here);
void aways_free(struct session *s);

/* Under the lock: news for other hubs (offer.news). NULL: no memory. */
struct offer *away_news(struct session *s, char news, uint64_t client, struct span text,
			struct span user);

/* Under the lock: tells other hubs that m has joined, or says something else of itself; or left. */
void session_tell(struct session *s, const struct member *m, bool joined);

/* How many members there are everywhere; under the lock. */
static inline uint32_t session_total(const struct session *s)
{
	return s->nmembers + s->aways.n - s->aways.both;
}

/* What another hub says: a client joined or left there; tells the members. info and user are
 * copied. All who are told of between begin and end are there, and no others. And: this hub's own
 * member of that version is known to the others now. */
void session_away_joined(struct session *s, uint64_t node, uint64_t client, struct span info,
			 struct span user);
void session_away_left(struct session *s, uint64_t node, uint64_t client);
void session_away_begin(struct session *s);
void session_away_end(struct session *s);
void session_heard(struct session *s, uint32_t version);

/* What the other hubs were told of the members here may be forgotten: it is said anew, and those
 * here have come later than what is heard then. */
void session_unheard(struct session *s);

/* Whether the other hubs were told of m. Under the lock. */
bool session_has_told(const struct member *m);

/* Calls each() for those that are at that hub, or, 0, at any, under the lock; returns how many. */
size_t session_each_away(struct session *s, uint64_t node,
			 void (*each)(const struct away *a, void *arg), void *arg);

/* Whether that client, or where user is not empty one of that user's, is at another hub. */
bool session_is_away(struct session *s, uint64_t client, struct span user);

/* Something for one client, or for those of a user, that is at another hub. HUB_OK, or what
 * offer() says. */
enum hub_code session_tell_away(struct session *s, uint64_t client, struct span user,
				struct span text);

/* Calls each() for all who are here and not hidden, under the lock. */
void session_each_here(struct session *s, void (*each)(const struct member *m, void *arg),
		       void *arg);

/* Tells the workers of all members that they are to come anew. */
void session_part(struct session *s, bool deleted);

/* --- looking at the state: look.c */

/* Appends the state's records of that key to out, a line each, in no order. Returns how many there
 * are; -EFBIG where they have more than max bytes, or -ENOMEM. *head: what the log's was then. */
int session_state_of(struct session *s, struct span key, struct buf *out, size_t max,
		     uint64_t *head);

/* --- members that were overtaken: resync.c */

/* Moves a member that the log has overtaken to its head, by way of the state (as far as it is in
 * the area; NULL: all) and of the records with an ack that it has not had, in order. *gap_to: the
 * last seq withheld. Returns 0, -ENOMEM, or -ESTALE where such records are lost. */
int session_resync(struct member *m, const struct area *area, uint64_t *gap_to);

/* --- what an operator wants: limits.c */

/* Whether they are any. */
bool session_is_limited(const struct session_limits *limits);

/* Holds the session to these, from now on. Returns 0 or -ENOMEM. And what it is held to. */
int session_set_limits(struct session *s, const struct session_limits *limits);
void session_get_limits(struct session *s, struct session_limits *limits);

/* Under the lock: */
uint32_t session_max_members(const struct session *s);
struct log_limits session_log_limits(const struct session *s);
/* Of one that is steered: whether a record of so many bytes may be published now, which it then is.
 * HUB_OK, HUB_NOT_FOUND or HUB_RATE_LIMITED. */
enum hub_code session_admits(struct session *s, size_t len, uint64_t now_ms);

/* --- what is dropped: trim.c, under the lock */

/* Drops what nobody needs of the log. */
void session_trim(struct session *s, uint64_t now_ms);

/* Counts what the dedup window has grown or shrunk by. */
void session_count_dedup(const struct session_env *env, size_t before, size_t after);

#endif
