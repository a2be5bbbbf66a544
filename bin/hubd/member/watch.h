/* A connection that is told which sessions there are: all of them, some at a time, as it reads
 * them, here and then at other hubs, then those that come into being. A cursor on the registry's
 * list, and on the archive's. For its worker's thread. */
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
	/* Behind those that are here come those of other hubs, a page at a time. */
	bool elsewhere;	       /* there is more of them */
	bool partial;	       /* not all of them can be had */
	struct watch_ask *ask; /* a page that is under way, or NULL */
	struct buf page;       /* one that is to be told */
	uint64_t part, from;   /* where the next one begins, as of ARCHIVE_LIST */
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
