/* Lists of globs, compiled once: "*" stands for any bytes, "?" for one. Pure functions. */
#ifndef HUBD_GLOBS_H
#define HUBD_GLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"

#define GLOBS_MAX 64 /* in one list */

struct globs {
	uint32_t at; /* where they stand in the memory they were compiled into, in a row */
	uint16_t n;  /* 0: nothing matches */
	bool all;    /* one of them is "*" */
};

/* Adds a glob to a list, compiled into memory, behind those before it; no other list's may come in
 * between. "$user" in it stands for user, byte for byte: what is in there is no glob; where user is
 * empty the glob matches nothing. Returns 0, -ENOMEM, or -E2BIG for one too many. */
int globs_add(struct globs *list, struct buf *memory, struct span glob, struct span user);

/* Whether one of them matches all of text, which has no control characters. */
bool globs_match(const struct globs *list, const char *memory, struct span text);

#endif
