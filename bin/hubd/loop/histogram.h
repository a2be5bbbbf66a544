/* How long something took, counted in fixed buckets; written by one thread, read by any. */
#ifndef HUBD_HISTOGRAM_H
#define HUBD_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 19

/* Nanoseconds up to which a time falls into the bucket, ascending; what is longer, into one more.
 */
extern const uint64_t histogram_bounds[HISTOGRAM_BUCKETS];

/* Zeroed at the start. */
struct histogram {
	atomic_uint_fast64_t bucket[HISTOGRAM_BUCKETS + 1];
	atomic_uint_fast64_t sum_ns;
};

/* Counts one time. For the thread that owns h. */
void histogram_add(struct histogram *h, uint64_t ns);

/* What several threads have counted, as it is to be told. */
struct histogram_sum {
	uint64_t bucket[HISTOGRAM_BUCKETS + 1];
	uint64_t sum_ns;
};

/* Adds what h has to sum. For any thread. */
void histogram_sum(struct histogram_sum *sum, const struct histogram *h);

#endif
