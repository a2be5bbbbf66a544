/* The room run/: one run from the plan to the result, and many of them to find a rate. It makes the
 * load and its threads (setup.h) once the machine allows it (preflight.h), leads them through their
 * phases and looks at them and at the server's processes (proc.h) once a second, and adds up
 * (sum.h).
 *
 * main.c calls run_once(), or search() (search.h), with a plan that is made. */
#ifndef HUBBENCH_RUN_H
#define HUBBENCH_RUN_H

#include "plan/plan.h"
#include "report/result.h"

/* Fills *r, which is zeroed, and tells of each second as the plan has it; result_free() takes *r in
 * either case. Takes as long as the plan says, or until a signal is told. Returns 0, or an exit
 * status after saying why: there is no result then. One at a time. */
int run_once(const struct plan *p, struct result *r);

#endif
