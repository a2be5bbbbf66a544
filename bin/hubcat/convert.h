/* A line of input becomes messages: as it is, wrapped by -t, or by the program of -m. */
#ifndef HUBCAT_CONVERT_H
#define HUBCAT_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "json/filter.h"

#define CONVERT_LINE_MAX ((1 << 20) - 1) /* bytes of an input line, and of what -m makes of it */

struct convert {
	bool raw;	    /* lines are text, not JSON */
	const char *type;   /* -t; NULL: none */
	struct filter *map; /* -m, the owner's; NULL: none */
};

/* Whether lines are not sent as they are. */
bool convert_needed(const struct convert *c);

/* Appends to out the messages that a line makes, one a line: all of them or, where it returns false
 * with the reason in why, none. */
bool convert_line(const struct convert *c, const char *text, size_t len, struct buf *out, char *why,
		  size_t cap);

/* Whether text is a message that a hub takes; else false with the reason. */
bool convert_check(const char *text, size_t len, char *why, size_t cap);

/* Whether there is nothing but white space. */
bool convert_blank(const char *text, size_t len);

#endif
