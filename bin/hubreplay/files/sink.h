/* A recording that is written by a command: every failure ends the program. */
#ifndef HUBREPLAY_SINK_H
#define HUBREPLAY_SINK_H

#include <stdint.h>

#include "base/buf.h"
#include "recording/recording.h"
#include "recording/seal.h"

/* Open between sink_open() and sink_close(). Marks go to w, each with sink_check(). */
struct sink {
	const char *path; /* borrowed */
	struct recorder *w;
	struct buf text;
};

/* Creates it, compressed where its name ends in .zst; "-": standard output. Borrows the keys, which
 * may be NULL. */
void sink_open(struct sink *s, const char *path, const struct seal_keys *keys);

/* Puts a line with another time, in us. */
void sink_put(struct sink *s, const struct recording_line *line, uint64_t t_us);

/* Dies where error, of the recorder, is less than 0; with 0 where nobody reads standard output any
 * more. */
void sink_check(const struct sink *s, int error);

/* Writes the end, and closes. */
void sink_close(struct sink *s);

#endif
