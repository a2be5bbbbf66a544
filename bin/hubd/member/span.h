/* Bytes of many records at a time, for one connection or for all that want the same. */
#ifndef HUBD_SPAN_H
#define HUBD_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "log/log.h"
#include "member/member.h"

/* What encodings want to know of a seat's records, and what the bytes depend on beside them; for
 * the chunk with that serial. Not to be copied. */
struct span_about {
	struct log_place place, above;
	struct record_log in; /* of these */
	struct span_key key;
};
void span_about(const struct seat *seat, uint64_t serial, struct span_about *out);
bool span_same(const struct span_key *a, const struct span_key *b);

/* Writes the records of the seat's session from *cursor on, up to the end of the chunk they are in
 * and the head of the view, without those of sender `skip` (0: all of them), and moves *cursor
 * behind them; echo: only without those that no sender gets. live: they are of the log; what others
 * hardly share is not deflated. Adds what it wrote to *bytes. True where more may be written. */
bool span_write(const struct seat *seat, struct log_view *view, uint64_t *cursor, uint64_t skip,
		bool echo, bool live, size_t *bytes);

#endif
