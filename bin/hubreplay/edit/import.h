/* What others have recorded, as messages with times: pure functions of a text. */
#ifndef HUBREPLAY_IMPORT_H
#define HUBREPLAY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who takes what comes out of a text: first when it began, then its messages, the times of which
 * may go back. arg is the caller's. Return 0 or -errno, which ends the reading. */
struct import_events {
	int (*begin)(void *arg, uint64_t start_ms); /* ms since 1970; 0: not known */
	/* One JSON object in one line; borrowed. */
	int (*message)(void *arg, const char *text, size_t len, uint64_t t_us);
};

/* A reader of one format. Returns 0; -EBADMSG for what is not that format, with the reason in why;
 * -ENOMEM; or what an event returned. */
typedef int import_reader(const char *text, size_t len, const struct import_events *events,
			  void *arg, char *why, size_t cap);

/* asciicast, version 2 and 3: `{"type":"asciicast","key":"asciicast","header":...}`, then `output`,
 * `input`, `marker`, `resize` and `exit` with `data` as it is written, anything else as
 * `asciicast_event` with `code` and `data`. A last line that was cut off is -EBADMSG after all
 * before it. */
import_reader import_asciicast;

/* HAR (HTTP Archive 1.2) with WebSocket messages, as Chromium saves them: `send` and `receive` with
 * `connection` (from 1, in the order of the file), `opcode` and `data`, in the order of their
 * times; before the first of a connection `open` with `connection` and `url`. */
import_reader import_har;

/* Which of them it is; NULL: none. *name gets what it is called. */
import_reader *import_find(const char *text, size_t len, const char **name);

#endif
