/* Messages out of recorded lines. Invariant: made has whole messages only. */
#include "play/sendable.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/watchdog.h"
#include "json/envelope.h"
#include "json/keys.h"

enum { CUT_SESSION, CUT_MSG_ID, CUT_FROM, CUT_SEQ, CUT_T, CUT_IF_SEQ, CUT_NEWER, CUTS };

void sendable_init(struct sendable *s, struct filter *filter, const struct keys *keys,
		   bool nameless, struct losses *losses)
{
	static const char *const names[CUTS] = {"session_id", "msg_id", "from", "seq",
						"t",	      "if_seq", "newer"};

	*s = (struct sendable){.filter = filter,
			       .losses = losses,
			       .keys = keys,
			       .nameless = nameless,
			       .paths = json_paths_new(names, CUTS)};
	if (!s->paths)
		err_die(EX_OSERR, "out of memory");
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

/* Whether the hub would take it as state. */
static bool is_state(const struct sendable *s, const char *text, size_t len)
{
	char room[ENVELOPE_KEY_MAX], why[100];
	struct span key, written;
	struct envelope e;
	enum key_rule rule;

	if (envelope_parse(&e, text, len, why, sizeof(why)) != HUB_OK)
		return false;
	rule = keys_find(s->keys, &e, room, &key, &written, NULL);
	return rule != KEY_NONE && rule != KEY_BAD;
}

/* The message of one JSON object. t is cut where the object comes out of the filter; foreign: no
 * hub has given it from and seq, so they are not the hub's to take back. */
static void put(struct sendable *s, const char *text, size_t len, bool cut_t, bool foreign)
{
	struct json_member at[CUTS], cuts[CUTS];
	struct json_scan scan;
	struct buf *out = &s->made;
	size_t n = 0;

	if (json_scan(s->paths, text, len, at, &scan) != JSON_OK || scan.type != JSON_OBJECT)
		return;
	if (foreign && (at[CUT_FROM].type != JSON_NONE || at[CUT_SEQ].type != JSON_NONE)) {
		losses_first(s->losses, "not sent, since its own from or seq would be lost: %.*s",
			     (int)(len < 60 ? len : 60), text);
		return;
	}
	for (size_t i = s->nameless ? CUT_SESSION : CUT_MSG_ID; i < (cut_t ? CUT_T + 1 : CUT_T);
	     i++)
		if (at[i].type != JSON_NONE)
			cuts[n++] = at[i];
	if ((at[CUT_IF_SEQ].type != JSON_NONE || at[CUT_NEWER].type != JSON_NONE) &&
	    is_state(s, text, len))
		for (size_t i = CUT_IF_SEQ; i <= CUT_NEWER; i++)
			if (at[i].type != JSON_NONE)
				cuts[n++] = at[i];
	qsort(cuts, n, sizeof(cuts[0]), by_place);
	if (put_without(out, text + scan.start, scan.end - scan.start, cuts, n) < 0 ||
	    buf_put(out, "\n", 1) < 0)
		err_die(EX_OSERR, "out of memory");
}

static int on_output(const char *json, size_t len, void *arg)
{
	struct sendable *s = arg;

	/* Nothing comes of null, as of empty; what is anything else was meant to be sent. */
	if (*json == '{')
		put(s, json, len, true, false);
	else if (strncmp(json, "null", 4) != 0)
		losses_first(s->losses, "-f: not an object: %.*s", (int)(len < 60 ? len : 60),
			     json);
	return 0;
}

void sendable_make(struct sendable *s, const struct recording_line *line)
{
	const char *said;
	char why[300];
	int status, r;

	s->made.len = 0;
	if (s->filter) {
		watchdog_enter("-f");
		r = filter_run(s->filter, FILTER_JSON, line->text, line->len, on_output, s, why,
			       sizeof(why));
		watchdog_leave();
		if (r < 0)
			losses_add(s->losses, 1, "-f: %s", why);
		else if (filter_halted(s->filter, &status, &said) && status)
			losses_add(s->losses, 1, "-f: %s", said);
		return;
	}
	s->line.len = 0;
	if (buf_put(&s->line, line->text, line->body) < 0 || buf_put(&s->line, "}", 1) < 0)
		err_die(EX_OSERR, "out of memory");
	put(s, s->line.data, s->line.len, false, !line->seq);
}

void sendable_free(struct sendable *s)
{
	buf_free(&s->made);
	buf_free(&s->line);
	filter_free(s->filter);
	json_paths_free(s->paths);
}
