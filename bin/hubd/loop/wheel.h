/* A timer wheel of seconds: every entry is looked at when its second comes, and says in how many
 * seconds to look again. For one thread. */
#ifndef HUBD_WHEEL_H
#define HUBD_WHEEL_H

#include <stdint.h>

#define WHEEL_SLOTS 64 /* an entry waits for WHEEL_SLOTS - 1 seconds at most */

/* Embedded by who wants to be looked at; zeroed at the start. */
struct wheel_entry {
	struct wheel_entry *next, **link;
};

struct wheel {
	struct wheel_entry *slot[WHEEL_SLOTS];
	uint32_t at; /* the second whose slot was looked at last */
};

/* Moves e to the slot of about so many seconds from now, 1 to WHEEL_SLOTS - 1. */
void wheel_set(struct wheel *wheel, struct wheel_entry *e, uint32_t seconds);

/* Takes e out; one that is not in is fine. */
void wheel_remove(struct wheel_entry *e);

/* Calls due() for every entry up to now_s, which returns in how many seconds to look again. due()
 * must take no entry out of the wheel. */
void wheel_advance(struct wheel *wheel, uint32_t now_s,
		   uint32_t (*due)(struct wheel_entry *e, uint32_t now_s));

/* Calls each() for every entry, which must take none out. */
void wheel_each(struct wheel *wheel, void (*each)(struct wheel_entry *e, void *arg), void *arg);

#endif
