/* Readiness of an inherited descriptor. Such a descriptor is shared with the shell and other
 * programs, so its flags must stay as they are; uv_poll_t would make it non-blocking. An epoll set
 * of its own stands between. */
#ifndef HUBCAT_READINESS_H
#define HUBCAT_READINESS_H

#include <stdint.h>
#include <uv.h>

struct readiness;

/* events as in epoll_ctl(2). */
typedef void readiness_ready(struct readiness *r, uint32_t events);

struct readiness {
	uv_poll_t poll;
	int set; /* the epoll descriptor; -1: not made */
	int fd;
	readiness_ready *ready;
	void *data;
};

/* Returns 0 with it stopped, or -errno; -EPERM for what is always ready (a file, /dev/null).
 * On failure nothing needs closing. */
int readiness_init(struct readiness *r, uv_loop_t *loop, int fd, readiness_ready *ready,
		   void *data);

/* Waits for events (EPOLLIN, EPOLLOUT); errors and hang-ups are always told. */
void readiness_start(struct readiness *r, uint32_t events);
void readiness_stop(struct readiness *r);

/* Lets go of it; the descriptor stays open. Harmless where readiness_init() failed or was never
 * called on a zeroed one. */
void readiness_close(struct readiness *r);

#endif
