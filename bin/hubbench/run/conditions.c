/* Invariant: what is taken is what the options of that run would have said. */
#include "run/conditions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/need.h"
#include "plan/plan.h"
#include "report/result.h"
#include "speak/dialect.h"

/* The place of a name in a list; where it has none, otherwise. */
static int place_of(const char *const *names, const char *name, int otherwise)
{
	for (int i = 0; name && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return otherwise;
}

/* A number as an option; in text, which is to stay. */
static const char *number_text(char text[32], double n)
{
	snprintf(text, 32, "%.17g", n);
	return text;
}

static void take_rate(struct options *o, const struct options *said, const struct result *r)
{
	static char rate[32], speed[32];

	if (r->closed) {
		if (!said->rate && !said->poisson && !said->play && !said->no_echo)
			o->closed = (int64_t)r->closed;
		return;
	}
	if (said->closed)
		return;
	o->poisson = r->poisson;
	o->play = r->play;
	if (r->play && r->speed > 0 && !said->rate)
		o->speed = number_text(speed, r->speed);
	if (r->rate > 0 && !r->play)
		o->rate = number_text(rate, r->rate);
}

/* As far as so many clients can be so many of them. */
static void take_counts(struct options *o, const struct options *said, const struct result *r)
{
	uint64_t clients = said->clients == UNSET ? r->clients : (uint64_t)said->clients;

	if (said->clients == UNSET && r->clients)
		o->clients = (int64_t)r->clients;
	if (r->sessions && r->sessions <= clients)
		o->sessions = (int64_t)r->sessions;
	if (r->publishers + r->slow <= clients) {
		o->publishers = (int64_t)r->publishers;
		if (r->slow)
			o->slow = (int64_t)r->slow;
	}
}

void conditions_take(struct options *o, const struct options *said, const struct result *r)
{
	static char churn[32];
	int scenario = place_of(scenario_names, r->scenario, CONDITIONS_NONE);

	if (r->duration > 0)
		o->duration = r->duration;
	o->warmup = r->warmup;
	if (r->threads)
		o->threads = (int64_t)r->threads;
	o->seed = (int64_t)r->seed;
	if (scenario < 0 || (said->scenario != CONDITIONS_NONE && said->scenario != scenario)) {
		if (r->clients)
			o->clients = (int64_t)r->clients;
		return;
	}
	o->scenario = scenario;
	if (said->dialect == CONDITIONS_NONE)
		o->dialect = place_of(dialect_names, r->dialect, o->dialect);
	take_counts(o, said, r);
	take_rate(o, said, r);
	if (r->bytes && !r->play && !said->message)
		o->bytes = (int64_t)r->bytes;
	o->coalesce = r->coalesce;
	o->acks = r->acks;
	o->no_echo = r->no_echo;
	o->deflate = r->deflate;
	if (r->observers) {
		o->tick = r->tick;
		o->batch = r->batch;
		o->conflate = r->conflate;
		o->compact = r->compact;
		o->delta = r->delta;
		o->observers = (int64_t)r->observers;
		o->world = (int64_t)r->world;
		if (r->area)
			o->area = (int64_t)r->area;
	}
	if (r->churn > 0)
		o->churn = number_text(churn, r->churn);
}
