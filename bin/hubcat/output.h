/* Standard output, never blocking: what a slow consumer does not take yet is kept, and while that
 * is much the owner is asked for no more. Who reads no more is told of once; then nothing is kept.
 */
#ifndef HUBCAT_OUTPUT_H
#define HUBCAT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/buf.h"
#include "color.h"
#include "console.h"
#include "readiness.h"

/* What it tells, from inside output_flush() and output_line() or from the loop. */
struct output_events {
	/* Much is kept: give it no more; or little again. Told again and again. */
	void (*full)(void *arg, bool full);
	/* Nobody reads any more, or it cannot be written: an error of write(2), or ENOMEM. Once;
	 * done() follows. */
	void (*failed)(void *arg, int error);
	/* Everything given is written, or never will be. */
	void (*done)(void *arg);
};

struct output {
	/* Set by the owner. */
	const struct output_events *events;
	void *arg;
	struct console *console;  /* cleared before writing */
	struct color_style style; /* for a person; zeroed: text stays as it is */

	/* Below: for output.c only. */
	struct readiness watch;
	bool watched;
	bool socket;
	bool broken; /* nobody reads any more */
	struct buf data;
	size_t written; /* of data */
};

/* Begins to watch for who reads, and for room; without it nothing may be given. Returns 0 or
 * -errno. */
int output_start(struct output *out, uv_loop_t *loop);

/* Adds a line: JSON text, in which line feeds become spaces; or what the style makes of it. */
void output_line(struct output *out, const char *text, size_t len);

/* Adds text as it is, with so many bytes of end behind it. */
void output_text(struct output *out, const char *text, size_t len, const char *end, size_t end_len);

/* Writes what can be written now. */
void output_flush(struct output *out);

/* Forgets what was added and not flushed yet. */
void output_discard(struct output *out);

/* Nothing is left to write, or nobody to read it. */
bool output_empty(const struct output *out);
bool output_broken(const struct output *out);

/* Harmless where nothing was started. */
void output_free(struct output *out);

#endif
