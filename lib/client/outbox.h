/* What a client has to send: messages, which wait in a queue until they are answered, and control
 * lines (joins, leaves, pings), which go before them and with their connection. Invariant: a line
 * that was sent in part is sent to its end before any other begins. */
#ifndef HUB_OUTBOX_H
#define HUB_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "client/sendq.h"
#include "transport/transport.h"

struct json_paths;

struct outbox {
	struct sendq queue; /* what the hub answers is told to this */
	/* Below: for outbox.c only. */
	struct buf control;
	size_t control_sent;
	enum outbox_source {
		OUTBOX_NONE,
		OUTBOX_CONTROL,
		OUTBOX_QUEUE
	} mid; /* the source of a line sent in part */
	struct json_paths *paths;
};

/* Makes an empty one in zeroed memory: a queue of limit bytes, whose messages have that tag in
 * their ids. Returns 0 or -ENOMEM. */
int outbox_init(struct outbox *o, size_t limit, const char tag[SENDQ_TAG_LEN + 1]);

/* Copies a message, a JSON object in one line, into the queue. Sets *joins where it is a
 * session_associate, else leaves it. Returns 0; -EINVAL for what is no such object; and as
 * sendq_put(). */
int outbox_put(struct outbox *o, const char *text, size_t len, uint64_t tag, bool *joins);

/* Adds a control line, with its line feed. Returns 0 or -ENOMEM. */
int outbox_control(struct outbox *o, const char *line);

/* Sends all that the transport takes: control lines and, where `messages`, the queue. Returns how
 * many bytes of messages went, or -ENOMEM. */
ssize_t outbox_flush(struct outbox *o, struct transport *t, bool messages);

/* All that has no answer goes again over the same connection, where the queue is quiet. */
void outbox_again(struct outbox *o);

/* The connection is gone: without its control lines, all that has no answer goes again over the
 * next one. Returns how many messages had been sent before, if only in part. */
size_t outbox_rewind(struct outbox *o);

void outbox_free(struct outbox *o);

#endif
