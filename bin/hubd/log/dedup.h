/* The messages that asked for an ack lately, so that a repeat is acked again and not logged twice.
 */
#ifndef HUBD_DEDUP_H
#define HUBD_DEDUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define DEDUP_KEY_LEN 16
#define DEDUP_MAX 4096 /* messages remembered; the oldest goes first */

/* Zeroed at the start. Messages are known by a keyed 64-bit hash of sender and msg_id. */
struct dedup {
	struct dedup_entry *ring;
	uint16_t *bucket; /* index + 1 of the first entry of a chain; 0: none */
	uint32_t cap;	  /* a power of two; grows to DEDUP_MAX */
	uint32_t n;
	uint32_t next; /* where the next entry goes */
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
void dedup_add(struct dedup *d, uint64_t hash, uint64_t seq);

#endif
