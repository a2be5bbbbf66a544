/* A recorded line becomes a message again: without what the hub gave it, and without msg_id, since
 * it is sent as a new one. Bytes are copied; nothing is written anew. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "play.h"

enum { CUT_SESSION, CUT_MSG_ID, CUT_FROM, CUT_SEQ, CUT_T, CUTS };

struct json_paths *message_paths(void)
{
	static const char *const names[CUTS] = {"session_id", "msg_id", "from", "seq", "t"};

	return json_paths_new(names, CUTS);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int by_place(const void *a, const void *b)
{
	const struct json_member *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

/* Appends text without these members, in the order of their place, each with a comma. */
static int put_without(struct buf *out, const char *text, size_t len,
		       const struct json_member *cuts, size_t n)
{
	size_t at = 0, front = out->len;

	for (size_t i = 0; i < n; i++) {
		size_t end = cuts[i].end;

		if (buf_put(out, text + at, cuts[i].name - at) < 0)
			return -1;
		while (end < len && blank(text[end]))
			end++;
		if (text[end] == ',') {
			end++;
		} else {
			/* The last one: the comma before it goes. */
			while (out->len > front && blank(out->data[out->len - 1]))
				out->len--;
			if (out->len > front && out->data[out->len - 1] == ',')
				out->len--;
		}
		at = end;
	}
	return buf_put(out, text + at, len - at);
}

/* The message of one JSON object. t is cut where the object comes out of -f. */
static void message_put(struct play *p, const char *text, size_t len, bool cut_t)
{
	struct json_member at[CUTS], cuts[CUTS];
	struct json_scan scan;
	struct buf *out = &p->made;
	size_t n = 0;

	if (json_scan(p->paths, text, len, at, &scan) != JSON_OK || scan.type != JSON_OBJECT)
		return;
	/* With --as there is one session, where messages without a name go. */
	for (size_t i = p->o.as ? CUT_SESSION : CUT_MSG_ID; i < (cut_t ? CUTS : CUT_T); i++)
		if (at[i].type != JSON_NONE)
			cuts[n++] = at[i];
	qsort(cuts, n, sizeof(cuts[0]), by_place);
	if (put_without(out, text + scan.start, scan.end - scan.start, cuts, n) < 0 ||
	    buf_put(out, "\n", 1) < 0)
		err_die(EX_OSERR, "out of memory");
}

static int on_output(const char *json, size_t len, void *arg)
{
	struct play *p = arg;

	if (*json == '{') {
		message_put(p, json, len, true);
		return 0;
	}
	/* Nothing comes of null, as of empty; what is anything else was meant to be sent. */
	if (strncmp(json, "null", 4) != 0 && p->refused++ < 10)
		play_say(p, "-f: not an object: %.*s", (int)(len < 60 ? len : 60), json);
	return 0;
}

void message_make(struct play *p, const struct recording_line *line)
{
	char why[300];

	if (!p->filter) {
		struct buf *line_buf = &p->line;

		line_buf->len = 0;
		if (buf_put(line_buf, line->text, line->body) < 0 || buf_put(line_buf, "}", 1) < 0)
			err_die(EX_OSERR, "out of memory");
		message_put(p, line_buf->data, line_buf->len, false);
	} else if (filter_run(p->filter, FILTER_JSON, line->text, line->len, on_output, p, why,
			      sizeof(why)) < 0) {
		play_say(p, "-f: %s", why);
		p->refused++;
	}
}
