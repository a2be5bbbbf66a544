/* Whether all has come that the session had when it was joined first: for -e, and for -s at the end
 * of input. Pure: it is told what the client is. */
#ifndef HUBCAT_HEAD_H
#define HUBCAT_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"

/* Zeroed at the start. For head.c only, but for reading. */
struct head {
	bool known;	     /* it was joined */
	uint64_t target;     /* the last record then */
	uint64_t position;   /* all up to here has come, or never will */
	uint64_t state_left; /* state records that come first */
	uint64_t skipped;    /* a gap up to here: state may follow it */
};

void head_joined(struct head *h, const struct client_joined *j);

/* Takes a record or a gap of the session. Returns false for a record behind the target. */
bool head_message(struct head *h, const struct client_message *m);

/* Nothing more is to come. After a gap up to the target it is until the session is left that state
 * comes. */
bool head_reached(const struct head *h);

#endif
