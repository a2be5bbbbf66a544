/* One line on stderr that tells a person how far things are, drawn or not. Whatever else is written
 * there goes before it. What it says is the caller's business, and that stderr is a terminal. */
#ifndef HUB_PROGRESS_H
#define HUB_PROGRESS_H

#include <stdbool.h>

/* Zeroed at the start. One for the process: there is one stderr. */
struct progress {
	bool drawn; /* the line is on the terminal */
};

/* Draws the line, of up to 200 bytes, in the place of the one before. For a terminal only. */
void progress_draw(struct progress *p, const char *line);

/* Takes the line away, for who writes to stderr by another way than progress_say(). */
void progress_clear(struct progress *p);

/* Says one line (err_log(), cut at 900 bytes) as an error is said. */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
