/* What a receiver of numbered messages has, misses, got twice, or late. One stream per receiver and
 * numbering: a session's `seq`, or the numbers that a publisher gives. Exact, and sixteen bytes as
 * long as nothing is missing. */
#ifndef HUBBENCH_AUDIT_H
#define HUBBENCH_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "report/result.h"

/* A stream that takes the first number it gets for its beginning. */
#define STREAM_ANY UINT64_MAX

#define STREAM_HOLES_MAX 1000000 /* of one stream; beyond, the oldest count as lost for good */

struct holes;

/* { .next = the first number that is expected } at the start. */
struct stream {
	uint64_t next;	     /* all below have come, or lie in holes */
	struct holes *holes; /* NULL: there is none */
};

enum stream_got {
	STREAM_NEW,    /* in its place */
	STREAM_LATE,   /* after a later one: reordered */
	STREAM_AGAIN,  /* had before */
	STREAM_REPEAT, /* had before, in the state that follows a gap: as it should be */
};

/* Takes the number of what came and counts it. Out of memory ends the program. */
enum stream_got stream_take_odd(struct stream *s, uint64_t number, struct audit_counts *counts);

static inline enum stream_got stream_take(struct stream *s, uint64_t number,
					  struct audit_counts *counts)
{
	if (number == s->next) {
		s->next++;
		counts->delivered++;
		return STREAM_NEW;
	}
	return stream_take_odd(s, number, counts);
}

/* The numbers up to `to` will not come, as the server says, but for some that may follow now, with
 * others that were had before. */
void stream_withhold(struct stream *s, uint64_t to);

/* The receiver was away and was told so: what lies between the last number before and the first one
 * that comes now is withheld. */
void stream_restart(struct stream *s);

/* Whether it has all below `end`, and nothing is missing. */
bool stream_complete(const struct stream *s, uint64_t end);

/* How many numbers are missing and not withheld. */
uint64_t stream_missing(const struct stream *s);

/* The end: `end` is the number behind the last that should have come (below next: unknown). Counts
 * what is lost and withheld, and gives the memory back. */
void stream_end(struct stream *s, uint64_t end, struct audit_counts *counts);

#endif
