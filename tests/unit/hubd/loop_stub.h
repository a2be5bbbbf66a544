/* Workers whose hooks do nothing but what a test puts there, and turns of their loops. A test that
 * fails gets no further, so helpers end the program where something is not as it must be. */
#ifndef HUBD_TEST_LOOP_STUB_H
#define HUBD_TEST_LOOP_STUB_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "loop/worker.h"

static inline void stub_need(bool what, const char *why)
{
	if (what)
		return;
	fprintf(stderr, "stub: %s\n", why);
	abort();
}

static inline int loop_stub_start(struct worker *w)
{
	(void)w;
	return 0;
}

static inline void loop_stub_nothing(struct worker *w)
{
	(void)w;
}

static inline void loop_stub_step(struct worker *w, struct turn_entry *e)
{
	(void)w;
	(void)e;
}

static inline uint32_t loop_stub_due(struct wheel_entry *e, uint32_t now_s)
{
	(void)e;
	(void)now_s;
	return WHEEL_SLOTS - 1;
}

static inline void loop_stub_drain(struct worker *w, uint64_t left_ms, bool now)
{
	(void)w;
	(void)left_ms;
	(void)now;
}

/* A table of hooks that do nothing, for a test to put its own in. */
static inline struct worker_hooks loop_stub_hooks(void)
{
	return (struct worker_hooks){
	    .start = loop_stub_start,
	    .step = {loop_stub_step, loop_stub_step, loop_stub_step, loop_stub_step},
	    .due = loop_stub_due,
	    .second = loop_stub_nothing,
	    .alarm = loop_stub_nothing,
	    .drain = loop_stub_drain,
	    .abort = loop_stub_nothing,
	    .free = loop_stub_nothing,
	};
}

/* n workers that have been started. Borrows hooks. */
static inline void loop_stub_workers(struct workers *all, unsigned n,
				     const struct worker_hooks *hooks)
{
	for (unsigned i = 0; i < n; i++)
		stub_need(worker_new(all, hooks) != NULL, "no worker");
	for (unsigned i = 0; i < n; i++)
		stub_need(worker_start(all->at[i]) == 0, "a worker does not start");
}

/* Their number stays, for sessions that are left count on it. */
static inline void loop_stub_free(struct workers *all)
{
	workers_settle(all);
	for (unsigned i = 0; i < all->n; i++)
		worker_free(all->at[i]);
}

/* One time round a worker's loop, without waiting: what was posted to it is handled, what is due is
 * done. Two turns, one before the loop looks for events and one behind. */
static inline void stub_round(struct worker *w)
{
	uv_run(worker_loop(w), UV_RUN_NOWAIT);
}

/* Enough of them for one thing to lead to the next. */
static inline void stub_turns(struct worker *w)
{
	for (int i = 0; i < 3; i++)
		stub_round(w);
}

/* The same for all, until what they tell each other has settled. */
static inline void stub_settle(const struct workers *all)
{
	for (int i = 0; i < 3; i++)
		for (unsigned k = 0; k < all->n; k++)
			stub_turns(all->at[k]);
}

#endif
