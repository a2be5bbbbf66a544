/* A ring of entries in their order, and a hash table of chains over it. */
#include "log/dedup.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 64

struct dedup_entry {
	uint64_t hash;
	uint64_t seq;
	uint16_t chain; /* index + 1 of the next entry of the same bucket */
};

static uint16_t *bucket_of(const struct dedup *d, uint64_t hash)
{
	return &d->bucket[hash & (d->cap - 1)];
}

uint64_t dedup_hash(const unsigned char key[DEDUP_KEY_LEN], uint64_t sender, struct span msg_id)
{
	unsigned char text[sizeof(sender) + ENVELOPE_MSG_ID_MAX];
	uint64_t hash;
	int n = json_unescape(msg_id.p + 1, msg_id.len - 2, (char *)text + sizeof(sender),
			      ENVELOPE_MSG_ID_MAX);

	memcpy(text, &sender, sizeof(sender));
	crypto_shorthash((unsigned char *)&hash, text, sizeof(sender) + (n > 0 ? (size_t)n : 0),
			 key);
	return hash;
}

void dedup_free(struct dedup *d)
{
	free(d->ring);
	free(d->bucket);
	*d = (struct dedup){0};
}

size_t dedup_bytes(const struct dedup *d)
{
	return d->cap * (sizeof(*d->ring) + sizeof(*d->bucket));
}

bool dedup_find(const struct dedup *d, uint64_t hash, uint64_t *seq)
{
	uint16_t at;

	if (!d->n)
		return false;
	for (at = *bucket_of(d, hash); at; at = d->ring[at - 1].chain) {
		if (d->ring[at - 1].hash == hash) {
			*seq = d->ring[at - 1].seq;
			return true;
		}
	}
	return false;
}

static void link_entry(struct dedup *d, uint32_t i)
{
	uint16_t *bucket = bucket_of(d, d->ring[i].hash);

	d->ring[i].chain = *bucket;
	*bucket = (uint16_t)(i + 1);
}

int dedup_reserve(struct dedup *d)
{
	uint32_t cap = d->cap ? 2 * d->cap : CAP_MIN, i;
	struct dedup_entry *ring;
	uint16_t *bucket;

	if (d->n < d->cap || d->cap == DEDUP_MAX)
		return 0;
	bucket = calloc(cap, sizeof(*bucket));
	ring = realloc(d->ring, cap * sizeof(*ring));
	if (ring)
		d->ring = ring;
	if (!ring || !bucket) {
		free(bucket);
		return -ENOMEM;
	}
	/* Not yet full until now, the ring is in order from 0. */
	free(d->bucket);
	d->bucket = bucket;
	d->cap = cap;
	d->next = d->n;
	for (i = 0; i < d->n; i++)
		link_entry(d, i);
	return 0;
}

static void forget_entry(struct dedup *d, uint32_t i)
{
	uint16_t *link = bucket_of(d, d->ring[i].hash);

	while (*link != i + 1)
		link = &d->ring[*link - 1].chain;
	*link = d->ring[i].chain;
}

void dedup_add(struct dedup *d, uint64_t hash, uint64_t seq)
{
	uint32_t i = d->next;

	if (d->n == d->cap)
		forget_entry(d, i);
	else
		d->n++;
	d->ring[i].hash = hash;
	d->ring[i].seq = seq;
	link_entry(d, i);
	d->next = (i + 1) & (d->cap - 1);
}
