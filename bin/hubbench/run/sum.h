/* Adds up what the threads have counted. */
#ifndef HUBBENCH_SUM_H
#define HUBBENCH_SUM_H

#include "load/load.h"

/* Ends the audit and fills *r, the verdict included; once the threads have ended. */
void sum_up(struct run *run, struct result *r);

#endif
