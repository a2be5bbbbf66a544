/* Makes whole again the records of an array that came as patches, or without what the one before
 * them says (hub(7), Crowds: delta, fields). */
#ifndef HUB_RESTORE_H
#define HUB_RESTORE_H

#include <stdbool.h>

#include "base/buf.h"
#include "client/bases.h"
#include "json/json_walk.h"

/* Zeroed at the start, but for the keys of its bases. */
struct restore {
	bool compact; /* what the record before says may be left out */
	struct bases bases;

	/* Below: for restore.c only. */
	struct span before; /* the record before, in the array */
	struct buf room[2], patch;
	unsigned at; /* which room `before` may be in */
};

void restore_free(struct restore *u);

/* Begins an array. */
void restore_begin(struct restore *u);

/* Gives the next element as the message that it stands for, in *out: that borrows from the array,
 * or from u until the next one. Returns 0; -ENOENT for a patch of a record that is not kept, or one
 * that cannot be; -ENOMEM. */
int restore_next(struct restore *u, const struct json_item *item, struct span *out);

#endif
