/* Invariant: a head is of the log whose epoch stands beside it. */
#include "record/heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "record/track.h"

struct heads {
	struct client *client;
	const struct track_session *sessions[CLIENT_SESSIONS_MAX];
	struct {
		uint64_t seq;
		char epoch[RECORDING_EPOCH_MAX + 1];
	} head[CLIENT_SESSIONS_MAX];
	int n;
	bool all, over; /* told; nothing more is said */
	const struct heads_events *events;
	void *arg;
};

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct heads *h = arg;

	(void)c;
	h->head[j->join].seq = j->seq;
	snprintf(h->head[j->join].epoch, sizeof(h->head[0].epoch), "%s", j->epoch);
	h->events->one(h->arg);
}

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	struct heads *h = arg;

	h->all |= s->state == CLIENT_JOINED;
	if (h->over || (!h->all && s->state != CLIENT_CLOSED))
		return;
	h->over = true;
	if (h->all)
		client_stop(c);
	h->events->all(h->arg, h->all ? NULL : s->reason);
}

struct heads *heads_ask(uv_loop_t *loop, const struct url *url,
			const struct transport_options *transport,
			struct track_session *const *sessions, int n,
			const struct heads_events *events, void *arg)
{
	static const struct client_events heard = {.state = on_state, .joined = on_joined};
	struct client_options options = {.url = url, .transport = transport, .no_reconnect = true};
	struct heads *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->n = n;
	h->events = events;
	h->arg = arg;
	h->client = client_new(loop, &options, &heard, h);
	if (!h->client)
		goto fail;
	for (int i = 0; i < n; i++) {
		h->sessions[i] = sessions[i];
		if (client_join(h->client, sessions[i]->name, NULL) < 0)
			goto fail;
	}
	client_start(h->client);
	return h;
fail:
	heads_free(h);
	return NULL;
}

bool heads_reached(const struct heads *h)
{
	if (!h->all)
		return false;
	for (int i = 0; i < h->n; i++) {
		const struct track_session *s = h->sessions[i];

		/* Of a log that a mark is due for, nothing is in the file that is not before it. */
		if (strcmp(s->epoch, h->head[i].epoch) != 0 || s->state_left ||
		    (s->mark.due ? s->mark.left : s->seq) < h->head[i].seq)
			return false;
	}
	return true;
}

void heads_free(struct heads *h)
{
	if (!h)
		return;
	if (h->client)
		client_free(h->client);
	free(h);
}
