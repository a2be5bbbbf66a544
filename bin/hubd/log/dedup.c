/* Entries in a hash table of chains, and in a list for each sender, from its oldest to its newest.
 * Invariant: a sender is there exactly while it has entries, and in the list of the class that
 * their number is of. */
#include "log/dedup.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 32
#define SENDERS_MIN 4

struct dedup_entry {
	uint64_t hash;
	uint64_t seq;
	uint32_t chain; /* the next entry of the same bucket, or of those that are free */
	uint32_t newer; /* of the same sender */
};

struct dedup_sender {
	uint64_t id;
	uint32_t chain; /* as of entries */
	uint32_t n, oldest, newest;
	uint32_t before, behind; /* in its class */
};

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
	free(d->entry);
	free(d->bucket);
	free(d->sender);
	free(d->sender_bucket);
	*d = (struct dedup){0};
}

size_t dedup_bytes(const struct dedup *d)
{
	return d->cap * (sizeof(*d->entry) + sizeof(*d->bucket)) +
	       d->sender_cap * (sizeof(*d->sender) + sizeof(*d->sender_bucket));
}

static struct dedup_entry *entry_at(const struct dedup *d, uint32_t place)
{
	return &d->entry[place - 1];
}

static struct dedup_sender *sender_at(const struct dedup *d, uint32_t place)
{
	return &d->sender[place - 1];
}

static uint32_t *bucket_of(const struct dedup *d, uint64_t hash)
{
	return &d->bucket[hash & (d->cap - 1)];
}

/* Client ids are the hub's own random numbers. */
static uint32_t *sender_bucket_of(const struct dedup *d, uint64_t id)
{
	return &d->sender_bucket[id & (d->sender_cap - 1)];
}

bool dedup_find(const struct dedup *d, uint64_t hash, uint64_t *seq)
{
	uint32_t at;

	if (!d->n)
		return false;
	for (at = *bucket_of(d, hash); at; at = entry_at(d, at)->chain) {
		if (entry_at(d, at)->hash == hash) {
			*seq = entry_at(d, at)->seq;
			return true;
		}
	}
	return false;
}

/* --- room; a table that is to grow is full, so all of its places are in use */

static int grow_entries(struct dedup *d)
{
	uint32_t cap = d->cap ? 2 * d->cap : CAP_MIN, i;
	uint32_t *bucket = calloc(cap, sizeof(*bucket));
	struct dedup_entry *entry = realloc(d->entry, cap * sizeof(*entry));

	if (entry)
		d->entry = entry;
	if (!entry || !bucket) {
		free(bucket);
		return -ENOMEM;
	}
	free(d->bucket);
	d->bucket = bucket;
	d->cap = cap;
	for (i = 1; i <= d->n; i++) {
		uint32_t *link = bucket_of(d, entry_at(d, i)->hash);

		entry_at(d, i)->chain = *link;
		*link = i;
	}
	return 0;
}

static int grow_senders(struct dedup *d)
{
	uint32_t cap = d->sender_cap ? 2 * d->sender_cap : SENDERS_MIN, i;
	uint32_t *bucket = calloc(cap, sizeof(*bucket));
	struct dedup_sender *sender = realloc(d->sender, cap * sizeof(*sender));

	if (sender)
		d->sender = sender;
	if (!sender || !bucket) {
		free(bucket);
		return -ENOMEM;
	}
	free(d->sender_bucket);
	d->sender_bucket = bucket;
	d->sender_cap = cap;
	for (i = 1; i <= d->sender_n; i++) {
		uint32_t *link = sender_bucket_of(d, sender_at(d, i)->id);

		sender_at(d, i)->chain = *link;
		*link = i;
	}
	return 0;
}

int dedup_reserve(struct dedup *d)
{
	if (d->n == d->cap && d->cap < DEDUP_MAX && grow_entries(d) < 0)
		return -ENOMEM;
	return d->sender_n == d->sender_cap && d->sender_cap < DEDUP_MAX ? grow_senders(d) : 0;
}

/* --- senders and their classes */

static uint32_t *class_of(struct dedup *d, uint32_t n)
{
	unsigned class = 0;

	while (n >>= 1)
		class ++;
	return &d->class[class];
}

static void class_remove(struct dedup *d, uint32_t place)
{
	struct dedup_sender *s = sender_at(d, place);

	*(s->before ? &sender_at(d, s->before)->behind : class_of(d, s->n)) = s->behind;
	if (s->behind)
		sender_at(d, s->behind)->before = s->before;
}

