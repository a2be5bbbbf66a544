/* Instants are computed from the message's number, never by adding up, so that nothing drifts. */
#include "plan/schedule.h"

#include <math.h>

/* splitmix64, by Sebastiano Vigna: good enough for gaps, and any seed will do. */
static uint64_t schedule_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A gap of a Poisson process, in nanoseconds. */
static double schedule_gap(struct schedule *s, const struct timetable *t)
{
	/* In (0, 1]. */
	double u = ((double)(schedule_random(&s->random) >> 11) + 1) / 9007199254740992.0;

	return -log(u) * 1e9 * t->publishers / t->rate;
}

uint64_t schedule_fixed(const struct timetable *t, uint64_t i, uint64_t start_ns)
{
	return start_ns + (uint64_t)((double)i * 1e9 / t->rate);
}

static void schedule_set(struct schedule *s, const struct timetable *t, uint64_t start_ns)
{
	switch (t->kind) {
	case SCHEDULE_FIXED:
		s->due = schedule_fixed(t, s->next, start_ns);
		break;
	case SCHEDULE_POISSON:
		s->at += schedule_gap(s, t);
		s->due = start_ns + (uint64_t)s->at;
		break;
	case SCHEDULE_PLAY:
		s->due =
		    start_ns + t->play_ns[s->next % t->nplay] + s->next / t->nplay * t->turn_ns;
		break;
	}
}

void schedule_start(struct schedule *s, const struct timetable *t, uint32_t publisher,
		    uint64_t start_ns)
{
	*s = (struct schedule){.due = SCHEDULE_NEVER, .next = publisher};
	if (t->rate <= 0 && t->kind != SCHEDULE_PLAY)
		return;
	s->random = t->seed ^ (uint64_t)publisher << 32;
	schedule_random(&s->random);
	schedule_set(s, t, start_ns);
}

void schedule_next(struct schedule *s, const struct timetable *t, uint64_t start_ns)
{
	s->next += t->publishers;
	schedule_set(s, t, start_ns);
}

uint64_t schedule_count(const struct schedule *s, const struct timetable *t, uint64_t start_ns,
			uint64_t before_ns, bool exact)
{
	struct schedule copy = *s;
	uint64_t n = 0;

	if (s->due >= before_ns)
		return 0;
	if (!exact && t->kind != SCHEDULE_PLAY)
		return 1 + (uint64_t)((double)(before_ns - s->due) * t->rate / 1e9 / t->publishers);
	for (; copy.due < before_ns; n++)
		schedule_next(&copy, t, start_ns);
	return n;
}
