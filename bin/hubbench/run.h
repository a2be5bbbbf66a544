/* One run, from connecting to the result. */
#ifndef HUBBENCH_RUN_H
#define HUBBENCH_RUN_H

#include "plan.h"
#include "report/result.h"

/* Fills *r, which is zeroed, and tells of each second as the plan has it. Returns 0, or an exit
 * status after saying why: there is no result then. */
int run_once(const struct plan *p, struct result *r);

/* Waits until the instant (CLOCK_MONOTONIC, ns), or until a signal comes; true where one came. */
bool run_wait(int signal_fd, uint64_t until_ns);

#endif
