/* The highest rate at which all that is expected holds, found by as many runs as it takes. */
#ifndef HUBBENCH_SEARCH_H
#define HUBBENCH_SEARCH_H

#include "plan/plan.h"
#include "report/expect.h"
#include "report/result.h"

/* Runs at rates that double until one does not meet what is expected, then halves the distance
 * until it is below 5 %. *r becomes the result of the best run, with all trials in it; where none
 * met it, that of the last. Returns 0 or an exit status after saying why. */
int search(struct plan *p, struct expect *const *expect, size_t n, struct result *r);

#endif
