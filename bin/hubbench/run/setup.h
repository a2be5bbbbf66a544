/* What a run consists of, made before it and given back after it. */
#ifndef HUBBENCH_SETUP_H
#define HUBBENCH_SETUP_H

#include "load/load.h"

/* Makes *r for p, which is to live as long. Looks up the host: blocks. Returns 0, or an exit status
 * after saying why; setup_free() takes *r in either case. What is wrong with what was asked, or no
 * memory, ends the program. */
int setup_run(struct run *r, const struct plan *p);
void setup_free(struct run *r);

#endif
