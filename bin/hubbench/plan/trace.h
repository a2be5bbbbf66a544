/* A trace: the messages of a recording, with their timing. A recording is hub-recording(5), or any
 * NDJSON whose messages have a `timestamp` in milliseconds. */
#ifndef HUBBENCH_TRACE_H
#define HUBBENCH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace {
	char **text;  /* templates, see speak/template.h: with {mark} as their first field */
	uint64_t *ns; /* since the first, ascending */
	size_t n;
	uint64_t turn_ns; /* after which it begins again */
};

/* Reads a file. rate: messages/s that it is to have; 0: its own, speed times as
 * fast. acks: messages ask for one. Says
 * what is wrong and ends the program where it cannot. trace_free() takes what comes back. */
struct trace *trace_read(const char *file, double rate, double speed, bool acks);
void trace_free(struct trace *t); /* NULL is fine */

#endif
