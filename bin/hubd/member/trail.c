/* Invariant: the steps stand in the order in which their records went to the connection; what was
 * before the first of them is in the bases. */
#include "member/trail.h"

#include <stdlib.h>
#include <string.h>

#include "member/member.h"

#define STEPS_MIN 16

static struct trail *trail_of(const struct seat *seat)
{
	return seat_trail(seat->above ? seat->above : seat);
}

static struct trail_log *find(struct trail *t, const struct seat *seat)
{
	for (unsigned i = 0; i < t->logs; i++)
		if (t->log[i].seat == seat)
			return &t->log[i];
	return NULL;
}

static void drop(struct seat *above)
{
	struct trail *t = seat_trail(above);

	if (!t)
		return;
	above->more->trail = NULL;
	free(t->log);
	free(t->step);
	free(t);
}

static bool add_log(struct trail *t, struct seat *seat, uint64_t base, uint64_t begin)
{
	unsigned room = t->log_room ? 2 * t->log_room : 4;
	struct trail_log *log;

	if (t->logs == t->log_room) {
		log = realloc(t->log, room * sizeof(*log));
		if (!log)
			return false;
		t->log = log;
		t->log_room = room;
	}
	t->log[t->logs++] = (struct trail_log){seat, t->numbers++, base, begin};
	return true;
}

/* The first step becomes the base of its log. */
static void forget_first(struct trail *t)
{
	const struct trail_step *step = &t->step[t->first];

	for (unsigned i = 0; i < t->logs; i++)
		if (t->log[i].number == step->number)
			t->log[i].base = step->cursor;
	t->first = (t->first + 1) & (t->size - 1);
	t->n--;
	t->forgot = true;
}

static bool grow(struct trail *t)
{
	unsigned size = t->size ? 2 * t->size : STEPS_MIN;
	struct trail_step *step = malloc(size * sizeof(*step));

	if (!step)
		return false;
	for (unsigned i = 0; i < t->n; i++)
		step[i] = t->step[(t->first + i) & (t->size - 1)];
	free(t->step);
	t->step = step;
	t->first = 0;
	t->size = size;
	return true;
}

static struct trail_step *last(const struct trail *t)
{
	return t->n ? &t->step[(t->first + t->n - 1) & (t->size - 1)] : NULL;
}

void trail_go(struct seat *seat)
{
	struct trail *t = trail_of(seat);
	struct trail_log *log = t ? find(t, seat) : NULL;
	struct trail_step *step = t ? last(t) : NULL;

	if (!log || seat->m.catchup)
		return;
	if (step && step->number == log->number) {
		step->cursor = seat->m.cursor;
		return;
	}
	if (t->n == TRAIL_STEPS || (t->n == t->size && !grow(t)))
		forget_first(t);
	t->step[(t->first + t->n++) & (t->size - 1)] =
	    (struct trail_step){seat->m.cursor, log->number};
}

void trail_begin(struct seat *above, uint64_t base)
{
	struct seat_more *more = seat_more(above);
	struct trail *t = NULL;

	drop(above);
	if (more)
		t = more->trail = calloc(1, sizeof(*t));
	if (!t || !grow(t) || !add_log(t, above, base, 0))
		drop(above);
	else if (above->m.cursor != base)
		trail_go(above);
}

void trail_enter(struct seat *room, uint64_t base)
{
	struct seat *above = room->above;

	if (!seat_trail(above))
		trail_begin(above, above->m.catchup ? 0 : above->m.cursor);
	if (!seat_trail(above))
		return;
	if (!find(above->more->trail, room) &&
	    !add_log(above->more->trail, room, base, base ? 0 : room->m.cursor))
		drop(above);
	else if (room->m.cursor != base)
		trail_go(room);
}

void trail_jump(struct seat *seat)
{
	struct trail *t = trail_of(seat);

	if (!t)
		return;
	while (t->n)
		forget_first(t);
	for (unsigned i = 0; i < t->logs; i++)
		if (t->log[i].seat == seat)
			t->log[i].base = 0;
	trail_go(seat);
}

void trail_leave(struct seat *seat)
{
	struct trail *t = trail_of(seat);
	struct trail_log *log = t ? find(t, seat) : NULL;

	if (!seat->above)
		drop(seat);
	else if (log)
		*log = t->log[--t->logs];
}

const struct seat *trail_last(const struct seat *above)
{
	const struct trail *t = above->more->trail;
	const struct trail_step *step = last(t);

	for (unsigned i = 0; step && i < t->logs; i++)
		if (t->log[i].number == step->number)
			return t->log[i].seat;
	return above;
}
