/* A connection to the hub. Invariant: a session stays at the place in sessions where it was joined,
 * which is the number that the client knows it by. */
#include "record/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "record/heads.h"
#include "record/hub_answer.h"
#include "record/track.h"

#define CLOCK_ID "hubreplay-clock" /* of the ping that asks for the hub's clock */

/* --- what comes */

static void link_ask_clock(struct link *l)
{
	static const char ping[] = "{\"type\":\"ping\",\"ping_id\":\"" CLOCK_ID "\"}";

	if (l->setup->url->scheme == URL_UNIX)
		return; /* it is ours */
	l->asked_ms = clock_wall_ms();
	client_send(l->client, ping, sizeof(ping) - 1);
}

/* The hub's clock, halfway between the question and the answer. */
static void link_clock(struct link *l, const struct client_message *m)
{
	uint64_t now = clock_wall_ms(), server_ms;
	int64_t offset_ms;

	if (!l->asked_ms || !hub_answer_clock(m->text, m->len, CLOCK_ID, &server_ms))
		return;
	offset_ms = (int64_t)server_ms - (int64_t)(l->asked_ms + (now - l->asked_ms) / 2);
	l->asked_ms = 0;
	/* What is within the way's time is none. */
	l->setup->events->clock(l->setup->arg, offset_ms >= -2 && offset_ms <= 2 ? 0 : offset_ms);
}

/* --- the end */

void link_leave(struct link *l)
{
	/* What it gets no more is not missing: the file ends before. */
	l->left = true;
	client_stop(l->client);
}

/* Ends without all that there is. */
static void link_give_up(struct link *l, const char *why)
{
	if (!l->left)
		l->setup->events->lacking(l->setup->arg, why);
	link_leave(l);
}

static void on_head(void *arg)
{
	struct link *l = arg;

	l->setup->events->alive(l->setup->arg);
}

static void on_heads(void *arg, const char *why)
{
	struct link *l = arg;

	if (why)
		link_give_up(l, why);
	else if (!l->left && heads_reached(l->heads))
		link_leave(l);
}

void link_finish(struct link *l)
{
	static const struct heads_events events = {on_head, on_heads};
	const struct link_setup *setup = l->setup;

	if (l->left || l->heads)
		return;
	if (!l->joined) {
		link_give_up(l, l->lost ? "the hub is away" : "the hub has not answered yet");
		return;
	}
	if (l->n)
		l->heads = heads_ask(setup->loop, setup->url, setup->transport, l->sessions, l->n,
				     &events, l);
	if (!l->heads)
		l->n ? link_give_up(l, strerror(ENOMEM)) : link_leave(l);
}

static void on_batch(struct client *c, void *arg)
{
	struct link *l = arg;

	(void)c;
	if (l->heads && !l->left && heads_reached(l->heads))
		link_leave(l);
}

/* --- what comes: messages */

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	struct link *l = arg;
	const struct link_setup *setup = l->setup;

	(void)c;
	if (m->kind == CLIENT_RECORD) {
		if (!l->left && m->join >= 0 && m->join < l->n)
			setup->events->record(setup->arg, l->sessions[m->join], m);
	} else if (m->kind != CLIENT_HUB) {
		return; /* direct messages are nobody else's */
	} else if (strcmp(m->type, "gap") == 0 && !l->left && m->join >= 0 && m->join < l->n) {
		setup->events->gap(setup->arg, l->sessions[m->join], m->seq, m->to_seq);
	} else if (strcmp(m->type, "pong") == 0) {
		link_clock(l, m);
	} else if (strcmp(m->type, "session_list") == 0) {
		setup->events->listed(setup->arg, m->text, m->len);
	} else if (strcmp(m->type, "error") == 0) {
		progress_say(setup->progress, "hub: %s: %s", m->code, m->about);
	}
}

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct link *l = arg;
	const struct link_setup *setup = l->setup;

	(void)c;
	if (j->asked && !j->recovered && (j->since || j->again))
		progress_say(setup->progress, "%s: %s: records may be missing", j->session,
			     j->reason);
	setup->events->joined(setup->arg, l->sessions[j->join], j);
}

static void link_closed(struct link *l, const struct client_status *s)
{
	static const int statuses[] = {
	    [CLIENT_LEFT] = EX_OK,	   [CLIENT_UNREACHABLE] = EX_UNAVAILABLE,
	    [CLIENT_REFUSED] = EX_NOPERM,  [CLIENT_REJECTED] = EX_UNAVAILABLE,
	    [CLIENT_FAILED] = EX_SOFTWARE,
	};

	l->closed = true;
	l->setup->events->closed(l->setup->arg, statuses[s->end], s->reason);
}

static void link_lost(struct link *l, const struct client_status *s)
{
	if (!l->lost)
		progress_say(l->setup->progress, "%s: %s; trying again", l->setup->where,
			     s->reason);
	l->lost = true;
}

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	static const char ask[] = "{\"type\":\"session_list\"}";
	struct link *l = arg;

	l->joined = s->state == CLIENT_JOINED;
	switch (s->state) {
	case CLIENT_JOINED:
		if (l->lost)
			progress_say(l->setup->progress, "connected again");
		l->lost = false;
		link_ask_clock(l);
		if (l->lists)
			client_send(c, ask, sizeof(ask) - 1);
		break;
	case CLIENT_WAITING:
		if (l->setup->ending)
			link_give_up(l, s->reason);
		else
			link_lost(l, s);
		break;
	case CLIENT_CLOSED:
		link_closed(l, s);
		break;
	default:
		break;
	}
}

/* --- its life */

struct link *link_new(const struct link_setup *setup, bool lists)
{
	static const struct client_events events = {
	    .state = on_state, .joined = on_joined, .message = on_message, .batch = on_batch};
	struct client_options options = {.url = setup->url, .transport = setup->transport};
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->setup = setup;
	l->lists = lists;
	l->client = client_new(setup->loop, &options, &events, l);
	if (!l->client) {
		free(l);
		return NULL;
	}
	client_start(l->client);
	return l;
}

bool link_has_room(const struct link *l)
{
	return l->n < CLIENT_SESSIONS_MAX;
}

void link_pause(struct link *l, bool pause)
{
	pause ? client_pause(l->client) : client_resume(l->client);
}

int link_join(struct link *l, struct track_session *s, bool whole)
{
	struct client_place place = {.from = CLIENT_STATE, .rest = true};
	int r;

	if (whole || s->epoch[0]) {
		place.from = CLIENT_SINCE;
		place.since = s->seq;
		place.epoch = s->epoch[0] ? s->epoch : NULL;
		place.run = s->run;
	}
	r = client_join(l->client, s->name, &place);
	if (r == 0)
		l->sessions[l->n++] = s;
	return r;
}

void link_free(struct link *l)
{
	heads_free(l->heads);
	client_free(l->client);
	free(l);
}
