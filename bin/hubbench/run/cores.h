/* Whether the generator and the server have the same CPUs. */
#ifndef HUBBENCH_CORES_H
#define HUBBENCH_CORES_H

#include <stdint.h>

struct run;

/* How many of hubbench's CPUs the server may run on: of the processes that are watched, or, for a
 * server on this machine, all; 0 for one elsewhere. */
uint64_t cores_shared(const struct run *r);

#endif
