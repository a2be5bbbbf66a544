/* From what the threads have counted to the result; once in a run, at its end. */
#ifndef HUBBENCH_SUM_H
#define HUBBENCH_SUM_H

#include "load/load.h"

/* Ends the audit and fills *r, the verdict included; once the threads have ended. r->series is
 * there already. Out of memory ends the program. */
void sum_up(struct run *run, struct result *r);

#endif
