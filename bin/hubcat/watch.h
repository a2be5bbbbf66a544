/* Readiness of an inherited descriptor. Such a descriptor is shared with the shell and other
 * programs, so its flags must stay as they are; uv_poll_t would make it non-blocking. An epoll set
 * of its own stands between. */
#ifndef HUBCAT_WATCH_H
#define HUBCAT_WATCH_H

#include <stdint.h>
#include <uv.h>

struct watch;

/* events as in epoll_ctl(2). */
typedef void watch_ready(struct watch *w, uint32_t events);

struct watch {
	uv_poll_t poll;
	int set; /* the epoll descriptor; -1: not made */
	int fd;
	watch_ready *ready;
	void *data;
};

/* Returns 0 with the watch stopped, or -errno; -EPERM for what is always ready (a file, /dev/null).
 * On failure nothing needs closing. */
int watch_init(struct watch *w, uv_loop_t *loop, int fd, watch_ready *ready, void *data);

/* Waits for events (EPOLLIN, EPOLLOUT); errors and hang-ups are always told. */
void watch_start(struct watch *w, uint32_t events);
void watch_stop(struct watch *w);

/* Lets go of it; the descriptor stays open. Harmless where watch_init() failed or was never called
 * on a zeroed watch. */
void watch_close(struct watch *w);

#endif
