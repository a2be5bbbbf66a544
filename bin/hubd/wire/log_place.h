/* A place in a session's log as clients name it: EPOCH-SEQ, or EPOCH-SEQ-RUN on a hub whose
 * sessions outlive it, where the run tells which records the client can have seen. */
#ifndef HUBD_LOG_PLACE_H
#define HUBD_LOG_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PLACE_MAX 48 /* characters of one, and a NUL */

struct log_place {
	uint64_t epoch;
	uint64_t seq; /* of the last record before it */
	uint32_t run;
	bool has_run;
};

/* Writes it, with a NUL; returns its length. */
size_t place_text(const struct log_place *place, char out[PLACE_MAX]);

/* Reads one; false where the text is not of that form, or seq is beyond 2^53. */
bool place_parse(const char *text, size_t len, struct log_place *place);

/* Reads a seq: 1 to 16 digits, at most 2^53. */
bool place_parse_seq(const char *text, size_t len, uint64_t *seq);

/* The seq of a record, which stands last in it; 0 where it does not. */
uint64_t place_of_record(const char *text, size_t len);

#endif
