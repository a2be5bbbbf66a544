/* The state of a session, made of its records as a hub makes it: the last one of each key and type.
 */
#ifndef HUBREPLAY_SESSION_STATE_H
#define HUBREPLAY_SESSION_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "json/keys.h"
#include "recording/recording.h"

struct state_record {
	uint64_t seq;
	uint32_t hash; /* of its name */
	uint16_t key_len, type_len;
	char *name; /* the key and the type; owned */
	char *text; /* the record without t; owned */
	size_t len;
};

/* Zeroed at the start. */
struct session_state {
	struct state_record *record; /* n of them */
	size_t n, cap;
	uint32_t *slot; /* of the names: 0, or a record's index and 1 */
	size_t slots;
};

/* Takes a record: into the state, out of it, or neither. Out of memory ends the program. */
void session_state_take(struct session_state *s, const struct keys *keys,
			const struct recording_line *line);

/* Puts the records in the order of seq; then nothing more can be taken. Returns how many there are.
 */
size_t session_state_sort(struct session_state *s);

void session_state_clear(struct session_state *s);

#endif
