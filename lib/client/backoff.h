/* Delays between attempts: exponential with full jitter, so that many clients that were dropped at
 * one moment do not come back at one moment. */
#ifndef HUB_BACKOFF_H
#define HUB_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	uint32_t base_ms; /* the largest first delay */
	uint32_t cap_ms;  /* no delay is longer; below UINT32_MAX */
	unsigned limit;	  /* attempts before backoff_next() says no; 0: never */
	unsigned attempt; /* made so far */

	/* Returns a number in [0, bound), bound >= 1. NULL: the system's randomness. */
	uint32_t (*random)(uint32_t bound, void *arg);
	void *arg;
};

/* The delay before the next attempt, uniform in [0, min(base * 2^attempt, cap)], and counts it.
 * Returns false, with nothing changed, once all attempts are used. */
bool backoff_next(struct backoff *b, uint32_t *delay_ms);

/* After a success: the next delay is a first one again. */
void backoff_reset(struct backoff *b);

#endif
