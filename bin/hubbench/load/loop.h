/* A thread of the run. Between loop_init() and the start of its thread, and after the thread has
 * ended, it belongs to run/; in between only its snapshot does, under its mutex. */
#ifndef HUBBENCH_LOOP_H
#define HUBBENCH_LOOP_H

#include "load/load.h"

/* Makes thread `index` of r->threads, with its members and its epoll instance. r is to be complete.
 * Returns 0 or -errno; loop_free() takes it in either case, and gives back what it holds, not *l.
 */
int loop_init(struct loop *l, struct run *r, unsigned index);
void loop_free(struct loop *l);

/* The thread, for pthread_create(3): takes a struct loop, runs until PHASE_END, returns NULL. */
void *loop_main(void *loop);

#endif
