/* Control lines and the queue go out in turns of whole lines. */
#include "client/outbox.h"

#include <errno.h>
#include <string.h>

#include "json/envelope.h"
#include "json/json.h"

enum { LINE_TYPE, LINE_MSG_ID, LINE_RECORD, LINE_COUNT };

int outbox_init(struct outbox *o, size_t limit, const char tag[SENDQ_TAG_LEN + 1])
{
	static const char *const names[LINE_COUNT] = {"type", "msg_id", "record"};

	o->queue.limit = limit;
	memcpy(o->queue.tag, tag, sizeof(o->queue.tag));
	o->paths = json_paths_new(names, LINE_COUNT);
	return o->paths ? 0 : -ENOMEM;
}

void outbox_free(struct outbox *o)
{
	sendq_free(&o->queue);
	buf_free(&o->control);
	json_paths_free(o->paths);
}

/* --- into it */

/* What the hub will answer to a line, and where its own msg_id stands. A wrong one is answered with
 * an error that does not name it, just as a control message is. */
static enum sendq_kind read_line(const char *text, const struct json_member *at,
				 struct sendq_id *id, bool *joins)
{
	const struct json_member *type = &at[LINE_TYPE], *msg_id = &at[LINE_MSG_ID];
	char name[64];
	int n = -1;

	if (type->type == JSON_STRING)
		n = json_unescape(text + type->start + 1, type->end - type->start - 2, name,
				  sizeof(name));
	if (msg_id->type == JSON_STRING && msg_id->end - msg_id->start - 2 <= UINT16_MAX)
		*id = (struct sendq_id){msg_id->start + 1,
					(uint16_t)(msg_id->end - msg_id->start - 2)};
	if (n <= 0 || msg_id->repeated || (msg_id->type != JSON_NONE && !id->len))
		return SENDQ_CONTROL;
	/* What carries an object in `record` is none of the hub's, whatever its type. */
	if (at[LINE_RECORD].type == JSON_OBJECT ||
	    !envelope_control_type((struct span){name, (size_t)n}))
		return SENDQ_MESSAGE;
	if (n == (int)strlen("session_associate") && memcmp(name, "session_associate", 17) == 0)
		*joins = true;
	return SENDQ_CONTROL;
}

int outbox_put(struct outbox *o, const char *text, size_t len, uint64_t tag, bool *joins)
{
	struct json_member at[LINE_COUNT];
	struct sendq_id id = {0};
	struct json_scan scan;
	enum sendq_kind kind;

	if (json_scan(o->paths, text, len, at, &scan) != JSON_OK || scan.type != JSON_OBJECT ||
	    scan.newline || memchr(text, '\n', scan.start))
		return -EINVAL;
	kind = read_line(text, at, &id, joins);
	return sendq_put(&o->queue, text, scan.end, kind, id, tag);
}

int outbox_control(struct outbox *o, const char *line)
{
	return buf_puts(&o->control, line);
}

/* --- out of it */

/* Sends from one source up to len bytes. Returns how many went. */
static size_t push(struct outbox *o, struct transport *t, const char *p, size_t len,
		   enum outbox_source source)
{
	size_t n = len ? t->kind->send(t, p, len) : 0;

	if (n)
		o->mid = p[n - 1] == '\n' ? OUTBOX_NONE : source;
	return n;
}

static size_t push_control(struct outbox *o, struct transport *t)
{
	size_t n = push(o, t, o->control.data + o->control_sent, o->control.len - o->control_sent,
			OUTBOX_CONTROL);

	o->control_sent += n;
	if (o->control_sent == o->control.len)
		o->control.len = o->control_sent = 0;
	return n;
}

static size_t push_queue(struct outbox *o, struct transport *t, bool line_only)
{
	size_t len, n;
	const char *p = sendq_unsent(&o->queue, &len), *feed;

	if (line_only && len && (feed = memchr(p, '\n', len)))
		len = (size_t)(feed - p) + 1;
	n = push(o, t, p, len, OUTBOX_QUEUE);
	sendq_advance(&o->queue, n);
	return n;
}

/* Control lines go first, but never into the middle of a message. */
ssize_t outbox_flush(struct outbox *o, struct transport *t, bool messages)
{
	size_t n, sent = 0;

	if (messages && sendq_fence(&o->queue) < 0)
		return -ENOMEM;
	do {
		if (o->mid == OUTBOX_QUEUE)
			sent += n = push_queue(o, t, true); /* to its end, whatever came since */
		else if (o->control.len)
			n = push_control(o, t);
		else
			sent += n = messages ? push_queue(o, t, false) : 0;
	} while (n);
	return (ssize_t)sent;
}

void outbox_again(struct outbox *o)
{
	sendq_rewind(&o->queue);
}

size_t outbox_rewind(struct outbox *o)
{
	o->control.len = o->control_sent = 0;
	o->mid = OUTBOX_NONE;
	return sendq_rewind(&o->queue);
}
