/* --stats: how a hub is doing, a line at a time, in the manner of vmstat(8). */
#ifndef HUBCAT_STATS_H
#define HUBCAT_STATS_H

#include "arguments.h"

/* Looks at the hub until it has written as many lines as were asked for, a signal comes, or nobody
 * reads them. Returns the exit status. */
int stats_run(const struct arguments *o);

#endif
