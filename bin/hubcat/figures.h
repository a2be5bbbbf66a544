/* What --stats shows, out of the text of a hub's /metrics (Prometheus' text format, version 0.0.4).
 * Pure. */
#ifndef HUBCAT_FIGURES_H
#define HUBCAT_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define FIGURES_BOUNDS 32 /* of the histogram of loop lag, at most */
#define FIGURES_HEADER \
	"  conn   sess   memb  msg/s  dlv/s   in/s  out/s   slow   refu lag/ms    mem\n"

/* One look at the hub: all sums over labels. */
struct figures {
	double connections, sessions, members, memory, started; /* now; bytes; seconds of 1970 */
	double received, delivered, received_bytes, sent_bytes; /* since it started */
	double slow, refused;
	size_t bounds;
	double bound[FIGURES_BOUNDS]; /* seconds, rising */
	double below[FIGURES_BOUNDS]; /* how often a turn of a loop took no longer */
	double turns;
};

/* Reads text of so many bytes. False where it is not a hub's. */
bool figures_read(struct figures *f, const char *text, size_t len);

/* Appends a line of what happened between two looks, so many seconds apart; before may be zeroed,
 * for all that happened since the hub started. As a table under FIGURES_HEADER, or as a JSON
 * object, with the time now in milliseconds since 1970. Return 0 or -ENOMEM. */
int figures_row(struct buf *out, const struct figures *before, const struct figures *now,
		double seconds);
int figures_json(struct buf *out, const struct figures *before, const struct figures *now,
		 double seconds, unsigned long long now_ms);

#endif
