/* A batch of records as bytes: what Redis keeps of a session's log, an entry each, and what hubds
 * hear. A head of one line of text, `r EPOCH FIRST N BEFORE ID`, then the records, each with its
 * tags in front of it, the lowest byte first. Pure. */
#ifndef HUBD_BATCH_H
#define HUBD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"

struct incoming;
struct offer;

#define BATCH_RECORDS 1000 /* at most */
#define BATCH_ID_MAX 40

/* All borrowed. */
struct batch_head {
	uint64_t epoch;
	uint64_t first, n;	/* seq of the first, and how many */
	struct span before, id; /* of the batch before this one, and its own */
	struct span records;
};

/* Takes a number, and the space or line feed behind it. */
bool batch_number(struct span *s, unsigned base, uint64_t *n);

/* Reads one. False where it is none. */
bool batch_read(struct span bytes, struct batch_head *head);

/* Appends a record. Returns 0 or -ENOMEM. */
int batch_put(struct buf *out, const struct offer *o);

/* Takes the next record from the front; *ttl_ms: after which it goes, 0: it does not. in->due_ms is
 * not set. False where there is none that is whole. */
bool batch_next(struct span *records, struct incoming *in, uint64_t *ttl_ms);

#endif