static void class_add(struct dedup *d, uint32_t place)
{
	struct dedup_sender *s = sender_at(d, place);
	uint32_t *first = class_of(d, s->n);

	s->before = 0;
	s->behind = *first;
	if (*first)
		sender_at(d, *first)->before = place;
	*first = place;
}

/* It has so many entries now. */
static void sender_resize(struct dedup *d, uint32_t place, uint32_t n)
{
	struct dedup_sender *s = sender_at(d, place);
	bool moves = class_of(d, s->n) != class_of(d, n);

	if (moves)
		class_remove(d, place);
	s->n = n;
	if (moves)
		class_add(d, place);
}

static uint32_t sender_find(const struct dedup *d, uint64_t id)
{
	uint32_t at = d->sender_n ? *sender_bucket_of(d, id) : 0;

	while (at && sender_at(d, at)->id != id)
		at = sender_at(d, at)->chain;
	return at;
}

/* A new one with the entry. */
static void sender_add(struct dedup *d, uint64_t id, uint32_t entry)
{
	uint32_t *link = sender_bucket_of(d, id);
	uint32_t place = d->sender_free;

	if (place)
		d->sender_free = sender_at(d, place)->chain;
	else
		place = ++d->sender_used;
	d->sender_n++;
	*sender_at(d, place) = (struct dedup_sender){
	    .id = id, .chain = *link, .n = 1, .oldest = entry, .newest = entry};
	*link = place;
	class_add(d, place);
}

/* One whose last entry goes. */
static void sender_remove(struct dedup *d, uint32_t place)
{
	uint32_t *link = sender_bucket_of(d, sender_at(d, place)->id);

	class_remove(d, place);
	while (*link != place)
		link = &sender_at(d, *link)->chain;
	*link = sender_at(d, place)->chain;
	sender_at(d, place)->chain = d->sender_free;
	d->sender_free = place;
	d->sender_n--;
}

/* --- entries */

/* Takes out the oldest entry of a sender, which has it counted still; returns its place. */
static uint32_t oldest_out(struct dedup *d, struct dedup_sender *s)
{
	uint32_t place = s->oldest;
	uint32_t *link = bucket_of(d, entry_at(d, place)->hash);

	while (*link != place)
		link = &entry_at(d, *link)->chain;
	*link = entry_at(d, place)->chain;
	s->oldest = entry_at(d, place)->newer;
	return place;
}

/* Puts an entry at a place of no other. */
static void entry_put(struct dedup *d, uint32_t place, uint64_t hash, uint64_t seq)
{
	uint32_t *link = bucket_of(d, hash);

	*entry_at(d, place) = (struct dedup_entry){.hash = hash, .seq = seq, .chain = *link};
	*link = place;
}

static void entry_append(struct dedup *d, struct dedup_sender *s, uint32_t place)
{
	entry_at(d, s->newest)->newer = place;
	s->newest = place;
}

/* The oldest of a sender gives its place to its newest. */
static void renew(struct dedup *d, struct dedup_sender *s, uint64_t hash, uint64_t seq)
{
	uint32_t place = oldest_out(d, s);

	entry_put(d, place, hash, seq);
	entry_append(d, s, place);
}

static void forget(struct dedup *d, uint32_t sender)
{
	struct dedup_sender *s = sender_at(d, sender);
	uint32_t place = oldest_out(d, s);

	entry_at(d, place)->chain = d->free;
	d->free = place;
	d->n--;
	if (s->n == 1)
		sender_remove(d, sender);
	else
		sender_resize(d, sender, s->n - 1);
}

/* One of those that have most, within a factor of two. */
static uint32_t largest(const struct dedup *d)
{
	unsigned class = DEDUP_CLASSES - 1;

	while (!d->class[class])
		class --;
	return d->class[class];
}

void dedup_add(struct dedup *d, uint64_t id, uint64_t hash, uint64_t seq)
{
	uint32_t sender = sender_find(d, id), place;

	if (sender && sender_at(d, sender)->n == DEDUP_SENDER) {
		renew(d, sender_at(d, sender), hash, seq);
		return;
	}
	if (d->n == DEDUP_MAX) {
		forget(d, largest(d));
		sender = sender_find(d, id); /* it may have been the one */
	}
	place = d->free;
	if (place)
		d->free = entry_at(d, place)->chain;
	else
		place = ++d->used;
	d->n++;
	entry_put(d, place, hash, seq);
	if (!sender) {
		sender_add(d, id, place);
		return;
	}
	entry_append(d, sender_at(d, sender), place);
	sender_resize(d, sender, sender_at(d, sender)->n + 1);
}
