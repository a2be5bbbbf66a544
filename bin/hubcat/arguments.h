/* What the command line asks for. */
#ifndef HUBCAT_ARGUMENTS_H
#define HUBCAT_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"

#define ARGUMENTS_LINGER_UNSET 1e18

/* Strings are argv's or the environment's. */
struct arguments {
	bool listen, publish, raw, echo, reconnect, verbose, state, acks;
	const char *url, *type, *filter, *map, *since;
	int64_t count; /* 0: no end */
	double wait;   /* seconds; negative: for ever */
	double linger; /* seconds; negative: for ever; by default as -n has it */
	const char *session;
};

/* Reads them all, or ends the program: with 64 and the reason, or after --help and --version. */
void arguments_parse(struct arguments *o, int argc, char **argv);

/* Where -s and --state have it begin. */
struct client_place arguments_place(const struct arguments *o);

#endif
