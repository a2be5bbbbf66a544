/* Prometheus' text format, version 0.0.4: metrics, each with its HELP and TYPE and then its
 * samples. Names and labels are the caller's to choose well; what may stand in a value is escaped.
 */
#ifndef HUBD_PROMETHEUS_H
#define HUBD_PROMETHEUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8" /* for Content-Type */

/* A page being written. */
struct prometheus {
	struct buf *out;
	int status; /* 0, or -ENOMEM: then nothing more is appended */
};

enum prometheus_kind { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

/* Begins a metric. Its samples must follow before the next one begins. */
void prometheus_begin(struct prometheus *p, const char *name, enum prometheus_kind kind,
		      const char *help);

/* A sample; label is NULL where it has none. */
void prometheus_sample(struct prometheus *p, const char *name, const char *label, const char *value,
		       uint64_t n);

/* A sample of nanoseconds, told in seconds, exactly. */
void prometheus_seconds(struct prometheus *p, const char *name, uint64_t ns);

/* All samples of a histogram of times: n buckets with the bounds given in nanoseconds, ascending,
 * and a last one in count[n] for what is beyond. */
void prometheus_histogram(struct prometheus *p, const char *name, const uint64_t *bounds_ns,
			  const uint64_t *count, size_t n, uint64_t sum_ns);

#endif
