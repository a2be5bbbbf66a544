/* Standard input on its way to the hub, never blocking: lines become messages, and no more is read
 * while the client has no room for them. Lines that are none are told on stderr and counted. */
#ifndef HUBCAT_INPUT_H
#define HUBCAT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/line.h"
#include "client/client.h"
#include "console.h"
#include "convert.h"
#include "readiness.h"
#include "rejects.h"

/* What it tells, from the loop or from inside input_writable(). */
struct input_events {
	/* All of the input was read and given to the client. Once, and not after input_stop(). */
	void (*ended)(void *arg);
	/* It cannot be read: an error of read(2). The owner stops it. */
	void (*failed)(void *arg, int error);
};

struct input {
	/* Set by the owner. */
	const struct input_events *events;
	void *arg;
	struct client *client;
	struct console *console;
	struct convert convert; /* its map goes with input_free() */
	struct rejects rejects; /* closed by input_free() */

	/* Below: for input.c only, but for reading number, bad, refused and status. */
	struct readiness watch;
	uv_idle_t idle; /* reads where watching is not possible: a file is always ready */
	bool watched;	/* else idle */
	bool blocked;	/* the client's queue is full */
	bool eof;	/* the end of input was read */
	bool ended;	/* nothing more will be sent */
	bool has_line;	/* text is to be sent */
	const char *text;
	size_t text_len;
	char *piece;	     /* what was read last; NULL: not started */
	const char *p, *end; /* what is left of it */
	struct line line;
	bool begun;	  /* the first bytes were read */
	uint64_t number;  /* of the line */
	uint64_t bad;	  /* lines that were skipped, or that the hub found bad */
	uint64_t refused; /* lines that it refused for other reasons */
	int status;	  /* of -m that halted: jq's exit status, else 0 */
	struct buf made;  /* what -t or -m made of a line, one message a line */
	size_t made_sent;
};

/* Begins to read. Returns 0 or -errno. */
int input_start(struct input *in, uv_loop_t *loop);

/* The client has room again. */
void input_writable(struct input *in);

/* Reads and sends no more. Harmless where it was not started. */
void input_stop(struct input *in);

/* The hub did not take a message that came of a line. Borrows *r. */
void input_refused(struct input *in, const struct client_refusal *r);

/* Messages read and not given to the client. */
uint64_t input_unsent(const struct input *in);

/* After input_stop(); harmless where it was not started. */
void input_free(struct input *in);

#endif
