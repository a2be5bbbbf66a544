/* A session: a log and the members that follow it, under one mutex; and the registry of all
 * sessions.
 *
 * Lock order: registry, session, mailbox. A member stands in the session's table (under the lock,
 * so that other workers find it by client id) and in its worker's list of the session (that
 * worker's thread alone). Nothing else of a member is touched by other threads, but for `info`,
 * under the lock. */
#ifndef HUBD_SESSION_H
#define HUBD_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "blob.h"
#include "dedup.h"
#include "json/envelope.h"
#include "json/keys.h"
#include "log.h"
#include "mailbox.h"
#include "state.h"

struct conn;
struct hub;

/* A connection's membership: its cursor in the session's log. */
struct member {
	struct session *session;  /* a reference */
	struct conn *conn;	  /* the owner */
	struct member *conn_next; /* the connection's other memberships, latest joined first */
	struct member *fan_next;  /* the worker's other members of the session */
	struct member **fan_link;
	struct member *hash_next; /* session->lock */
	struct blob *info;	  /* session->lock; what client_info said, or NULL */
	struct catchup *catchup;  /* what it gets before its next record, or NULL */
	uint64_t cursor;	  /* seq of the next record it gets */
	uint64_t own;		  /* seq of the last record it sent */
	uint32_t version;	  /* of the session's member list, when it joined */
	bool echo;		  /* wants its own records back */
	bool leaving;		  /* as soon as its acks have come */
	uint16_t acks_due;	  /* those that wait for their record to be stored */
};

/* State records on their way to a member, before the log goes on at its cursor. */
struct catchup {
	struct chunk *chunk; /* a reference; a chain of n records, numbered from 1 */
	uint64_t at;	     /* the number of the next one */
	uint64_t n;
	uint64_t skip; /* no records of this sender; 0: all */
};

/* A record with an ack that left the log before every member had it. */
struct kept {
	struct kept *next;
	uint64_t seq;
	uint64_t sender;
	size_t len;
	unsigned char frame[];
};

/* An ack that waits for its record to be stored. */
struct pending_ack {
	struct pending_ack *next;
	uint64_t seq;
	uint64_t client;
	struct worker *worker; /* where the client was then */
	struct blob *blob;     /* a reference: the answer */
};

/* One worker's part of a session. */
struct fan {
	struct mail wake; /* embedded; in the mailbox while woken */
	atomic_bool woken;
	atomic_bool status_due; /* a connection_status is to be sent */
	bool dirty;		/* in the worker's list of sessions to flush */
	struct session *dirty_next;
	struct session *status_next;
	struct member *members; /* this worker's, in no order */
	_Atomic uint32_t n;	/* how many; written under session->lock */
	_Atomic uint64_t low;	/* no member of this worker still needs a record before it */
};

struct session {
	atomic_uint refs;
	struct hub *hub;
	pthread_mutex_t lock;
	struct log log;			     /* lock */
	struct state state;		     /* lock */
	struct dedup dedup;		     /* lock */
	struct kept *kept_first, *kept_last; /* lock; in order of seq; only with --slow resync */
	uint64_t kept_lost;    /* lock; the last such record that there was no memory for */
	struct member **table; /* lock; by client id, chained */
	uint32_t table_size;   /* a power of two */
	uint32_t nmembers;     /* lock */
	uint32_t version;      /* lock; counts changes of the member list */
	uint64_t epoch;
	bool loaded; /* lock; what is stored of it was read */

	/* With a store; lock. */
	uint64_t stored;			  /* the last seq on disk */
	bool storing;				  /* waits for the store's thread */
	struct session *store_next;		  /* the store's list, under its lock */
	struct pending_ack *ack_first, *ack_last; /* about in the order of their seq */

	/* The registry's, under its lock. */
	struct session *hash_next;
	struct session *all_prev, *all_next;
	struct session *idle_prev, *idle_next;
	uint64_t idle_since_ms;
	uint32_t users; /* members and joins under way */
	bool idle;

	size_t id_len;
	char id[ENVELOPE_SESSION_MAX + 1];
	struct fan fan[]; /* one per worker */
};

/* Where a member wants to begin. */
struct session_from {
	bool has_since, has_epoch;
	bool rest; /* where that past is not all there, what is left of it */
	uint64_t since;
	uint64_t epoch;
	bool has_run;
	uint32_t run; /* the hub's run in which it got its resume token */
};

