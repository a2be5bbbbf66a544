/* What /metrics says: hubd(8), METRICS. */
#ifndef HUBD_METRICS_H
#define HUBD_METRICS_H

#include "base/buf.h"
#include "loop/worker.h"

/* Appends the page, in Prometheus' text format. What it does is bounded by the numbers of workers
 * and metrics, whatever else there is. Returns 0 or -ENOMEM. */
int metrics_text(struct worker *w, struct buf *out);

/* Counts an HTTP answer, by its status, where it is a refusal. */
void metrics_answered(struct worker *w, int status);

#endif
