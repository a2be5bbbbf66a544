/* The terminal, where a person watches. This room owns:
 *
 *	progress   one line on stderr, drawn or not, and what is said: that goes before it
 *	keyboard   keys from stdin, raw (each at once, not shown) or as the terminal was before
 *
 * Called by record/ and play/; it calls the library only. What the line says and what a key does is
 * the caller's business: the keyboard runs what it was handed. */
#ifndef HUBREPLAY_PROGRESS_H
#define HUBREPLAY_PROGRESS_H

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
