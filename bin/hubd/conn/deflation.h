/* What a worker deflates for its members: records and arrays of them, once for all who share the
 * bytes. What turns out to be for one member alone is bounded, so that nobody has a hub work for
 * him. */
#ifndef HUBD_DEFLATION_H
#define HUBD_DEFLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "loop/worker.h"

/* Bytes a second, of all texts that are deflated for one member each; about a twentieth of a core.
 */
#define DEFLATION_ALONE (8 * 1024 * 1024)

struct deflater;

/* Of what is made from time to time, and may be shared each time. Zeroed at the start. */
struct deflation_share {
	uint64_t cost; /* of the last time, that nobody else shares yet */
	bool shared;   /* the last time it was */
	bool again;    /* this time it is */
};

/* A worker's. Zeroed at the start. */
struct deflation {
	struct worker *worker;
	struct deflater *deflater;    /* made when it is first needed; deflation_free() */
	uint64_t alone;		      /* bucket.h */
	struct deflation_share *made; /* of what is being made */
};

/* What follows is made for that; until the next call. Returns d, or NULL where nothing is deflated
 * (any more). */
struct deflation *deflation_for(struct deflation *d, struct worker *w,
				struct deflation_share *made);

/* What was made for that is somebody else's, too. */
void deflation_shared(struct deflation *d, struct deflation_share *made);

/* Appends a text as a deflated frame, by a window of so many bits. Returns 0; 1 where it is to be
 * sent as it is: it is short, would not be shorter, or enough was done for single members; or
 * -ENOMEM. */
int deflation_put(struct deflation *d, unsigned bits, const char *text, size_t len,
		  struct buf *out);

/* Appends what a deflated message stands for: as inflate_message(), for a worker that may have
 * deflated nothing yet. */
int deflation_undo(struct deflation *d, const void *data, size_t len, size_t limit,
		   struct buf *out);

void deflation_free(struct deflation *d);

#endif
