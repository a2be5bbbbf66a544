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
#include "envelope.h"
#include "log.h"
#include "mailbox.h"

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
	uint64_t cursor;	  /* seq of the next record it gets */
	uint64_t own;		  /* seq of the last record it sent */
	uint32_t version;	  /* of the session's member list, when it joined */
	bool echo;		  /* wants its own records back */
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
	struct log log;	       /* lock */
	struct member **table; /* lock; by client id, chained */
	uint32_t table_size;   /* a power of two */
	uint32_t nmembers;     /* lock */
	uint32_t version;      /* lock; counts changes of the member list */
	uint64_t epoch;

	/* The registry's, under its lock. */
	struct session *hash_next;
	struct session *idle_prev, *idle_next;
	uint64_t idle_since_ms;
	uint32_t users; /* members and joins under way */
	bool idle;

	size_t id_len;
	char id[ENVELOPE_SESSION_MAX + 1];
	struct fan fan[]; /* one per worker */
};

struct registry {
	pthread_mutex_t lock;
	struct session **table;
	size_t table_size; /* a power of two */
	size_t n;
	unsigned char key[16];			/* of the hash: session names come from outside */
	struct session *idle_first, *idle_last; /* without members, longest first */
};

struct session_joined {
	uint64_t epoch;
	uint64_t seq; /* head at the join */
	uint32_t user_count;
};

int registry_init(struct registry *r);
void registry_free(struct registry *r);

/* Drops sessions that have been without members for longer than the hub's session_ttl, and trims
 * logs while all of them are over the memory limit. Called about once a second by one worker. */
void registry_sweep(struct hub *hub, uint64_t now_ms);

/* How many sessions there are. */
size_t registry_count(struct registry *r);

struct session *session_ref(struct session *s);
void session_unref(struct session *s); /* takes the reference; NULL is fine */

/* Makes conn a member of the session called id, creating it where there is none. Sets m->session,
 * m->cursor and m->version and links m everywhere. The caller has set m->conn, m->info and m->echo.
 * Returns HUB_OK, HUB_SESSION_FULL, HUB_HUB_FULL (too many sessions) or HUB_INTERNAL (memory). */
enum hub_code session_join(struct hub *hub, struct span id, struct member *m,
			   struct session_joined *out);

/* Undoes session_join(), tells the others, and gives up the member's reference on the session and
 * its info. Returns the number of members left. */
uint32_t session_leave(struct member *m);

/* Appends a record (see log_append) as m. Returns its seq or -errno. The members are not woken: the
 * worker does that once per turn of its loop. */
int64_t session_append(struct member *m, const char *body, size_t len, uint64_t now_ms);

/* log_view() under the lock. */
void session_view(struct session *s, uint64_t from, struct log_view *view);

/* Wakes every worker that has members of s, but for `self`. */
void session_wake_others(struct session *s, unsigned self);

/* Hands blob to the member called client, wherever it is. Borrows blob. Returns HUB_OK,
 * HUB_NOT_MEMBER or HUB_INTERNAL (memory). */
enum hub_code session_direct(struct session *s, struct span client, struct blob *blob);

/* Replaces what presence shows of m. Borrows info. */
void session_set_info(struct member *m, struct blob *info);

/* The member of s with this client id on worker `self`, or NULL. Borrowed; for its worker only. */
struct member *session_find(struct session *s, uint64_t client, unsigned self);

/* Appends the presence answer's `"user_count":N,"members":[...]` to out: at most max members, then
 * `"truncated":true`. Returns 0 or -ENOMEM. */
int session_presence(struct session *s, struct buf *out, size_t max);

/* The number of members. */
uint32_t session_user_count(struct session *s);

#endif
