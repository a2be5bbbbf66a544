/* What a run needs of the machine, looked at before it begins, so that it does not fail in the
 * middle of it. */
#ifndef HUBBENCH_PREFLIGHT_H
#define HUBBENCH_PREFLIGHT_H

#include "load/load.h"

/* Raises the limit of descriptors, and spreads clients over source addresses where they are more
 * than there are ports. Returns 0, or an exit status with the remedy in why. */
int preflight(struct run *r, char *why, size_t cap);

#endif
