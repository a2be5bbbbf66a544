/* What worker.c and turn.c share: a worker, and its turn, whose functions are turn.c's. */
#ifndef HUBD_WORKER_IMPL_H
#define HUBD_WORKER_IMPL_H

#include <pthread.h>
#include <uv.h>

#include "loop/worker.h"

#define DELIVERED_MAX 256 /* noted of a list */

struct engine {
	struct worker w; /* first: a worker is its engine */
	const struct worker_hooks *hooks;
	uv_loop_t loop;
	uv_async_t async;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle; /* active while the next turn is to follow at once */
	uv_timer_t tick;
	uv_timer_t drain;
	uv_timer_t delay;
	uv_timer_t alarm;
	uv_poll_t poll; /* of epoll */
	int epoll;

	pthread_mutex_t mail_lock;
	struct mail *mail_first, **mail_last;
	bool asleep; /* under mail_lock: nothing wakes it any more; the rest is read as it is freed
		      */
	bool own_mail; /* its own thread has posted some, and the loop does not wait */
	struct mail drain_mail;

	struct turn_entry *list[TURN_STEPS]; /* ends with &end */
	struct turn_entry *next[TURN_STEPS]; /* for the turn to come */
	bool more;			     /* something is in there */
	struct turn_entry *delayed;	     /* the same */
	struct turn_entry end;
	struct buf scratch[WORKER_SCRATCH];
	unsigned nscratch;

	uint64_t wall_ms; /* of this turn, once it was asked for */
	uint64_t busy_ns; /* since when it has been handling events; 0: it waits for them */
	uint64_t drain_start_ms;
	bool started, draining, ending;
	uint64_t delivered[DELIVERED_MAX]; /* since when what is to leave was there */
	unsigned ndelivered;
};

static inline struct engine *engine_of(struct worker *w)
{
	return (struct engine *)w;
}

/* The next turn follows at once: the loop does not wait. */
void turn_follow(struct engine *en);

/* What was left for the next turn is for this one; so is all that was delayed. */
void turn_next(struct engine *en);
void turn_end_delay(struct engine *en);

/* Does the lists until all are empty. */
void turn_run(struct engine *en);

/* The end of what was begun by sends_open(): all leaves, and it is counted how long that took. */
void turn_sent(struct engine *en);

#endif
