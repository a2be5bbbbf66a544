/* The part of a recording that --from and --to name. */
#ifndef HUBREPLAY_RANGE_H
#define HUBREPLAY_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/quantity.h"

/* Made by range_read(); from_us and to_us hold after range_begin(). */
struct range {
	struct quantity_moment from, to;
	bool ends;
	uint64_t from_us,
	    to_us; /* since the beginning: from from_us up to but not including to_us */
};

/* Reads what the options say, NULL where one was not given: a --to of +TIME is after --from, a
 * --from of +TIME after the beginning. Dies where it is no moment. */
void range_read(struct range *r, const char *from, const char *to);

/* The beginning is known: ms since 1970, or 0 where nobody has said it. What is before it begins
 * with it. Dies where the end is before the beginning, or the calendar is asked for in vain. */
void range_begin(struct range *r, uint64_t start_ms);

#endif
