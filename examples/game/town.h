/* The town: a plane with houses, in which everything has a place. */
#ifndef TOWN_H
#define TOWN_H

#include <stdbool.h>
#include <stdint.h>

enum {
	TOWN_WIDTH = 1600, /* in units of its own, as everything is */
	TOWN_HEIGHT = 900,
	TOWN_REACH = 22, /* how near one must come to take something, or to hit a wall */
};

struct place {
	double x, y;
};

bool town_near(struct place, struct place);
/* Whether nobody can stand there, for a wall. */
bool town_blocked(struct place);
struct place town_anywhere(void); /* where somebody can stand */
/* The map, as a record of the state, to stdout. */
void town_tell(void);
int64_t town_clock(void); /* nanoseconds; it never goes back */

#endif
