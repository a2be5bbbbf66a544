/* A bucket that fills as somebody does something, and empties as time goes. It is the time when it
 * is empty, in nanoseconds of monotonic time; in the past: it is. Pure. */
#ifndef HUBD_BUCKET_H
#define HUBD_BUCKET_H

#include <stdint.h>

/* How long it is over burst, in ns. */
static inline uint64_t bucket_over(uint64_t b, uint64_t now_ns, uint64_t burst)
{
	return b > now_ns && b - now_ns > burst ? b - now_ns - burst : 0;
}

/* Fills a bucket by cost. Returns how long it is over burst then. */
static inline uint64_t bucket_add(uint64_t *b, uint64_t now_ns, uint64_t cost, uint64_t burst)
{
	if (*b < now_ns)
		*b = now_ns;
	*b += cost;
	return bucket_over(*b, now_ns, burst);
}

#endif
