/* What of the things received is written: what members said; gaps; acks with -a; and answers that
 * only come to those who ask (pong, presence, version_status, authenticated). Errors go to stderr.
 * Comings and goings are for -v. */
#include <stdio.h>
#include <string.h>

#include "hubcat.h"

struct show_run {
	struct hubcat *h;
	bool any;
};

static int show_output(const char *json, size_t len, void *arg)
{
	struct show_run *run = arg;

	output_line(&run->h->out, json, len);
	run->any = true;
	return 0;
}

/* Returns true if something was written of it. */
static bool show_filtered(struct hubcat *h, const struct client_message *m)
{
	struct show_run run = {.h = h};
	char why[300];

	if (!h->filter) {
		output_line(&h->out, m->text, m->len);
		return true;
	}
	if (filter_run(h->filter, FILTER_JSON, m->text, m->len, show_output, &run, why,
		       sizeof(why)) < 0) {
		report(h, "-f: %s", why);
		h->hub_errors = true;
	}
	return run.any;
}

/* The state is what --state prints, all of it and nothing else. */
static void show_state(struct hubcat *h, const struct client_message *m)
{
	if (!m->state || !h->state_left)
		return;
	show_filtered(h, m);
	h->shown++;
	hubcat_progress(h);
	if (--h->state_left == 0)
		hubcat_finish(h, 0);
}

void show_joined(struct hubcat *h, const struct client_joined *j)
{
	if (!h->o.state || h->phase != RUNNING)
		return;
	h->out.data.len = 0; /* of a connection that was lost before the end */
	h->shown = 0;
	h->state_left = j->snapshot;
	if (!j->snapshot)
		hubcat_finish(h, 0);
}

static void show_member(struct hubcat *h, const struct client_message *m)
{
	if (h->o.state) {
		show_state(h, m);
		return;
	}
	if (h->o.publish || (h->o.count && h->shown >= (uint64_t)h->o.count) ||
	    !show_filtered(h, m))
		return;
	hubcat_progress(h);
	if (++h->shown == (uint64_t)h->o.count)
		hubcat_finish(h, 0);
}

static void show_error(struct hubcat *h, const struct client_message *m)
{
	h->hub_errors = true;
	report(h, "hub: %s: %s", m->code, m->about);
}

static void show_answer(struct hubcat *h, const struct client_message *m)
{
	if (!h->o.publish && !h->filter)
		output_line(&h->out, m->text, m->len);
}

/* With -f the output is what the program makes of records: a gap is told otherwise. */
static void show_gap(struct hubcat *h, const struct client_message *m)
{
	/* Who has all that was asked for misses nothing by leaving. */
	if (h->o.publish || h->o.state || (h->o.count && h->shown >= (uint64_t)h->o.count))
		return;
	if (h->filter)
		report(h, "records are missing: %.*s", m->len < 200 ? (int)m->len : 200, m->text);
	else
		output_line(&h->out, m->text, m->len);
}

/* Only those that -a asked for come here. */
static void show_ack(struct hubcat *h, const struct client_message *m)
{
	output_line(&h->out, m->text, m->len);
}

static void show_detail(struct hubcat *h, const struct client_message *m)
{
	report_detail(h, "%.*s", m->len < 500 ? (int)m->len : 500, m->text);
}

static const struct {
	const char *type;
	void (*show)(struct hubcat *h, const struct client_message *m);
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

void show_message(struct hubcat *h, const struct client_message *m)
{
	if (m->kind != CLIENT_HUB) {
		show_member(h, m);
		return;
	}
	for (size_t i = 0; i < sizeof(show_types) / sizeof(show_types[0]); i++) {
		if (strcmp(show_types[i].type, m->type) == 0) {
			show_types[i].show(h, m);
			return;
		}
	}
	show_detail(h, m);
}
