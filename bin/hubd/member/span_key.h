#ifndef HUBD_SPAN_KEY_H
#define HUBD_SPAN_KEY_H

#include <stdbool.h>
#include <stdint.h>

struct encoding;

/* What the bytes of records depend on, beside the records. */
struct span_key {
	const struct encoding *encoding;
	uint64_t chunk;		   /* its serial; 0: of nothing */
	uint64_t above, above_seq; /* of a room: which log is above, and how far the member is */
	bool in_rooms;
};

#endif
