/* The whole, which owns its parts and decides when it ends. Parts return what they have to say, or
 *tell it through a table they are handed:
 *
 *	input.h		reads lines, and gives messages to the client; convert.h makes them,
 *			rejects.h keeps those that the hub does not have
 *	show.h		chooses what is written of what comes
 *	head.h		knows when all of the past has come
 *	output.h	writes it; color.h
 *	console.h	speaks to the person
 *	arguments.h, readiness.h
 *
 * base/watchdog.h hears signals, and ends it where a jq program does not. main.c ties them
 *together, hubcat_events.c hears them, ending.c ends. Nothing here blocks: where one side is slow,
 *the other is no longer read. The end, in order: what was read is handed over, the session left,
 *what was received written. */
#ifndef HUBCAT_HUBCAT_H
#define HUBCAT_HUBCAT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "arguments.h"
#include "base/url.h"
#include "client/client.h"
#include "console.h"
#include "head.h"
#include "input.h"
#include "output.h"
#include "show.h"

struct hubcat {
	struct arguments o;
	uv_loop_t loop;
	char where[URL_TEXT_MAX];
	struct client *client;
	struct keys *keys; /* --keys, for the client; NULL: none */
	struct console console;
	struct input in;
	struct output out;
	struct show show;
	struct head head;

	uv_async_t signalled;
	uv_timer_t patience; /* -w */
	uv_timer_t linger;   /* -q */
	uv_timer_t grace;    /* for what is on its way when told to stop */

	enum {
		RUNNING,
		HANDING_OVER, /* what was read, until it is acknowledged or the grace is over */
		LEAVING,      /* the session */
		FLUSHING,     /* what was received; the connection has ended */
		DONE,
	} phase;
	bool joined, joined_once;
	bool said_all;	/* the input has ended, and all of it is handled */
	bool lost;	/* messages may be twice in the log, or were in one that is gone */
	uint64_t acked; /* messages, when the hub's log was new */
	uint64_t progress_ms, confirmed; /* for -w */
	int status;
};

/* --- ending.c */

/* The end begins, with status, or what bad lines and errors make of 0. The first call counts. */
void hubcat_finish(struct hubcat *h, int status);

/* Leaves the session, whatever is still on its way. */
void hubcat_leave(struct hubcat *h);

/* The connection has ended for good: wanted or not. */
void hubcat_closed(struct hubcat *h, const struct client_status *s);

/* Gives everything back; then the loop ends. */
void hubcat_done(struct hubcat *h);

/* There is no connection to hand anything over to any more. */
void hubcat_hurry(struct hubcat *h);

/* -q begins: the input has ended, and all of it is handled. */
void hubcat_linger(struct hubcat *h);

/* Something of the past may have come: -e ends then, and the end of input waits for it. */
void hubcat_caught_up(struct hubcat *h);

/* -w begins, where there is one; something went forward: it starts anew. */
void hubcat_wait(struct hubcat *h);
void hubcat_progress(struct hubcat *h);

/* --- hubcat_events.c; each with the hubcat as its arg */

extern const struct client_events hubcat_client_events;
extern const struct input_events hubcat_input_events;
extern const struct output_events hubcat_output_events;
void hubcat_signalled(uv_async_t *async);

#endif
