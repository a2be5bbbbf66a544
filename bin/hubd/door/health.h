/* What /healthz says. */
#ifndef HUBD_HEALTH_H
#define HUBD_HEALTH_H

#include "base/buf.h"
#include "loop/worker.h"

/* Appends a JSON object and a line feed: how the hub is, and its counters summed over all workers.
 * Returns 0 or -ENOMEM. */
int health_text(struct worker *w, struct buf *out);

#endif
