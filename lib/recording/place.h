/* Where the log of a session has come to in a recording: what the next record of it must be. */
#ifndef HUB_PLACE_H
#define HUB_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "recording/recording.h"

/* Zeroed at the start. */
struct place {
	bool known;
	uint64_t seq;			     /* of the last record, gap or snapshot */
	char epoch[RECORDING_EPOCH_MAX + 1]; /* of seq; empty: not known */
};

/* Whether a gap or a snapshot is of another log than the one so far; true where none is known. */
bool place_is_new(const struct place *p, const struct recording_line *line);

/* Goes on with a record, a gap or a snapshot of the session. */
void place_follow(struct place *p, const struct recording_line *line);

#endif
