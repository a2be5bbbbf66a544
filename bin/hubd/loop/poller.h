/* A worker's descriptors, by epoll(7) itself: what is watched is one pointer, for there may be very
 * many. Edge-triggered: each change is told once, so nobody has to say what it waits for. */
#ifndef HUBD_POLLER_H
#define HUBD_POLLER_H

#include <stdint.h>

#include "loop/worker.h"

/* Embedded by who is told. ready() runs on the worker's thread, before the turn, with EPOLLIN,
 * EPOLLOUT, EPOLLRDHUP, EPOLLHUP and EPOLLERR as they come. It may be called once more in the round
 * in which the descriptor was closed, so what it is in must stay until the turn. */
struct pollee {
	void (*ready)(struct pollee *p, uint32_t events);
};

/* Begins; close() of the descriptor, of which there is no copy, ends it. Returns 0 or -errno. */
int poller_add(struct worker *w, struct pollee *p, int fd);

/* Ends while the descriptor stays open; as for its close, what it is in must stay until the turn.
 */
void poller_remove(struct worker *w, int fd);

#endif
