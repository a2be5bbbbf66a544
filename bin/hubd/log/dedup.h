/* The messages that asked for an ack lately, so that a repeat is acked again and not logged twice.
 * Each sender has a window of its own, and all together have an end: there the sender with most
 * gives way, so that nobody empties the window of somebody who says little. */
#ifndef HUBD_DEDUP_H
#define HUBD_DEDUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define DEDUP_KEY_LEN 16
#define DEDUP_SENDER 4096 /* messages of one sender remembered; its oldest goes first */
#define DEDUP_MAX 16384	  /* of all senders */
#define DEDUP_CLASSES 13  /* of senders by the size of their window: 1, 2 and 3, 4 to 7, ... */

/* Zeroed at the start. Messages are known by a keyed 64-bit hash of sender and msg_id. Places are
 * counted from 1; 0: none. */
struct dedup {
	struct dedup_entry *entry; /* place - 1 */
	uint32_t *bucket;	   /* of entries: the first of a chain */
	uint32_t cap;		   /* of both: a power of two; grows to DEDUP_MAX */
	uint32_t n, used;	   /* entries there are; places that were ever used */
	uint32_t free;		   /* the first place that is free again */

	struct dedup_sender *sender;
	uint32_t *sender_bucket;
	uint32_t sender_cap, sender_n, sender_used, sender_free;
	uint32_t class[DEDUP_CLASSES]; /* the first sender of each */
};

/* What a message with a msg_id is known by; msg_id is a JSON string as written, quotes included, of
 * at most ENVELOPE_MSG_ID_MAX bytes when unescaped. */
uint64_t dedup_hash(const unsigned char key[DEDUP_KEY_LEN], uint64_t sender, struct span msg_id);

void dedup_free(struct dedup *d);

/* The memory it takes, in bytes. */
size_t dedup_bytes(const struct dedup *d);

/* True with the seq of the message (0 where it was not logged) where it is remembered. */
bool dedup_find(const struct dedup *d, uint64_t hash, uint64_t *seq);

/* Makes sure that dedup_add() has room. Returns 0 or -ENOMEM. */
int dedup_reserve(struct dedup *d);

/* Remembers a message that dedup_find() does not know. dedup_reserve() went before. */
void dedup_add(struct dedup *d, uint64_t sender, uint64_t hash, uint64_t seq);

#endif
