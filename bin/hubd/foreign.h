/* What goes between sessions and other servers of Socket.IO, by the bridge (bus/bridge.h). */
#ifndef HUBD_FOREIGN_H
#define HUBD_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "json/envelope.h"

struct bridge;
struct heard;
struct registry;
struct session;
struct worker;
struct workers;

struct foreign {
	struct bridge *bridge;
	struct registry *registry;
	struct workers *workers;
	uint64_t sender; /* whose its records are: a client's id that no client has */
	/* What was heard, in its order; on the first worker. */
	struct heard *first, *last;
	bool asking; /* the archive about its first */
};

/* As bridge_settings.heard, with a struct foreign: on the first worker the message becomes a record
 * of each of these sessions that there is. */
void foreign_heard(void *arg, struct span sessions, struct span message);

/* As session_env.published, with the same. */
void foreign_published(void *arg, const struct session *s, struct span body, uint64_t seq);

/* Counts what the bridge has done: about once a second, on one worker. */
void foreign_second(struct foreign *f, struct worker *w);

#endif
