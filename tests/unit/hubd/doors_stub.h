/* A hub whose workers have doors: what these keep for a worker goes with it. */
#ifndef HUBD_TEST_DOORS_STUB_H
#define HUBD_TEST_DOORS_STUB_H

#include "door/doors.h"
#include "door/stream.h"
#include "hubd/hub_stub.h"

static inline void doors_stub_abort(struct worker *w)
{
	conns_abort(w);
	doors_abort(w);
}

static inline void doors_stub_free(struct worker *w)
{
	members_free(w);
	doors_free(w);
}

/* Of a hub stub that was started with one worker: gives it doors. */
static inline struct worker *doors_stub_start(struct hub_stub *st, struct doors *doors)
{
	struct worker *w = stub_worker(&st->m, 0);

	st->m.s.hooks.step[TURN_STREAMS] = stream_turn;
	st->m.s.hooks.abort = doors_stub_abort;
	st->m.s.hooks.free = doors_stub_free;
	w->doors = doors;
	stub_need(doors_start(w) == 0, "no doors");
	return w;
}

#endif
