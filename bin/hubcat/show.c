/* A table by type chooses what becomes of the hub's own messages. Invariant: shown counts what was
 * written of members, and never exceeds what was asked for. */
#include "show.h"

#include <stdlib.h>
#include <string.h>

#include "base/watchdog.h"
#include "json/envelope.h"
#include "json/json.h"

struct show_run {
	const struct arguments *args;
	struct output *out;
	bool any;
	size_t bytes;
};

static int show_output(const char *json, size_t len, void *arg)
{
	struct show_run *run = arg;
	const struct arguments *a = run->args;
	bool text = (a->raw_output || a->join || a->nul) && *json == '"';
	char *raw = text ? malloc(len) : NULL;
	int n = raw ? json_unescape(json + 1, len - 2, raw, len) : -1;

	if (a->records_sep)
		output_text(run->out, "\x1e", 1, "", 0);
	if (n >= 0)
		output_text(run->out, raw, (size_t)n, a->nul ? "\0" : "\n", !a->join || a->nul);
	else if (a->join || a->nul)
		output_text(run->out, json, len, "\0", a->nul);
	else
		output_line(run->out, json, len);
	free(raw);
	run->any = true;
	run->bytes += len;
	/* What the hub says has no end by itself. */
	return run->bytes > ENVELOPE_MESSAGE_MAX && a->filter;
}

/* `halt`: as jq ends then. */
static void show_halted(struct show *s)
{
	const char *text;

	if (!filter_halted(s->filter, &s->status, &text))
		return;
	s->halted = true;
	console_text(s->console, text);
}

/* Returns true if something was written of it. */
static bool show_filtered(struct show *s, const struct client_message *m)
{
	struct show_run run = {.args = s->args, .out = s->out};
	char why[300];
	int r;

	if (!s->filter) {
		show_output(m->text, m->len, &run);
		return true;
	}
	watchdog_enter("-f");
	r = filter_run(s->filter, FILTER_JSON, m->text, m->len, show_output, &run, why,
		       sizeof(why));
	watchdog_leave();
	if (r > 0)
		console_say(s->console, "-f: more than %d bytes come out of a record",
			    ENVELOPE_MESSAGE_MAX);
	else if (r < 0)
		console_say(s->console, "-f: %s", why);
	s->errors |= r != 0;
	show_halted(s);
	return run.any;
}

/* Who has all that was asked for takes no more. */
static bool show_enough(const struct show *s)
{
	return s->halted || (s->args->count && s->shown >= (uint64_t)s->args->count);
}

/* The state is what --state prints, all of it and nothing else. */
static enum show_result show_state(struct show *s, const struct client_message *m)
{
	if (!m->state || !s->state_left || s->halted)
		return SHOW_NOTHING;
	show_filtered(s, m);
	s->shown++;
	return --s->state_left && !s->halted ? SHOW_RECORD : SHOW_ENOUGH;
}

enum show_result show_joined(struct show *s, const struct client_joined *j)
{
	if (!s->args->state)
		return SHOW_NOTHING;
	output_discard(s->out); /* of a connection that was lost before the end */
	s->shown = 0;
	s->state_left = j->snapshot;
	return j->snapshot ? SHOW_NOTHING : SHOW_ENOUGH;
}

static enum show_result show_member(struct show *s, const struct client_message *m)
{
	if (s->args->state)
		return show_state(s, m);
	if (s->args->publish || show_enough(s))
		return SHOW_NOTHING;
	if (show_filtered(s, m))
		s->shown++;
	else if (!s->halted)
		return SHOW_NOTHING;
	return show_enough(s) ? SHOW_ENOUGH : SHOW_RECORD;
}

static void show_error(struct show *s, const struct client_message *m)
{
	s->errors = true;
	console_say(s->console, "hub: %s: %s", m->code, m->about);
}

static void show_answer(struct show *s, const struct client_message *m)
{
	if (!s->args->publish && !s->filter)
		output_line(s->out, m->text, m->len);
}

/* With -f the output is what the program makes of records: a gap is told otherwise. Who has all
 * that was asked for misses nothing by leaving. */
static void show_gap(struct show *s, const struct client_message *m)
{
	if (s->args->publish || s->args->state || show_enough(s))
		return;
	if (s->filter)
		console_say(s->console, "records are missing: %.*s",
			    m->len < 200 ? (int)m->len : 200, m->text);
	else
		output_line(s->out, m->text, m->len);
}

/* Only those that -a asked for come here. */
static void show_ack(struct show *s, const struct client_message *m)
{
	output_line(s->out, m->text, m->len);
}

static void show_detail(struct show *s, const struct client_message *m)
{
	console_detail(s->console, "%.*s", m->len < 500 ? (int)m->len : 500, m->text);
}

static const struct {
	const char *type;
	void (*show)(struct show *s, const struct client_message *m);
} show_types[] = {
    {"ack", show_ack},
    {"area_left", show_answer},
    {"error", show_error},
    {"gap", show_gap},
    {"pong", show_answer},
    {"presence", show_answer},
    {"session_list", show_answer},
    {"version_status", show_answer},
    {"authenticated", show_answer},
};

enum show_result show_message(struct show *s, const struct client_message *m)
{
	if (m->kind != CLIENT_HUB)
		return show_member(s, m);
	for (size_t i = 0; i < sizeof(show_types) / sizeof(show_types[0]); i++) {
		if (strcmp(show_types[i].type, m->type) == 0) {
			show_types[i].show(s, m);
			return SHOW_NOTHING;
		}
	}
	show_detail(s, m);
	return SHOW_NOTHING;
}
