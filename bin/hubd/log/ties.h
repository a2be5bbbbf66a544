/* What state is bound to besides its key: a client, with whom it goes, and a time, at which it
 * goes. Few records are; those have a tie. */
#ifndef HUBD_TIES_H
#define HUBD_TIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_entry;

#define TIES_NEVER UINT64_MAX

struct tie {
	struct tie *next, **link; /* others of clients alike; link NULL: nobody's */
	struct state_entry *entry;
	uint64_t client;
	uint64_t due_ms; /* monotonic; TIES_NEVER: it has no time */
	size_t at;	 /* in the heap, where it has */
};

/* Zeroed at the start. */
struct ties {
	struct tie **table; /* of those that are somebody's, by client, chained */
	size_t size;	    /* a power of two, or 0 */
	size_t owned;
	size_t empty; /* so many of the table's first chains are */
	struct tie **heap; /* of those that have a time: the first to end is the first */
	size_t cap, timed;
};

void ties_free(struct ties *t); /* all ties are gone */

/* Room for one more of each. Returns 0 or -ENOMEM. */
int ties_reserve(struct ties *t);

/* Puts a tie in; client 0: nobody's. ties_reserve() went before. */
void ties_add(struct ties *t, struct tie *tie, uint64_t client, uint64_t due_ms);
void ties_remove(struct ties *t, struct tie *tie);

/* One of a client's, of a client's that is so (looks at all), or of anybody's; NULL: there is none.
 */
struct tie *ties_of(const struct ties *t, uint64_t client);
struct tie *ties_where(const struct ties *t, bool (*is)(uint64_t client, void *arg), void *arg);
struct tie *ties_of_any(struct ties *t);

/* One whose time has come, or NULL; and when the first one's does. */
struct tie *ties_due(const struct ties *t, uint64_t now_ms);
uint64_t ties_next_ms(const struct ties *t);

/* The memory they take, but for the ties themselves. */
size_t ties_bytes(const struct ties *t);

#endif
