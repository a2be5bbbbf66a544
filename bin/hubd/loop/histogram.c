#include "loop/histogram.h"

#include "loop/counters.h"

#define US 1000ull
#define MS (1000 * US)
#define S (1000 * MS)

const uint64_t histogram_bounds[HISTOGRAM_BUCKETS] = {
    10 * US,	25 * US, 50 * US,   100 * US, 250 * US, 500 * US, MS,
    5 * MS / 2, 5 * MS,	 10 * MS,   25 * MS,  50 * MS,	100 * MS, 250 * MS,
    500 * MS,	S,	 5 * S / 2, 5 * S,    10 * S};

/* Most times are short, so that this looks at the first few bounds only. */
void histogram_add(struct histogram *h, uint64_t ns)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BUCKETS && ns > histogram_bounds[i])
		i++;
	count_add(&h->bucket[i], 1);
	count_add(&h->sum_ns, ns);
}

void histogram_sum(struct histogram_sum *sum, const struct histogram *h)
{
	unsigned i;

	for (i = 0; i <= HISTOGRAM_BUCKETS; i++)
		sum->bucket[i] += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
	sum->sum_ns += atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
}
