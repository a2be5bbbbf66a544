/* A line of input becomes messages: as it is, wrapped by -t, or by the program of -m. */
#ifndef HUBCAT_CONVERT_H
#define HUBCAT_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "json/filter.h"

struct convert {
	bool raw;	     /* lines are text, not JSON */
	const char *type;    /* -t; NULL: none */
	struct filter *map;  /* -m, the owner's; NULL: none */
	const char *session; /* messages are data for this session; NULL: they speak to the hub */
};

enum convert_got {
	CONVERT_AS_IS, /* the line itself is the message */
	CONVERT_MADE,  /* out has the messages that it makes, one a line, or none */
	CONVERT_BAD,   /* why it makes none is in why */
	CONVERT_HALT,  /* as MADE, but -m halted: filter_halted() */
};

/* Makes messages of a line: of data, such that each becomes one record of the session, with all
 * that stands in the line. What the hub would take for itself is carried in `record` (hub(7)). */
enum convert_got convert_line(const struct convert *c, const char *text, size_t len,
			      struct buf *out, char *why, size_t cap);

/* Whether there is nothing but white space. */
bool convert_blank(const char *text, size_t len);

#endif
