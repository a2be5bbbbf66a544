/* What the hub says to a client, and the sessions that it answers for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_impl.h"
#include "envelope.h"

void client_ask_join(struct client *c, struct client_session *s)
{
	char line[256];

	snprintf(line, sizeof(line), "{\"type\":\"session_associate\",\"session_id\":\"%s\"%s}\n",
		 s->id, s->echo ? "" : ",\"echo\":false");
	s->state = SESSION_ASKED;
	client_control(c, line);
}

static void client_all_joined(struct client *c)
{
	for (size_t i = 0; i < c->nsessions; i++)
		if (c->sessions[i].state != SESSION_JOINED)
			return;
	if (c->status.state == CLIENT_OPEN)
		uv_timer_stop(&c->timer);
	backoff_reset(&c->backoff);
	c->status.again = c->again;
	c->again = 0;
	c->status.code[0] = '\0';
	client_because(c, "");
	client_enter(c, CLIENT_JOINED);
	c->status.again = 0;
}

static struct client_session *client_find(struct client *c, const char *id)
{
	for (size_t i = 0; i < c->nsessions; i++)
		if (strcmp(c->sessions[i].id, id) == 0)
			return &c->sessions[i];
	return NULL;
}

static void client_joined(struct client *c, const struct client_answer *a)
{
	struct client_session *s = client_find(c, a->session);

	if (!s || s->state != SESSION_ASKED)
		return;
	s->state = SESSION_JOINED;
	snprintf(c->status.client_id, sizeof(c->status.client_id), "%s", a->client_id);
	c->status.seq = a->seq;
	c->status.user_count = a->user_count;
	if (c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED)
		client_all_joined(c);
}

static void client_left(struct client *c, const struct client_answer *a)
{
	struct client_session *s = client_find(c, a->session);

	if (s)
		s->state = SESSION_NEW;
	if (c->status.state != CLIENT_LEAVING)
		return;
	for (size_t i = 0; i < c->nsessions; i++)
		if (c->sessions[i].state != SESSION_NEW)
			return;
	client_say_goodbye(c);
}

/* An error while a join is not answered is the answer to it, since nothing else is sent then. */
static void client_join_failed(struct client *c, const char *code, const char *about)
{
	static const char *const passing[] = {"hub_full", "shutting_down", "rate_limited",
					      "internal"};
	static const char *const refused[] = {"unauthorized", "forbidden", "session_full"};
	enum client_loss loss = LOSS_FATAL;
	char reason[256];

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (strcmp(code, passing[i]) == 0)
			loss = LOSS_RETRY;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(code, refused[i]) == 0)
			loss = LOSS_REFUSED;
	snprintf(c->status.code, sizeof(c->status.code), "%s", code);
	snprintf(reason, sizeof(reason), "%s: %.220s", code, about);
	c->transport->drop(c);
	client_on_lost(c, loss, 0, reason);
}

void client_on_message(struct client *c, const char *text, size_t len)
{
	struct client_message m;
	struct client_answer a;
	enum client_said said = client_read_message(c->paths, text, len, &m, &a);
	bool joining = c->status.state == CLIENT_OPEN;

	client_alive(c);
	if (said == SAID_NOTHING)
		return;
	if (said == SAID_PONG && (sendq_confirm(&c->queue, a.ping_id, strlen(a.ping_id))))
		return;
	if (said == SAID_CLOSE) {
		c->farewell.code = a.close_code;
		snprintf(c->farewell.reason, sizeof(c->farewell.reason), "%.199s",
			 a.about[0] ? a.about : "closed by the hub");
		return;
	}
	if (said == SAID_JOINED)
		client_joined(c, &a);
	c->received = true;
	if (c->events.message && !c->freed)
		c->events.message(c, &m, c->arg);
	if (c->freed)
		return;
	if (said == SAID_LEFT)
		client_left(c, &a);
	if (said == SAID_ERROR && joining && c->status.state == CLIENT_OPEN)
		client_join_failed(c, m.code, m.about);
}

int client_join(struct client *c, const char *session, bool echo)
{
	struct client_session *s;

	if (!envelope_session_id_ok(session, strlen(session)))
		return -EINVAL;
	if (c->nsessions == CLIENT_SESSIONS_MAX)
		return -ENOSPC;
	s = realloc(c->sessions, (c->nsessions + 1) * sizeof(*s));
	if (!s)
		return -ENOMEM;
	c->sessions = s;
	s += c->nsessions;
	*s = (struct client_session){.id = strdup(session), .echo = echo};
	if (!s->id)
		return -ENOMEM;
	c->nsessions++;
	if (c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED)
		client_ask_join(c, s);
	return 0;
}
