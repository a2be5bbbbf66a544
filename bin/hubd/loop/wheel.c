/* Invariant: an entry is in one slot, and its link points at what points at it, or it is in none,
 * and its link is NULL. */
#include "loop/wheel.h"

#include <stddef.h>

void wheel_remove(struct wheel_entry *e)
{
	if (!e->link)
		return;
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
	e->link = NULL;
}

void wheel_set(struct wheel *wheel, struct wheel_entry *e, uint32_t seconds)
{
	struct wheel_entry **slot;

	if (seconds < 1)
		seconds = 1;
	if (seconds > WHEEL_SLOTS - 1)
		seconds = WHEEL_SLOTS - 1;
	slot = &wheel->slot[(wheel->at + seconds) % WHEEL_SLOTS];
	wheel_remove(e);
	e->next = *slot;
	e->link = slot;
	if (*slot)
		(*slot)->link = &e->next;
	*slot = e;
}

void wheel_advance(struct wheel *wheel, uint32_t now_s,
		   uint32_t (*due)(struct wheel_entry *e, uint32_t now_s))
{
	while (wheel->at != now_s) {
		struct wheel_entry **slot = &wheel->slot[++wheel->at % WHEEL_SLOTS];
		struct wheel_entry *e = *slot;

		*slot = NULL;
		while (e) {
			struct wheel_entry *next = e->next;

			e->link = NULL;
			wheel_set(wheel, e, due(e, now_s));
			e = next;
		}
	}
}

void wheel_each(struct wheel *wheel, void (*each)(struct wheel_entry *e, void *arg), void *arg)
{
	struct wheel_entry *e;
	unsigned i;

	for (i = 0; i < WHEEL_SLOTS; i++)
		for (e = wheel->slot[i]; e; e = e->next)
			each(e, arg);
}
