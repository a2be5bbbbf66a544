/* A batch of records as bytes: what Redis keeps of a session's log, an entry each, and what hubds
 * hear. A head of one line of text, `r EPOCH FIRST N BEFORE ID`, then the records, each with its
 * tags in front of it, the lowest byte first. And what Redis remembers of those with an ack. Pure.
 */
#ifndef HUBD_BATCH_H
#define HUBD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"

struct incoming;
struct offer;
struct slot;

#define BATCH_RECORDS 1000 /* at most */
#define BATCH_ID_MAX 40

/* All borrowed. */
struct batch_head {
	uint64_t epoch;
	uint64_t first, n;	/* seq of the first, and how many */
	struct span before, id; /* of the batch before this one, and its own */
	struct span records;
};

/* Takes a word of at most BATCH_ID_MAX bytes, or a number, and the space or line feed behind it. */
bool batch_word(struct span *s, struct span *word);
bool batch_number(struct span *s, unsigned base, uint64_t *n);

/* Reads one. False where it is none. */
bool batch_read(struct span bytes, struct batch_head *head);

/* Appends the head of one, and a record. Return 0 or -ENOMEM. */
int batch_put_head(struct buf *out, uint64_t epoch, uint64_t first, size_t n, const char *before,
		   const char *id);
int batch_put(struct buf *out, const struct offer *o);

/* Takes the next record from the front; *ttl_ms: after which it goes, 0: it does not. in->due_ms is
 * not set. False where there is none that is whole. */
bool batch_next(struct span *records, struct incoming *in, uint64_t *ttl_ms);

/* --- messages with an ack, as Redis remembers them: a block for each batch that has some, which is
 * the first seq of the batch and how many they are, then each, and once more how many: so it can be
 * read from both ends. */

#define BATCH_ACKED 18 /* bytes of each */

struct batch_acked {
	uint64_t msg, sender;
	uint64_t seq;
};

/* Appends one, which is the record at that place of its batch, from 0 on; publish.lua makes the
 * block of them. Returns 0 or -ENOMEM. */
int batch_put_acked(struct buf *out, const struct slot *tags, size_t place);

/* Calls each() for all of them, the oldest first, until that returns something else than 0. Returns
 * that, or -EINVAL where it is not blocks. */
int batch_each_acked(struct span blocks, int (*each)(void *arg, const struct batch_acked *acked),
		     void *arg);

#endif
