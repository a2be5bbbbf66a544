/* A table by type chooses what becomes of the hub's own messages. Invariant: shown counts what was
 * written of members, and never exceeds what was asked for. */
#include "show.h"

#include <string.h>

struct show_run {
	struct output *out;
	bool any;
};

static int show_output(const char *json, size_t len, void *arg)
{
	struct show_run *run = arg;

	output_line(run->out, json, len);
	run->any = true;
	return 0;
}

/* Returns true if something was written of it. */
static bool show_filtered(struct show *s, const struct client_message *m)
{
	struct show_run run = {.out = s->out};
	char why[300];

	if (!s->filter) {
		output_line(s->out, m->text, m->len);
		return true;
	}
	if (filter_run(s->filter, FILTER_JSON, m->text, m->len, show_output, &run, why,
		       sizeof(why)) < 0) {
		console_say(s->console, "-f: %s", why);
		s->errors = true;
	}
	return run.any;
}

/* Who has all that was asked for takes no more. */
static bool show_enough(const struct show *s)
{
	return s->args->count && s->shown >= (uint64_t)s->args->count;
}

/* The state is what --state prints, all of it and nothing else. */
static enum show_result show_state(struct show *s, const struct client_message *m)
{
	if (!m->state || !s->state_left)
		return SHOW_NOTHING;
	show_filtered(s, m);
	s->shown++;
	return --s->state_left ? SHOW_RECORD : SHOW_ENOUGH;
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
	if (s->args->publish || show_enough(s) || !show_filtered(s, m))
		return SHOW_NOTHING;
	s->shown++;
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
