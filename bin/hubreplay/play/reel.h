/* Several files as one line of time: a file begins where its start says, or where the one before
 * ended. Times are in us since the start of the first. */
#ifndef HUBREPLAY_REEL_H
#define HUBREPLAY_REEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/progress.h"
#include "files/range.h"
#include "recording/recording.h"
#include "recording/seal.h"

/* Zeroed at the start but for the first group, which is borrowed. A file is open, or none is: the
 * one that should be could not be opened. */
struct reel {
	char **paths;
	int n;
	struct range range;	      /* what is played of it, as range_read() has it */
	const struct seal_keys *keys; /* or NULL */
	bool plain;		      /* they are lines that need not be recordings */
	struct progress *progress;    /* what is wrong with a file is said */

	int at; /* the file that is open */
	struct recording *file;
	uint64_t first_ms;  /* the start of the first file, ms since 1970 */
	uint64_t offset_us; /* of this file */
	uint64_t last_us;   /* the last time there was */
	int status;	    /* of the first that did not come to its end; 0: none */
};

/* Opens the first file, at the beginning of the range; again and again, too. Returns 0 or an exit
 * status after saying why. */
int reel_open(struct reel *r);

/* The next record or state record, with *us its time; false at the end. Borrowed until the next
 * call. */
bool reel_next(struct reel *r, struct recording_line *line, uint64_t *us);

/* Goes to that time, within the range; false where that cannot be. */
bool reel_seek(struct reel *r, uint64_t us);

/* How long all are; 0: not known. Searches in the last file, so not where one is standard input. */
uint64_t reel_length(struct reel *r);

void reel_close(struct reel *r);

#endif
