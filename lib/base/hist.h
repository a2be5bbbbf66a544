/* A histogram of durations in nanoseconds: log-linear buckets, 128 to an octave, so that a
 * percentile is off by 0.4 % at most, from 0 to 2^42 ns (73 minutes); what is longer counts as
 * that. Mergeable without loss. For one thread at a time. */
#ifndef HUB_HIST_H
#define HUB_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 7
#define HIST_MAX_BITS 42
#define HIST_BUCKETS ((HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

/* Zeroed at the start. */
struct hist {
	uint64_t n;
	uint64_t min, max; /* exact; min counts only where n */
	double sum;
	uint64_t count[HIST_BUCKETS];
};

/* The bucket of a value; values below 2^HIST_SUB_BITS have one each. */
static inline unsigned hist_bucket(uint64_t ns)
{
	unsigned shift;

	if (ns < 1u << HIST_SUB_BITS)
		return (unsigned)ns;
	if (ns >> HIST_MAX_BITS)
		return HIST_BUCKETS - 1;
	shift = 63 - (unsigned)__builtin_clzll(ns) - HIST_SUB_BITS;
	return ((shift + 1) << HIST_SUB_BITS) + (unsigned)(ns >> shift) - (1u << HIST_SUB_BITS);
}

/* Counts one value, n times. */
static inline void hist_add_n(struct hist *h, uint64_t ns, uint64_t n)
{
	if (!h->n || ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
	h->n += n;
	h->sum += (double)ns * (double)n;
	h->count[hist_bucket(ns)] += n;
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
	hist_add_n(h, ns, 1);
}

/* The smallest and the largest value of a bucket. */
uint64_t hist_bucket_low(unsigned bucket);
uint64_t hist_bucket_high(unsigned bucket);

/* The value that p percent (0 to 100) of all are not above: nearest rank, the middle of its bucket,
 * within [min, max]; 100 is max exactly. 0 where there are none. */
uint64_t hist_percentile(const struct hist *h, double p);

double hist_mean(const struct hist *h); /* 0 where there are none */

/* Adds all of from to h. */
void hist_merge(struct hist *h, const struct hist *from);

/* What came to h since before, which was a copy of it: min and max are those of buckets. */
void hist_since(struct hist *out, const struct hist *h, const struct hist *before);

#endif
