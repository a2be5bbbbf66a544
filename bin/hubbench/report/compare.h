/* Two results side by side: what differs in their conditions, what in their figures. */
#ifndef HUBBENCH_COMPARE_H
#define HUBBENCH_COMPARE_H

#include <stdio.h>

#include "report/result.h"

/* Writes them to out. Errors stay with out, for ferror(3). */
void compare(FILE *out, const struct result *before, const struct result *now);

#endif
