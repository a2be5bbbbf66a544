/* --rejects: the lines that are not in the log, as they were read. Lines are kept until it is known
 * what has become of them. Invariant: kept are lines in the order of reading, each written once at
 * most. */
#ifndef HUBCAT_REJECTS_H
#define HUBCAT_REJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Zeroed and with fd -1 it keeps and writes nothing. */
struct rejects {
	int fd;	   /* -1: none */
	int error; /* errno of the first write that failed, else 0 */
	/* Below: for rejects.c only. */
	struct buf kept; /* number, length, bytes of each line */
	size_t first;	 /* of kept: the first line */
	size_t sought;	 /* of kept: the line found last */
};

/* Opens path to append to. Returns 0 or -errno. */
int rejects_open(struct rejects *r, const char *path);

/* Keeps a line that was read, and forgets those before the number `oldest`. */
void rejects_keep(struct rejects *r, uint64_t number, const char *text, size_t len,
		  uint64_t oldest);

/* Writes the line of that number. */
void rejects_write(struct rejects *r, uint64_t number);

/* Writes all lines from the number `oldest` on: what became of them is not known. */
void rejects_rest(struct rejects *r, uint64_t oldest);

void rejects_close(struct rejects *r);

#endif
