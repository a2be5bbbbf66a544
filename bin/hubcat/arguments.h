/* What the command line asks for. */
#ifndef HUBCAT_ARGUMENTS_H
#define HUBCAT_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"
#include "client/client_args.h"

#define ARGUMENTS_LINGER_UNSET 1e18
#define ARGUMENTS_GIVE_UP_UNSET 1e18

/* Strings are argv's or the environment's. */
struct arguments {
	bool listen, publish, raw, echo, reconnect, verbose, state, acks, protocol, end, stats;
	bool raw_output, join, nul, records_sep, compact;
	struct client_args hub;
	const char *type, *filter, *map, *since, *rejects, *ready_file, *types, *priority, *area,
	    *keys;
	char wants[CLIENT_WANTS_MAX]; /* of these, as fields of a join */
	bool batch, conflate, delta;
	double tick;	     /* seconds; negative: none */
	int64_t count;	     /* 0: no end */
	int64_t ready_fd;    /* -1: none */
	double give_up;	     /* seconds; negative: for ever */
	double wait;	     /* seconds; negative: for ever */
	double linger;	     /* seconds; negative: for ever; by default as -n has it */
	double every;	     /* --stats: seconds between two lines */
	const char *session; /* NULL with --stats */
};

/* Reads them all, or ends the program: with 64 and the reason, or after --help and --version. */
void arguments_parse(struct arguments *o, int argc, char **argv);

/* How long there may be no hub that takes messages, in milliseconds, before the first join or
 * later; 0: for ever. */
uint64_t arguments_give_up(const struct arguments *o, bool first);

/* Where -s and --state have it begin. */
struct client_place arguments_place(const struct arguments *o);

#endif
