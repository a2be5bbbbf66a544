/* HAR, HTTP Archive 1.2, with the `_webSocketMessages` of Chromium and those who do as it does.
 * What is no WebSocket is passed over. Invariant: events point into the text, and are sorted once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/quantity.h"
#include "edit/import.h"
#include "json/envelope.h"
#include "json/json_walk.h"

#define WALL_MAX 1e11 /* seconds since 1970 */

struct event {
	uint64_t us;	     /* since 1970 */
	uint32_t connection; /* from 1 */
	uint32_t order;	     /* as they stand: what is of one time stays so */
	bool open, send;
	struct span opcode, data; /* as written; of an opening data is the url */
};

struct har {
	const char *text;
	struct event *event;
	size_t n, cap;
	uint32_t connections;
	struct json_paths *entry, *message;
	char *why;
	size_t why_cap;
};

enum { STARTED, URL, MESSAGES, ENTRY_FIELDS };
enum { TYPE, TIME, OPCODE, DATA, MESSAGE_FIELDS };

static struct span at(const char *text, const struct json_member *m)
{
	return (struct span){text + m->start, m->end - m->start};
}

static int bad(struct har *h, const char *what)
{
	snprintf(h->why, h->why_cap, "message %zu of the WebSockets: %s", h->n + 1, what);
	return -EBADMSG;
}

static int add(struct har *h, struct event e)
{
	if (h->n == UINT32_MAX)
		return bad(h, "too many");
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 64;
		struct event *more = realloc(h->event, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		h->event = more;
		h->cap = cap;
	}
	e.order = (uint32_t)h->n;
	e.connection = h->connections;
	h->event[h->n++] = e;
	return 0;
}

/* Seconds since 1970, as Chromium has them. */
static bool read_time(struct span s, uint64_t *us)
{
	char copy[64];
	double seconds;

	if (s.len >= sizeof(copy))
		return false;
	memcpy(copy, s.p, s.len);
	copy[s.len] = '\0';
	seconds = strtod(copy, NULL);
	if (!(seconds >= 0 && seconds <= WALL_MAX))
		return false;
	*us = (uint64_t)(seconds * 1e6 + 0.5);
	return true;
}

static int add_message(struct har *h, struct span message)
{
	struct json_member m[MESSAGE_FIELDS];
	struct json_scan scan;
	struct event e = {0};

	if (json_scan(h->message, message.p, message.len, m, &scan) != JSON_OK ||
	    scan.type != JSON_OBJECT)
		return bad(h, "not an object");
	e.data = at(message.p, &m[DATA]);
	e.opcode =
	    m[OPCODE].type == JSON_NUMBER ? at(message.p, &m[OPCODE]) : (struct span){"1", 1};
	e.send = m[TYPE].end - m[TYPE].start == 6; /* "send" */
	if (m[TYPE].type != JSON_STRING ||
	    strncmp(message.p + m[TYPE].start, e.send ? "\"send\"" : "\"receive\"",
		    m[TYPE].end - m[TYPE].start) != 0)
		return bad(h, "its type is neither send nor receive");
	if (m[TIME].type != JSON_NUMBER || !read_time(at(message.p, &m[TIME]), &e.us))
		return bad(h, "its time is not in seconds since 1970");
	if (m[DATA].type != JSON_STRING)
		return bad(h, "its data is no string");
	return add(h, e);
}

/* When the request began, or else when the first message came. */
static uint64_t opened_us(const struct har *h, struct span started, size_t first)
{
	struct quantity_moment moment;
	char copy[64] = "@";
	uint64_t us = first < h->n ? h->event[first].us : 0;

	if (started.len >= 2 && started.len < sizeof(copy) - 2) {
		memcpy(copy + 1, started.p + 1, started.len - 2);
		if (quantity_moment(copy, &moment) == 0 && (!us || moment.us < us))
			us = moment.us;
	}
	return us;
}

