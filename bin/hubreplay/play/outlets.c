/* The connections that a recording is played over. Invariant: each target is a session that its
 * outlet has joined, or will join. */
#include "play/outlets.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/client.h"

#define QUEUE_BYTES (4 << 20) /* of messages without an answer, over a connection */

struct outlet {
	struct outlets *all;
	struct outlet *next;
	struct client *client;
	int n; /* sessions */
	bool closed;
};

struct target {
	struct target *next;
	char *session;
	struct outlet *outlet;
};

/* --- what comes */

static void outlet_closed(struct outlet *o, const struct client_status *s)
{
	static const int statuses[] = {
	    [CLIENT_LEFT] = EX_OK,	   [CLIENT_UNREACHABLE] = EX_UNAVAILABLE,
	    [CLIENT_REFUSED] = EX_NOPERM,  [CLIENT_REJECTED] = EX_UNAVAILABLE,
	    [CLIENT_FAILED] = EX_SOFTWARE,
	};

	o->closed = true;
	if (s->end != CLIENT_LEFT)
		progress_say(o->all->progress, "%s: %s", o->all->where, s->reason);
	o->all->events->closed(o->all->arg, s->close_code == 1009 ? EX_DATAERR : statuses[s->end]);
}

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	struct outlet *o = arg;
	struct outlets *all = o->all;

	(void)c;
	if (s->state == CLIENT_WAITING)
		progress_say(all->progress, "%s: %s; trying again", all->where, s->reason);
	if (s->state == CLIENT_JOINED && s->again)
		losses_add(all->losses, 1,
			   "%zu messages may be in the session twice: the hub does not know us",
			   s->again);
	if (s->state == CLIENT_JOINED)
		all->events->joined(all->arg);
	if (s->state == CLIENT_CLOSED)
		outlet_closed(o, s);
}

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct outlet *o = arg;

	if (j->again && j->new_log && client_acked(c))
		losses_add(o->all->losses, 1,
			   "%s: the hub began anew, without what was played before", j->session);
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	struct outlet *o = arg;

	(void)c;
	if (m->kind == CLIENT_HUB && strcmp(m->type, "error") == 0)
		losses_first(o->all->losses, "hub: %s: %s", m->code, m->about);
}

static void on_batch(struct client *c, void *arg)
{
	struct outlet *o = arg;

	if (o->all->lockstep && !client_unconfirmed(c))
		o->all->events->answered(o->all->arg);
}

static void on_writable(struct client *c, void *arg)
{
	struct outlet *o = arg;

	(void)c;
	o->all->events->writable(o->all->arg);
}

static void on_drained(struct client *c, void *arg)
{
	struct outlets *all = ((struct outlet *)arg)->all;

	(void)c;
	/* From the loop: what is said in here leaves a turn later. */
	if (++all->drained == all->n)
		all->events->drained(all->arg);
}

/* --- sessions */

static void *need(void *memory)
{
	if (!memory)
		err_die(EX_OSERR, "out of memory");
	return memory;
}

static struct outlet *outlet_new(struct outlets *all)
{
	static const struct client_events events = {
	    .state = on_state,
	    .joined = on_joined,
	    .message = on_message,
	    .batch = on_batch,
	    .writable = on_writable,
	    .drained = on_drained,
	};
	struct client_options options = {.url = all->url,
					 .transport = all->transport,
					 .acks = all->lockstep,
					 .queue = QUEUE_BYTES};
	struct outlet *o = need(calloc(1, sizeof(*o)));

	o->client = need(client_new(all->loop, &options, &events, o));
	o->all = all;
	o->next = all->first;
	all->first = o;
	all->n++;
	client_start(o->client);
	return o;
}

struct target *outlets_target(struct outlets *o, const char *session, size_t len)
{
	static const struct client_place place = {.no_echo = true};
	struct target *t, **link = &o->targets;

	while ((t = *link) && (strlen(t->session) != len || memcmp(t->session, session, len) != 0))
		link = &t->next;
	if (t) {
		/* To the front: the next message is often for the same one. */
		*link = t->next;
		t->next = o->targets;
		o->targets = t;
		return t;
	}
	t = need(calloc(1, sizeof(*t)));
	t->session = need(calloc(1, len + 1));
	memcpy(t->session, session, len);
	t->outlet = o->first && o->first->n < CLIENT_SESSIONS_MAX ? o->first : outlet_new(o);
	if (client_join(t->outlet->client, t->session, &place) < 0)
		err_die(EX_OSERR, "cannot join %s", t->session);
	t->outlet->n++;
	t->next = o->targets;
	o->targets = t;
	return t;
}

int outlets_send(struct target *t, const char *text, size_t len)
{
	return client_send(t->outlet->client, text, len);
}

/* --- the end */

bool outlets_drain(struct outlets *all)
{
	for (struct outlet *o = all->first; o; o = o->next)
		client_drain(o->client);
	return all->first != NULL;
}

size_t outlets_unconfirmed(const struct outlets *all)
{
	size_t n = 0;

	for (const struct outlet *o = all->first; o; o = o->next)
		n += client_unconfirmed(o->client);
	return n;
}

void outlets_stop(struct outlets *all)
{
	for (struct outlet *o = all->first; o; o = o->next)
		client_stop(o->client);
}

bool outlets_closed(const struct outlets *all)
{
	for (const struct outlet *o = all->first; o; o = o->next)
		if (!o->closed)
			return false;
	return true;
}

void outlets_free(struct outlets *all)
{
	while (all->targets) {
		struct target *t = all->targets;

		all->targets = t->next;
		free(t->session);
		free(t);
	}
	while (all->first) {
		struct outlet *o = all->first;

		all->first = o->next;
		client_free(o->client);
		free(o);
	}
}
