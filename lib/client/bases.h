/* The last record of each key and type that a client has had of a session, which the hub's patches
 * are of (hub(7), Crowds). Pure. */
#ifndef HUB_BASES_H
#define HUB_BASES_H

#include <stddef.h>
#include <stdint.h>

#include "json/keys.h"

#define BASES_BYTES (64 * 1024 * 1024) /* of all of them: then they are forgotten */

struct base;

/* Zeroed at the start, but for keys. */
struct bases {
	const struct keys *keys; /* what is state; borrowed */
	struct base **by_key, **by_seq;
	size_t size, n, bytes;
	unsigned char secret[16]; /* members choose their keys */
};

/* Forgets them all, and gives their memory back. */
void bases_clear(struct bases *b);

/* Takes a whole record, which is copied where it is state. What was kept of the same key and type
 * goes, and with a deletion all of its key. Where there is no memory for it, or too much of it,
 * records are missing. */
void bases_keep(struct bases *b, const char *text, size_t len, uint64_t seq);

/* The record of that seq, or NULL. */
struct base *bases_find(const struct bases *b, uint64_t seq);

/* Its text: good until it is changed, or another record is kept. */
struct span bases_text(const struct base *base);

/* It is another one now, of the same key and type; copied. Returns 0 or -ENOMEM. */
int bases_change(struct bases *b, struct base *base, struct span text, uint64_t seq);

#endif