static int add_entry(struct har *h, struct span entry)
{
	struct json_member m[ENTRY_FIELDS];
	struct json_scan scan;
	struct json_item message;
	struct json_walk walk;
	size_t opening = h->n;
	int r;

	if (json_scan(h->entry, entry.p, entry.len, m, &scan) != JSON_OK ||
	    m[MESSAGES].type != JSON_ARRAY)
		return 0;
	h->connections++;
	r = add(h, (struct event){.open = true,
				  .data = m[URL].type == JSON_STRING ? at(entry.p, &m[URL])
								     : (struct span){"\"\"", 2}});
	json_walk_begin(&walk, entry.p + m[MESSAGES].start, m[MESSAGES].end - m[MESSAGES].start);
	while (r == 0 && json_walk_next(&walk, &message))
		r = add_message(h, (struct span){message.value, message.len});
	if (opening < h->n)
		h->event[opening].us = opened_us(
		    h, m[STARTED].type == JSON_STRING ? at(entry.p, &m[STARTED]) : (struct span){0},
		    opening + 1);
	return r;
}

static int add_entries(struct har *h, size_t len)
{
	static const char *const names[] = {"log.entries"};
	struct json_paths *paths = json_paths_new(names, 1);
	struct json_member entries;
	struct json_scan scan;
	struct json_item entry;
	struct json_walk walk;
	int r = 0;

	if (!paths)
		return -ENOMEM;
	json_scan(paths, h->text, len, &entries, &scan);
	json_paths_free(paths);
	if (scan.status != JSON_OK) {
		snprintf(h->why, h->why_cap, "byte %u: %s", scan.at, json_strerror(scan.status));
		return -EBADMSG;
	}
	if (entries.type != JSON_ARRAY) {
		snprintf(h->why, h->why_cap, "neither an asciicast of version 2 or 3 nor HAR");
		return -EBADMSG;
	}
	json_walk_begin(&walk, h->text + entries.start, entries.end - entries.start);
	while (r == 0 && json_walk_next(&walk, &entry))
		r = add_entry(h, (struct span){entry.value, entry.len});
	if (r == 0 && !h->n) {
		snprintf(h->why, h->why_cap,
			 "no messages of WebSockets (`_webSocketMessages`) are in it");
		return -EBADMSG;
	}
	return r;
}

static int by_time(const void *a, const void *b)
{
	const struct event *left = a, *right = b;

	if (left->us != right->us)
		return left->us < right->us ? -1 : 1;
	return left->order < right->order ? -1 : 1;
}

static int put(struct buf *out, const struct event *e)
{
	int r = buf_printf(out, "{\"type\":\"%s\",\"connection\":%u",
			   e->open   ? "open"
			   : e->send ? "send"
				     : "receive",
			   e->connection);

	if (r == 0 && !e->open)
		r = buf_puts(out, ",\"opcode\":");
	if (r == 0 && !e->open)
		r = buf_put(out, e->opcode.p, e->opcode.len);
	if (r == 0)
		r = buf_puts(out, e->open ? ",\"url\":" : ",\"data\":");
	if (r == 0)
		r = buf_put(out, e->data.p, e->data.len);
	return r == 0 ? buf_puts(out, "}") : r;
}

static int give(struct har *h, const struct import_events *events, void *arg)
{
	uint64_t start_ms = h->event[0].us / 1000;
	int r = events->begin(arg, start_ms);
	struct buf out = {0};

	for (size_t i = 0; r == 0 && i < h->n; i++) {
		out.len = 0;
		r = put(&out, &h->event[i]);
		if (r == 0)
			r = events->message(arg, out.data, out.len,
					    h->event[i].us - start_ms * 1000);
	}
	buf_free(&out);
	return r;
}

int import_har(const char *text, size_t len, const struct import_events *events, void *arg,
	       char *why, size_t cap)
{
	static const char *const entry[] = {"startedDateTime", "request.url", "_webSocketMessages"};
	static const char *const message[] = {"type", "time", "opcode", "data"};
	struct har h = {.text = text, .why = why, .why_cap = cap};
	int r = -ENOMEM;

	h.entry = json_paths_new(entry, ENTRY_FIELDS);
	h.message = json_paths_new(message, MESSAGE_FIELDS);
	if (h.entry && h.message)
		r = add_entries(&h, len);
	if (r == 0) {
		qsort(h.event, h.n, sizeof(*h.event), by_time);
		r = give(&h, events, arg);
	}
	free(h.event);
	json_paths_free(h.entry);
	json_paths_free(h.message);
	return r;
}
