/* What a run consists of, made before it and given back after it. */
#ifndef HUBBENCH_SETUP_H
#define HUBBENCH_SETUP_H

#include "load/load.h"

/* Makes *r. Returns 0, or an exit status after saying why. */
int setup_run(struct run *r, const struct plan *p);
void setup_free(struct run *r);

#endif
