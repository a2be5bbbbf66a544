/* A table of names, each with a count and a structure of the owner's: sessions, types, members.
 * Entries stay where they are, in the order of their coming. Out of memory ends the program. */
#ifndef HUBREPLAY_TALLY_H
#define HUBREPLAY_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

struct tally_entry {
	struct tally_entry *next; /* in the order of coming */
	uint64_t count;
	size_t len;
	char *name;  /* with a NUL */
	void *extra; /* zeroed, of the size that the table has */
};

/* Zeroed at the start, but for extra and limit. */
struct tally {
	size_t extra; /* bytes of each entry's structure */
	size_t limit; /* entries */
	bool full;    /* there were more names */
	struct tally_entry *first, *last, **slot;
	size_t n, cap;
};

/* The entry of a name, new or not; NULL where there is none and the table is full. */
struct tally_entry *tally_find(struct tally *t, struct span name);

/* The same; a full table ends the program. */
struct tally_entry *tally_need(struct tally *t, struct span name);

void tally_free(struct tally *t);

#endif
