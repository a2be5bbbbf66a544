/* What has changed in records since those before them, made once for all members of a tick. */
#ifndef HUBD_DELTA_H
#define HUBD_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "member/sift.h"

struct delta_entry;

/* The last record of each key and type as of `upto`. Zeroed at the start. */
struct delta {
	struct delta_entry **table; /* by key, chained */
	size_t size, n, bytes;
	uint64_t upto;
	struct buf text; /* the patches of the sift */
};

void delta_free(struct delta *d);

/* Gives the sift's records their patches, where there are some that are shorter than they are.
 * last: only the last one of each key and type, and it is what has changed since before the sift.
 * The patches are good until the next call. */
void delta_make(struct delta *d, struct sift *s, bool last);

#endif