struct session_joined {
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

/* A record to be. */
struct publication {
	struct span body; /* the record up to its seq */
	struct span type;
	struct span key; /* for KEY_SET and KEY_DELETE */
	enum key_rule rule;
	bool acked;   /* the sender wants an ack */
	uint64_t msg; /* where acked: the message's hash for struct dedup */
};

/* A new session with one reference, in no registry. NULL: no memory. */
struct session *session_new(struct hub *hub, struct span id);

struct session *session_ref(struct session *s);
void session_unref(struct session *s); /* takes the reference; NULL is fine */

/* Makes conn a member of the session called id, creating it where there is none, and moves it to
 * where it wants to begin. Sets m->session, m->cursor, m->catchup and m->version and links m
 * everywhere. The caller has set m->conn, m->info and m->echo. A member of the same client id on
 * another connection is told to go, or, where that was accepted after this one, stays:
 * HUB_FORBIDDEN. Returns HUB_OK, HUB_SESSION_FULL, HUB_HUB_FULL (too many sessions) or
 * HUB_INTERNAL (memory, or the store cannot be read). */
enum hub_code session_join(struct hub *hub, struct span id, struct member *m,
			   const struct session_from *from, struct session_joined *out);

/* Moves a member to where it wants to begin. Returns HUB_OK or HUB_INTERNAL (memory). */
enum hub_code session_seek(struct member *m, const struct session_from *from,
			   struct session_joined *out);

/* Moves a member that the log has overtaken to its head, by way of the state and of the records
 * with an ack that it has not had, in order. *gap_to: the last seq withheld. Returns 0, -ENOMEM, or
 * -ESTALE where such records are lost. */
int session_resync(struct member *m, uint64_t *gap_to);

/* Undoes session_join(), tells the others, and gives up the member's reference on the session and
 * its info. Returns the number of members left. */
uint32_t session_leave(struct member *m);

/* Appends a record as m, and makes it part of the state. A repeat of a message with an ack changes
 * nothing and gives the first one's seq; *repeated says so. The members are not woken: the worker
 * does that once per turn of its loop. Returns HUB_OK, HUB_SESSION_FULL (too many state keys),
 * HUB_HUB_FULL (no room for more state) or HUB_INTERNAL (memory). */
enum hub_code session_publish(struct member *m, const struct publication *p, uint64_t now_ms,
			      uint64_t *seq, bool *repeated);

/* Of messages with an ack that are not logged: whether it was seen before; that it was. */
bool session_knows(struct session *s, uint64_t msg);
void session_remember(struct session *s, uint64_t msg);

/* log_view() under the lock. */
void session_view(struct session *s, uint64_t from, struct log_view *view);

/* Wakes every worker that has members of s, but for `self`. */
void session_wake_others(struct session *s, unsigned self);

/* Hands blob to the member called client, wherever it is. Borrows blob. Returns HUB_OK,
 * HUB_NOT_MEMBER, HUB_HUB_FULL (too many are on their way there) or HUB_INTERNAL (memory). */
enum hub_code session_direct(struct session *s, struct span client, struct blob *blob);

/* Replaces what presence shows of m. Borrows info. */
void session_set_info(struct member *m, struct blob *info);

/* The member of s with this client id on worker `self`, or NULL. Borrowed; for its worker only. */
struct member *session_find(struct session *s, uint64_t client, unsigned self);

/* Appends the presence answer's `"user_count":N,"members":[...]` to out: at most max members, then
 * `"truncated":true`. Returns 0 or -ENOMEM. */
int session_presence(struct session *s, struct buf *out, size_t max);

/* The member of s that joined at `version` as client on worker `self`, or NULL. As session_find().
 */
struct member *session_find_version(struct session *s, uint64_t client, uint32_t version,
				    unsigned self);

/* The number of members. */
uint32_t session_user_count(struct session *s);

/* With a store: sends the ack once the record is stored, at once where it is. A repeated message
 * that waits already waits once. Borrows blob. Returns 0 or -ENOMEM. */
int session_ack(struct member *m, uint64_t seq, struct blob *blob, bool repeated);

/* From the store: everything up to seq is on disk; and, while loading, one entry of the dedup
 * window. session_load_ack() returns 0 or -ENOMEM. */
void session_stored(struct session *s, uint64_t seq);
int session_load_ack(struct session *s, uint64_t hash, uint64_t seq);

/* Reads the next records of a member whose cursor is behind the log from the store: they become its
 * catchup. Returns 0, -ESTALE where they are not stored, or -EIO or -ENOMEM. */
int session_read_back(struct member *m, uint64_t tail);

/* Below: between session.c, records.c and registry.c; all but the last under the session's lock. */
enum hub_code session_seek_locked(struct member *m, const struct session_from *from,
				  struct session_joined *out);
void session_trim(struct session *s, uint64_t now_ms); /* drops what nobody needs of the log */
void session_forget(struct session *s);		       /* gives up all records */
void member_drop_catchup(struct member *m);

#endif
