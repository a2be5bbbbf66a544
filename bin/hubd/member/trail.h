/* In which order a seat and its rooms had records written to their connection: so that of a client
 * that comes back with the place of the last one that it has got it is known how far it was in each
 * of them. Reaches back over so many changes from one of them to another. */
#ifndef HUBD_TRAIL_H
#define HUBD_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

struct seat;

#define TRAIL_STEPS 512 /* a power of two */

/* One of them. */
struct trail_log {
	struct seat *seat;
	uint32_t number; /* in the steps; of no other of the trail, ever */
	uint64_t base; /* its cursor before the first step; 0: it has not had what it begins with */
	uint64_t begin; /* records before that are state, which it begins with */
};

/* So far its cursor was then. */
struct trail_step {
	uint64_t cursor;
	uint32_t number;
};

struct trail {
	uint32_t numbers;
	unsigned logs, log_room;
	unsigned first, n, size; /* of the steps, a ring; size is a power of two, or 0 */
	bool forgot;		 /* some that came first: they are in the bases */
	struct trail_log *log;	 /* that of the seat above is the first */
	struct trail_step *step;
};

/* A seat to which rooms may come: base is the cursor up to which the client is known to have had
 * all. Where memory is out there is no trail, here and below. */
void trail_begin(struct seat *above, uint64_t base);

/* The room has just been joined, or joined again; base is as above, or 0: it is new to the client.
 * Begins the trail of the seat above where it has none. */
void trail_enter(struct seat *room, uint64_t base);

/* Its cursor has moved on, or it has had what came before that. */
void trail_go(struct seat *seat);

/* It was set elsewhere: nothing before is known any more. */
void trail_jump(struct seat *seat);

/* The room is left, or no room any more; of the seat above: gives the trail up. */
void trail_leave(struct seat *seat);

/* Of a seat with a trail: who was the last to have some. */
const struct seat *trail_last(const struct seat *above);

#endif
