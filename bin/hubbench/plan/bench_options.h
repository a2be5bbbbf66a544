/* What the command line asks for, as it was said: main.c has the table of options that fills it,
 * plan.c makes sense of it. Texts belong to the command line. */
#ifndef HUBBENCH_BENCH_OPTIONS_H
#define HUBBENCH_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "client/client_args.h"

#define UNSET (-1)

struct options {
	struct client_args hub;
	int64_t clients, sessions, publishers, bytes, threads, seed; /* UNSET: by default */
	const char *rate;			  /* messages/s; NULL: by default */
	double duration, warmup, drain, coalesce; /* seconds */
	const char *ramp;			  /* seconds, or clients/s with "/s" behind it */
	int64_t closed;				  /* 0: open */
	bool poisson, acks, no_echo;
	int scenario, dialect;
	const char *message, *join, *answer, *event, *room, *join_event, *space, *subprotocol;
	const char *churn; /* members/s that leave and are replaced */
	int64_t slow;	   /* members that do not read for a while */
	int64_t kill_node; /* a process; 0: none */
	bool deflate;
	double tick; /* seconds; UNSET: none. This and what follows: of a crowd */
	bool batch, conflate, compact, delta;
	int64_t observers, world, area; /* UNSET: by default */
	const char *play;
	const char *speed; /* of play; NULL: its own */
	const char *pid;
	struct opt_list expect;
	const char *json, *report, *compare, *label;
};

#endif
