/* Messages that are not in the session as they should be: refused, not known to have arrived, or in
 * it twice. Any of them makes the answer of the program "no". */
#ifndef HUBREPLAY_LOSSES_H
#define HUBREPLAY_LOSSES_H

#include <stdint.h>

#include "base/progress.h"

#define LOSSES_SAID 10 /* with losses_first() */

/* Zeroed at the start but for progress. */
struct losses {
	struct progress *progress;
	uint64_t n;
};

/* Counts n, and says what they are. */
void losses_add(struct losses *l, uint64_t n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Counts one of a kind of which there may be many, and says it while there are few of any kind: the
 * first ones tell what the others would. */
void losses_first(struct losses *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
