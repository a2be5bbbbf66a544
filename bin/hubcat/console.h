/* What a person sees on stderr: messages, what becomes of the connection, and on a terminal where
 * nobody types one line that is kept up to date below the rest. */
#ifndef HUBCAT_CONSOLE_H
#define HUBCAT_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "arguments.h"
#include "base/progress.h"
#include "client/client.h"

struct console {
	/* Set by the owner, all borrowed. */
	const struct arguments *args;
	const char *where;		  /* the hub's URL */
	const uint64_t *received, *lines; /* so far: for the status line */

	/* Below: for console.c only. */
	uv_timer_t redraw; /* the status line */
	struct progress progress;
	bool status_line, interactive;
	char state[128];
	bool joined_once;
	bool was_open; /* the connection, before it was lost */
	bool told;     /* of this join something was said */
};

void console_start(struct console *c, uv_loop_t *loop);
void console_close(struct console *c);

/* Before anything else is written to the terminal. */
void console_clear(struct console *c);

/* Each says one line of at most 999 bytes; a detail is for -v. */
void console_say(struct console *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void console_detail(struct console *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text as it is; none where it is empty. */
void console_text(struct console *c, const char *text);

/* What the client's events of these names were given. */
void console_state(struct console *c, const struct client_status *s);
void console_place(struct console *c, const struct client_joined *j);

#endif
