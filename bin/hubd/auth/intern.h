/* One of each: immutable things that are equal become the same thing, which is counted by its
 * references. So what a thousand connections have alike is there once. For any thread. */
#ifndef HUBD_INTERN_H
#define HUBD_INTERN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

/* The front of a thing. */
struct interned {
	struct interned *next;
	atomic_uint refs;
	uint32_t hash;
};

struct intern;

/* For about so many things. NULL: no memory. All of them must have gone before it is freed. */
struct intern *intern_new(size_t about);
void intern_free(struct intern *all); /* NULL is fine */

/* A hash of some bytes, of which nobody outside can tell which others have the same. */
uint32_t intern_hash(const struct intern *all, struct span bytes);

/* Looks for a thing that is the same as mine, whose hash is set. Returns it with a new reference,
 * or else mine, with its first one. */
struct interned *intern_keep(struct intern *all, struct interned *mine,
			     bool (*same)(const struct interned *a, const struct interned *b));

void interned_ref(struct interned *x);

/* Gives up a reference. True where it was the last one: then nobody finds x any more, and it is the
 * caller's to free. */
bool intern_drop(struct intern *all, struct interned *x);

#endif
