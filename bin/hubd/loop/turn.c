/* Invariant: a turn's lists are empty whenever the loop waits for events. */
#include "base/clock.h"
#include "loop/sends.h"
#include "loop/worker_impl.h"

#define STREAMS_NS 2000000 /* of a turn, for streams that have more to read */

bool worker_later(struct worker *w, enum turn_step step, struct turn_entry *e)
{
	struct engine *en = engine_of(w);

	if (e->next)
		return false;
	e->next = en->list[step];
	en->list[step] = e;
	return true;
}

/* While it is active the loop does not wait; turns stop it. */
static void on_idle(uv_idle_t *handle)
{
	(void)handle;
}

void turn_follow(struct engine *en)
{
	uv_idle_start(&en->idle, on_idle);
}

/* What is left of a list: first of the next turn's, so that all have theirs, one after the other.
 */
static void put_off(struct engine *en, enum turn_step step)
{
	struct turn_entry **last = &en->list[step];

	while (*last != &en->end)
		last = &(*last)->next;
	*last = en->next[step];
	en->next[step] = en->list[step];
	en->list[step] = &en->end;
	turn_follow(en);
	en->more = true;
}

void turn_sent(struct engine *en)
{
	uint64_t now_ns;

	sends_close(en->w.sends);
	if (!en->ndelivered)
		return;
	now_ns = clock_mono_ns();
	while (en->ndelivered)
		histogram_add(&en->w.delivery, now_ns - en->delivered[--en->ndelivered]);
}

void worker_delivered(struct worker *w, uint64_t since_ns)
{
	struct engine *en = engine_of(w);

	if (en->ndelivered == DELIVERED_MAX)
		histogram_add(&w->delivery, clock_mono_ns() - since_ns);
	else
		en->delivered[en->ndelivered++] = since_ns;
}

/* Streams do strangers' work, of which there may be any: it has a part of a turn. */
static void run_list(struct engine *en, enum turn_step step)
{
	bool bounded = step == TURN_STREAMS && !en->ending;
	uint64_t until = bounded ? clock_mono_ns() + STREAMS_NS : UINT64_MAX;

	sends_open(en->w.sends);
	while (en->list[step] != &en->end) {
		struct turn_entry *e = en->list[step];

		en->list[step] = e->next;
		e->next = NULL;
		en->hooks->step[step](&en->w, e);
		if (bounded && en->list[step] != &en->end && clock_mono_ns() > until)
			put_off(en, step);
	}
	turn_sent(en);
}

bool worker_next_turn(struct worker *w, enum turn_step step, struct turn_entry *e)
{
	struct engine *en = engine_of(w);

	if (e->next)
		return false;
	e->next = en->next[step];
	en->next[step] = e;
	turn_follow(en);
	en->more = true;
	return true;
}

void turn_end_delay(struct engine *en)
{
	struct turn_entry *e = en->delayed;

	en->delayed = &en->end;
	while (e != &en->end) {
		struct turn_entry *next = e->next;

		e->next = en->list[TURN_RESUME];
		en->list[TURN_RESUME] = e;
		e = next;
	}
}

static void on_delay(uv_timer_t *timer)
{
	turn_end_delay(timer->data);
}

bool worker_delay(struct worker *w, struct turn_entry *e)
{
	struct engine *en = engine_of(w);

	if (e->next)
		return false;
	if (en->delayed == &en->end && !uv_is_closing((uv_handle_t *)&en->delay))
		uv_timer_start(&en->delay, on_delay, WORKER_DELAY_MS, 0);
	e->next = en->delayed;
	en->delayed = e;
	return true;
}

void turn_next(struct engine *en)
{
	enum turn_step step;

	if (!en->more)
		return;
	en->more = false;
	for (step = 0; step < TURN_STEPS; step++) {
		struct turn_entry **last = &en->next[step];

		while (*last != &en->end)
			last = &(*last)->next;
		*last = en->list[step];
		en->list[step] = en->next[step];
		en->next[step] = &en->end;
	}
}

void turn_run(struct engine *en)
{
	enum turn_step step = 0;

	while (step < TURN_STEPS) {
		if (en->list[step] == &en->end) {
			step++;
			continue;
		}
		run_list(en, step);
		step = 0; /* what was done may have filled those before it */
	}
	en->wall_ms = 0;
}
