/* The room plan/: what a run is to do. It owns the options (bench_options.h), the scenarios that
 * fill them in (scenario.h), when messages are due (schedule.h), what a recording has of them
 * (trace.h), and the plan that all of these make, below. It asks speak/ what a dialect can do, and
 * nothing runs here.
 *
 * main.c makes the plan, run/ follows it. What is wrong with what was asked ends the program: it
 * was just started. */
#ifndef HUBBENCH_PLAN_H
#define HUBBENCH_PLAN_H

#include <stdio.h>

#include "base/url.h"
#include "plan/bench_options.h"
#include "plan/scenario.h"

struct dialect;
struct proc;
struct trace;

/* Messages of one publisher that wait for an ack, at most. And of a session: so many does a hub
 * remember (hub(7)), and knows them again when they are sent again. */
#define WINDOW 1024
#define WINDOW_SESSION 4096

struct plan {
	const struct options *o;
	const struct scenario *scenario;
	const struct dialect *dialect;
	struct url url[OPT_LIST_MAX]; /* of the nodes: members are spread over them */
	uint32_t nodes;
	uint32_t clients, sessions, publishers, threads, slow, closed;
	size_t bytes; /* 0: as the message comes */
	double rate, churn, duration, warmup, drain, ramp_s, speed;
	bool acks;
	uint64_t seed;
	struct plan_crowd {
		double world; /* the length of its sides */
		double area;  /* to which members see; 0: all */
		uint32_t observers;
	} crowd;
	const struct trace *trace; /* of a recording; NULL: none */
	struct proc *proc;	   /* NULL: none is watched */
	int signal_fd;
	FILE *json; /* for the lines of seconds; NULL: none */
	bool live;  /* a line on the terminal */
};

/* Fills *p from the options and $HUB_URL, or says what is wrong and ends the program with EX_USAGE.
 * What main.c has beside the options (trace and below) is zero. *o is to live as long as *p. */
void plan_make(struct plan *p, const struct options *o);

#endif
