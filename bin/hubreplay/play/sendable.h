/* A recorded line becomes messages again: without what the hub gave it, and without msg_id, since
 * they are sent as new ones. Bytes are copied; nothing is written anew. */
#ifndef HUBREPLAY_SENDABLE_H
#define HUBREPLAY_SENDABLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "json/filter.h"
#include "json/json.h"
#include "play/losses.h"
#include "recording/recording.h"

struct keys;

struct sendable {
	struct buf made; /* the messages, each with a line feed; good until the next line */

	struct filter *filter;
	struct losses *losses;
	const struct keys *keys;
	bool nameless;
	struct json_paths *paths;
	struct buf line; /* without t */
};

/* Takes the filter, which makes the messages of a line (NULL: the line is one). nameless: they get
 * no session_id, for a connection that is in one session. keys says what is state: what that was
 * conditional on was so when it was recorded, and is not asked for again. What the filter makes of
 * no use goes to losses. Out of memory ends the program, here and below. */
void sendable_init(struct sendable *s, struct filter *filter, const struct keys *keys,
		   bool nameless, struct losses *losses);

/* Fills made with what is to be sent for a line: nothing, or one message or several. */
void sendable_make(struct sendable *s, const struct recording_line *line);

void sendable_free(struct sendable *s);

#endif
