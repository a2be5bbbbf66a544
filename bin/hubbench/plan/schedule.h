/* When a publisher's messages are due, whatever the server does: at fixed instants, at random ones
 * (a Poisson process), or as a recording has it. Pure, and small enough to be copied, so that what
 * did not go out can be taken back. Instants are in nanoseconds of one clock. */
#ifndef HUBBENCH_SCHEDULE_H
#define HUBBENCH_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_NEVER UINT64_MAX

enum schedule_kind { SCHEDULE_FIXED, SCHEDULE_POISSON, SCHEDULE_PLAY };

/* What all publishers of a run share. */
struct timetable {
	enum schedule_kind kind;
	double rate; /* messages/s of all publishers together; 0: none */
	uint32_t publishers;
	uint64_t seed;
	/* SCHEDULE_PLAY: one instant for each message, ascending, since the start, and the time
	 * from one turn to the next. */
	const uint64_t *play_ns;
	size_t nplay;
	uint64_t turn_ns;
};

/* Where one publisher stands in it. */
struct schedule {
	uint64_t due;  /* of its next message; SCHEDULE_NEVER: there is none */
	uint64_t next; /* that message's place among those of all publishers, from 0 */
	uint64_t random;
	double at; /* SCHEDULE_POISSON: due, since the start */
};

/* Message i of all is publisher i mod publishers' one; at a fixed rate it is due i / rate seconds
 * after the start. */
void schedule_start(struct schedule *s, const struct timetable *t, uint32_t publisher,
		    uint64_t start_ns);

/* When message i of all is due at a fixed rate. */
uint64_t schedule_fixed(const struct timetable *t, uint64_t i, uint64_t start_ns);

/* Goes on to the publisher's next message. */
void schedule_next(struct schedule *s, const struct timetable *t, uint64_t start_ns);

/* How many are due before the instant. exact false: about as many, in constant time. */
uint64_t schedule_count(const struct schedule *s, const struct timetable *t, uint64_t start_ns,
			uint64_t before_ns, bool exact);

#endif
