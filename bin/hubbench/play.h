/* The messages of a recording, with their timing: of hub-recording(5), or any NDJSON whose messages
 * have a `timestamp` in milliseconds. */
#ifndef HUBBENCH_PLAY_H
#define HUBBENCH_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct play {
	char **text;  /* templates, see message.h: with {mark} as their first field */
	uint64_t *ns; /* since the first, ascending */
	size_t n;
	uint64_t turn_ns; /* after which it begins again */
};

/* Reads a file. rate: messages/s that it is to have; 0: its own. acks: messages ask for one. Says
 * what is wrong and ends the program where it cannot. */
struct play *play_read(const char *file, double rate, bool acks);
void play_free(struct play *p); /* NULL is fine */

#endif
