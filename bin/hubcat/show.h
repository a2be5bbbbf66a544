/* What of the things received is written: what members said; gaps; what has left an area; acks
 * with -a; and answers that
 * only come to those who ask (pong, presence, version_status, authenticated). Errors go to stderr.
 * Comings and goings are for -v. It counts records, and says when there are as many as were asked
 * for. */
#ifndef HUBCAT_SHOW_H
#define HUBCAT_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "arguments.h"
#include "client/client.h"
#include "console.h"
#include "json/filter.h"
#include "output.h"

struct show {
	/* Set by the owner, all borrowed. */
	const struct arguments *args;
	struct filter *filter; /* -f; NULL: none */
	struct output *out;
	struct console *console;

	/* Below: for show.c only, but for reading. */
	uint64_t shown;	     /* records and direct messages */
	uint64_t state_left; /* --state: records to come */
	bool errors;	     /* of the hub or of -f */
	bool halted;	     /* -f has had `halt` */
	int status;	     /* jq's exit status for that */
};

enum show_result {
	SHOW_NOTHING, /* nothing that counts */
	SHOW_RECORD,  /* a record or a direct message */
	SHOW_ENOUGH,  /* all that was asked for is there, or -f halted */
};

enum show_result show_message(struct show *s, const struct client_message *m);

/* A state begins from its start, while it is not all there. */
enum show_result show_joined(struct show *s, const struct client_joined *j);

#endif
