/* The command line of `hubreplay record`. */
#ifndef HUBREPLAY_RECORD_OPTIONS_H
#define HUBREPLAY_RECORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/client_args.h"
#include "table/table.h"

struct record_options {
	struct client_args hub;
	const char *file, *dir, *split, *seal, *sign; /* NULL: not given */
	double sync;				      /* s */
	bool zstd, verbose;

	uint64_t split_bytes, split_ns; /* of split, one of them; 0: no splitting */
	struct table_url url;		/* of file, where it is a database; else without conninfo */
	char **sessions;		/* n of them; where all is set they are not names */
	int n;
	bool all;
};

/* Reads it into *o, which was zeroed. Bad usage ends the program. */
void record_options_read(struct record_options *o, int argc, char **argv);

/* A number with a unit of size (k, M, G) or of time (ms, s, m, h, d); a number alone is bytes.
 * Returns false for what is neither. */
bool record_options_split(struct record_options *o, const char *text);

#endif
