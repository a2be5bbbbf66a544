/* A connection that is told which sessions there are: all of them, some at a time, as it reads
 * them, then those that come into being. A cursor on the registry's list. For its worker's thread.
 */
#ifndef HUBD_WATCH_H
#define HUBD_WATCH_H

#include <stdbool.h>

#include "session/registry.h"

struct conn;

struct watch {
	struct registry_watch place;
	struct conn *conn;
	struct watch *next, **link; /* the worker's */
	bool listing;		    /* the end of the list was not told yet */
};

/* The connection ends; without a watch nothing happens. */
void watch_stop(struct conn *c);

/* It is to be flushed at the end of the turn. */
void watch_later(struct watch *w);

/* Of a connection that is watching: whether there is something to tell; queues one message of it,
 * false where there was none. */
bool watch_behind(const struct conn *c);
bool watch_next(struct conn *c);

#endif
