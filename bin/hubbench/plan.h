/* What a run is to do: the options with the scenario's defaults filled in and checked. */
#ifndef HUBBENCH_PLAN_H
#define HUBBENCH_PLAN_H

#include <stdio.h>

#include "base/url.h"
#include "options.h"
#include "scenario.h"

struct dialect;
struct play;
struct proc;

struct plan {
	const struct options *o;
	const struct scenario *scenario;
	const struct dialect *dialect;
	struct url url;
	uint32_t clients, sessions, publishers, threads, slow, closed;
	size_t bytes; /* 0: as the message comes */
	double rate, churn, duration, warmup, drain, ramp_s;
	bool acks;
	uint64_t seed;
	const struct play *play; /* NULL: none */
	struct proc *proc;	 /* NULL: none is watched */
	int signal_fd;
	FILE *json; /* for the lines of seconds; NULL: none */
	bool live;  /* a line on the terminal */
};

/* Fills *p, or says what is wrong and ends the program with EX_USAGE. */
void plan_make(struct plan *p, const struct options *o);

/* The table of dialects, for options: NULL at the end. */
extern const char *const dialect_names[];

#endif
