/* Invariant: attempt counts the delays given since the last reset; the bound of each is the one
 * before doubled, up to the cap. */
#include "client/backoff.h"

#include <sodium.h>

bool backoff_next(struct backoff *b, uint32_t *delay_ms)
{
	uint64_t most = b->base_ms;

	if (b->limit && b->attempt >= b->limit)
		return false;
	for (unsigned i = 0; i < b->attempt && most < b->cap_ms; i++)
		most *= 2;
	if (most > b->cap_ms)
		most = b->cap_ms;
	*delay_ms = b->random ? b->random((uint32_t)most + 1, b->arg)
			      : randombytes_uniform((uint32_t)most + 1);
	b->attempt++;
	return true;
}

void backoff_reset(struct backoff *b)
{
	b->attempt = 0;
}
