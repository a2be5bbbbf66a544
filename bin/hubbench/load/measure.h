/* Measuring: which messages count, and what a thread shows of itself. A message counts where it was
 * due in the window, whenever it comes. For the thread that owns the loop, but for the snapshot,
 * which run/ reads under the loop's mutex. */
#ifndef HUBBENCH_MEASURE_H
#define HUBBENCH_MEASURE_H

#include "load/load.h"

/* Publishing begins at run->start_ns; until from_ns nothing counts. */
void measure_start(struct loop *l);

/* Measuring begins, or ends. To be called where l->now has reached l->edge_ns. Publishes what is
 * due until then: connections may be closed afterwards. */
void measure_edge(struct loop *l);

/* The same wherever it may be the time for it; and once a tick, since an interrupt brings the end
 * forward. */
static inline void measure_due(struct loop *l)
{
	if (l->now >= l->edge_ns)
		measure_edge(l);
}
void measure_tick(struct loop *l);

/* Whether a message that was due then counts. */
static inline bool measure_counts(const struct loop *l, uint64_t due_ns)
{
	return due_ns - l->window_from < l->window_span;
}

/* A message with that mark took so many nanoseconds to one of its receivers. */
void measure_delivery(struct loop *l, const struct mark *m, uint64_t latency);

/* Its publisher has the answer: it is counted from when it was due, and from when it was sent. */
void measure_ack(struct loop *l, uint64_t latency, uint64_t latency_sent);

/* Makes the snapshot that the run wants, where it has none of that number. */
void measure_snapshot(struct loop *l, int phase);

/* At the end: gives back what was noted of single messages. */
void measure_free(struct loop *l);

#endif
