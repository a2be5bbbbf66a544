/* All sessions by name, and those without members in the order in which they became so. */
#ifndef HUBD_REGISTRY_H
#define HUBD_REGISTRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"

#define REGISTRY_WATCHES_MAX 64

struct hub;
struct session;
struct worker;

/* A connection that is told of sessions: a cursor on the list of them. */
struct registry_watch {
	struct registry_watch *next, **link;
	struct session *at; /* the next one that it is to be told of, or NULL */
	struct worker *worker;
};

struct registry {
	pthread_mutex_t lock;
	struct session *first, *last; /* all, as they came into being */
	struct registry_watch *watches;
	unsigned nwatches;
	struct session **table;
	size_t table_size; /* a power of two */
	size_t n;
	unsigned char key[16];			/* of the hash: session names come from outside */
	struct session *idle_first, *idle_last; /* without members, longest first */
};

int registry_init(struct registry *r);
void registry_free(struct registry *r);

/* Drops sessions that have been without members for longer than the hub's session_ttl, and trims
 * logs while all of them are over the memory limit. Called about once a second by one worker. */
void registry_sweep(struct hub *hub, uint64_t now_ms);

/* How many sessions there are. */
size_t registry_count(struct registry *r);

/* Finds or creates the session and counts the caller as a user. Borrowed: the registry keeps it
 * while it has users. NULL with *code set where that is not possible. */
struct session *registry_use(struct hub *hub, struct span id, enum hub_code *code);

/* Adds a watch, from the first session on, or sets it there again; its worker is told by
 * worker_sessions() whenever there is something new behind its end. False where there are too
 * many. */
bool registry_watch(struct registry *r, struct registry_watch *w, struct worker *worker);
void registry_unwatch(struct registry *r, struct registry_watch *w);

/* Appends the names of the next sessions to out, in quotes and with commas between, some max bytes
 * of them. *more: there are others. Returns 0 or -ENOMEM. */
int registry_list(struct registry *r, struct registry_watch *w, struct buf *out, size_t max,
		  bool *more);

/* Whether there are sessions that it has not been told of. */
bool registry_behind(struct registry *r, const struct registry_watch *w);

/* The caller uses the session no more. */
void registry_release(struct session *s, uint64_t now_ms);

#endif
