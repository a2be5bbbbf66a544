/* All sessions by name, and those without users in the order in which they became so. */
#ifndef HUBD_REGISTRY_H
#define HUBD_REGISTRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "loop/worker.h"
#include "session/session.h"

#define REGISTRY_WATCHES_MAX 64

/* Who is told of sessions: a cursor on the list of them. */
struct registry_watch {
	struct registry_watch *next, **link;
	struct session *at; /* the next one that it is to be told of, or NULL */
	struct worker *worker;
	struct buf news; /* sessions of other hubs that have come into being: as registry_list() */
	bool lost;	 /* there were too many */
};

/* A worker whose watches have something new before them. */
struct registry_news {
	struct mail mail; /* in the mailbox while posted */
	struct registry *registry;
	atomic_bool posted;
};

/* A session that is being deleted from the archive; zeroed at the start. */
struct registry_removal {
	struct registry_removal *next, **link; /* link NULL: it is not */
	struct session *session;	       /* a reference */
};

struct registry {
	const struct session_env *env;
	size_t max;	 /* sessions */
	uint64_t ttl_ms; /* of one without users */
	pthread_mutex_t lock;
	struct session *first, *last; /* all, as they came into being */
	struct registry_watch *watches;
	unsigned nwatches;
	struct session *trim_at; /* where the next sweep goes on, or NULL: at the first */
	struct session **table;
	size_t table_size; /* a power of two */
	size_t n;
	struct session *idle_first, *idle_last; /* without users, longest first */
	struct session *timed;			/* those with state that goes in time */
	struct registry_removal *removals;	/* the next ones of these names begin anew */
	struct registry_news news[WORKERS_MAX];
};

/* Borrows env. Returns 0 or -ENOMEM. */
int registry_init(struct registry *r, const struct session_env *env, size_t max, uint64_t ttl_ms);
void registry_free(struct registry *r);

/* Drops sessions that have been without users for longer than ttl_ms, or while all logs together
 * are over their limit, and trims logs while they are. Stops after some milliseconds and goes on
 * there when it is called again; called about once a second by one worker. */
void registry_sweep(struct registry *r, uint64_t now_ms);

/* The session has state that goes in time: looks for it, until it has no more. */
void registry_time(struct registry *r, struct session *s);

/* Ends the state whose time has come, on w: about once a second, by one worker. Stops after some
 * milliseconds. */
void registry_expire(struct registry *r, struct worker *w);

/* How many sessions there are. */
size_t registry_count(struct registry *r);

/* Finds or creates the session and counts the caller as a user. Borrowed: the registry keeps it
 * while it has users. NULL with *code set (HUB_HUB_FULL, HUB_INTERNAL) where that is not possible.
 */
struct session *registry_use(struct registry *r, struct span id, enum hub_code *code);

/* The same for one that is in memory already; else NULL. */
struct session *registry_find(struct registry *r, struct span id);

/* The caller uses the session no more. */
void registry_release(struct registry *r, struct session *s, uint64_t now_ms);

/* Holds a session, which the caller uses, to limits of its own. Having some counts as a user: with
 * the session they would be forgotten. Returns 0, -ENOMEM, or -ENOENT where it was deleted. */
int registry_limit(struct registry *r, struct session *s, const struct session_limits *limits);

/* Deletes a session: it is left to its users, and who comes next gets a new one. With an archive
 * asks that one, by job (done, worker are set), to do the same; when it has, the caller calls
 * registry_removed(). Else that is not needed. *there: it was in memory. Returns 0 or -ENOMEM. */
int registry_remove(struct registry *r, struct span id, struct registry_removal *removal,
		    struct archive_job *job, bool *there);
void registry_removed(struct registry *r, struct registry_removal *removal);

/* A session is no more what it was, or no more at all, by what other hubs did: it is left to its
 * members, who are told to come anew. The caller has a reference. */
void registry_part(struct registry *r, struct session *s, bool deleted);

/* Adds a watch, from the first session on, or sets it there again; events->sessions() tells its
 * worker whenever there is something new behind its end. False where there are too many. */
bool registry_watch(struct registry *r, struct registry_watch *w, struct worker *worker);
void registry_unwatch(struct registry *r, struct registry_watch *w);

/* Appends the names of the next sessions to out, in quotes and with commas between, some max bytes
 * of them, and the news. *more: there are others. *lost: and news that are to be looked for at the
 * other hubs once more. Returns 0 or -ENOMEM. */
int registry_list(struct registry *r, struct registry_watch *w, struct buf *out, size_t max,
		  bool *more, bool *lost);

/* A session has come into being at another hub: tells the watches, unless it is here, too. */
void registry_elsewhere(struct registry *r, struct span id);

/* Whether there is one in memory. */
bool registry_has(struct registry *r, struct span id);

/* Whether there are sessions that it has not been told of. */
bool registry_behind(struct registry *r, const struct registry_watch *w);

#endif
