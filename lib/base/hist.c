/* Reading a histogram. Invariant: no answer lies outside of what was recorded, [min, max]. */
#include "base/hist.h"

#include <math.h>

uint64_t hist_bucket_low(unsigned bucket)
{
	unsigned octave = bucket >> HIST_SUB_BITS;
	uint64_t sub = bucket & ((1u << HIST_SUB_BITS) - 1);

	if (octave < 2)
		return bucket;
	return (sub + (1u << HIST_SUB_BITS)) << (octave - 1);
}

uint64_t hist_bucket_high(unsigned bucket)
{
	return hist_bucket_low(bucket + 1) - 1;
}

static uint64_t hist_clamp(const struct hist *h, uint64_t ns)
{
	return ns < h->min ? h->min : ns > h->max ? h->max : ns;
}

uint64_t hist_percentile(const struct hist *h, double p)
{
	uint64_t rank, seen = 0;
	unsigned last = HIST_BUCKETS - 1;

	if (!h->n)
		return 0;
	if (p >= 100)
		return h->max;
	if (!(p > 0))
		return h->min;
	/* 99.9 % of 1000 are 999, whatever the last bit of 99.9 says. */
	rank = (uint64_t)ceil(p / 100 * (double)h->n * (1 - 1e-12));
	for (unsigned b = 0; b < last; b++) {
		seen += h->count[b];
		if (seen >= rank) {
			uint64_t low = hist_bucket_low(b);

			return hist_clamp(h, low + (hist_bucket_high(b) - low) / 2);
		}
	}
	/* The last bucket has no end but the longest value. */
	return hist_clamp(h, hist_bucket_low(last));
}

double hist_mean(const struct hist *h)
{
	return h->n ? h->sum / (double)h->n : 0;
}

void hist_merge(struct hist *h, const struct hist *from)
{
	if (!from->n)
		return;
	if (!h->n || from->min < h->min)
		h->min = from->min;
	if (from->max > h->max)
		h->max = from->max;
	h->n += from->n;
	h->sum += from->sum;
	for (unsigned b = 0; b < HIST_BUCKETS; b++)
		h->count[b] += from->count[b];
}

void hist_since(struct hist *out, const struct hist *h, const struct hist *before)
{
	uint64_t min = 0, max = 0, n = 0;

	for (unsigned b = 0; b < HIST_BUCKETS; b++) {
		uint64_t count = h->count[b] - before->count[b];

		out->count[b] = count;
		if (!count)
			continue;
		if (!n)
			min = hist_bucket_low(b);
		max = b < HIST_BUCKETS - 1 ? hist_bucket_high(b) : h->max;
		n += count;
	}
	out->n = n;
	out->sum = h->sum - before->sum;
	out->min = n ? hist_clamp(h, min) : 0;
	out->max = n ? hist_clamp(h, max) : 0;
}
