/* What stands in a line of a session, which the hub has made sure is one JSON object: enough to
 * read by, without allocating. Names are compared as they are written. */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>

/* A part of the line; not ended by a zero. */
struct text {
	const char *p;
	int len;
};

/* A member of the object itself, not of those in it: its string without the quotes and with its
 * escapes, or any other value as it is written. Empty where there is none; of several the last one.
 */
struct text line_member(const char *line, const char *name);
/* A number without its fraction, or the nearest of min and max. What is none is 0. */
int line_number(struct text, int min, int max);
bool line_is(struct text, const char *what);
/* Numbers of an array, from where p stands: at its bracket, or at a comma in it. Gives where it
 * stands then, or NULL where there are fewer than n. */
const char *line_numbers(const char *p, int *numbers, int n);
/* Hands over the lines that have come on standard input, which must be ready; a line may have 256
 * KiB. False at the end of it. */
bool line_read(void (*take)(const char *line));

#endif
