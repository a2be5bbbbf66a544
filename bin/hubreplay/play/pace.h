/* A timer for instants of the monotonic clock, exact to what the kernel gives: libuv's own count
 * milliseconds. For the loop's thread. */
#ifndef HUBREPLAY_PACE_H
#define HUBREPLAY_PACE_H

#include <stdint.h>
#include <uv.h>

struct pace;

typedef void pace_due(struct pace *p);

struct pace {
	uv_poll_t poll;
	int fd;
	pace_due *due;
	void *data;
};

/* Returns 0 or -errno. */
int pace_init(struct pace *p, uv_loop_t *loop, pace_due *due, void *data);

/* Calls due() once, from the loop, at that time (CLOCK_MONOTONIC, not 0) or as soon as possible
 * after it. The last call counts. */
void pace_at(struct pace *p, uint64_t ns);
void pace_stop(struct pace *p);
void pace_close(struct pace *p);

#endif
