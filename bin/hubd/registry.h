/* All sessions by name, and those without members in the order in which they became so. */
#ifndef HUBD_REGISTRY_H
#define HUBD_REGISTRY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "envelope.h"

struct hub;
struct session;

struct registry {
	pthread_mutex_t lock;
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

/* The caller uses the session no more. */
void registry_release(struct session *s, uint64_t now_ms);

#endif
