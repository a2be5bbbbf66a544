/* What the hub says to a client, and what follows from it. Invariant: the caller is given
 * every message before the change of state that it causes, but for the answer to a join, which
 * comes behind. */
#include <stdio.h>
#include <string.h>

#include "client/client_impl.h"

/* --- joining */

void client_ask_join(struct client *c, size_t n)
{
	char line[JOINS_LINE_MAX];

	joins_ask(&c->joins, n, line);
	client_say(c, line);
}

static void client_all_joined(struct client *c)
{
	if (c->status.state == CLIENT_OPEN)
		uv_timer_stop(&c->timer);
	backoff_reset(&c->backoff);
	c->status.again = joins_as(&c->joins, c->status.client_id) ? c->again : 0;
	c->again = 0;
	c->status.code[0] = '\0';
	client_because(c, "");
	client_enter(c, CLIENT_JOINED);
	c->status.again = 0;
}

static void client_joined(struct client *c, const struct client_answer *a)
{
	struct client_joined joined;

	if (!joins_answered(&c->joins, a, &joined))
		return;
	snprintf(c->status.client_id, sizeof(c->status.client_id), "%s", a->client_id);
	c->status.seq = a->seq;
	c->status.user_count = a->user_count;
	if (c->events.joined)
		c->events.joined(c, &joined, c->arg);
	if (c->freed)
		return;
	if ((c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED) &&
	    joins_all(&c->joins))
		client_all_joined(c);
}

/* An error while a join is not answered is the answer to it, since nothing else is sent then. */
static void client_join_failed(struct client *c, const char *code, const char *about)
{
	static const char *const passing[] = {"hub_full", "shutting_down", "rate_limited",
					      "internal"};
	static const char *const refused[] = {"unauthorized", "forbidden", "session_full"};
	enum transport_loss loss = LOSS_FATAL;
	char reason[256];

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (strcmp(code, passing[i]) == 0)
			loss = LOSS_RETRY;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(code, refused[i]) == 0)
			loss = LOSS_REFUSED;
	snprintf(c->status.code, sizeof(c->status.code), "%s", code);
	snprintf(reason, sizeof(reason), "%s: %.220s", code, about);
	client_lose(c, loss, reason);
}

/* --- what each message means. Returns true where the caller gets it. */

static bool client_record(struct client *c, struct client_message *m)
{
	char session[129];

	if (joins_only_one(&c->joins))
		return joins_record(&c->joins, NULL, m);
	client_message_session(c->paths, m->text, m->len, session);
	return joins_record(&c->joins, session, m);
}

static bool client_ack(struct client *c, const struct client_answer *a)
{
	if (sendq_answered(&c->out.queue, a->msg_id, a->msg_id_len) != SENDQ_DONE)
		return false;
	c->acked++;
	joins_own(&c->joins, a->session, a->seq);
	return c->options.acks;
}

static bool client_error(struct client *c, const struct client_message *m,
			 const struct client_answer *a)
{
	if (a->msg_id)
		sendq_answered(&c->out.queue, a->msg_id, a->msg_id_len);
	else if (strcmp(m->code, "too_large") == 0)
		sendq_too_long(&c->out.queue);
	return true;
}

static bool client_farewell(struct client *c, const struct client_answer *a)
{
	c->farewell.code = a->close_code;
	snprintf(c->farewell.reason, sizeof(c->farewell.reason), "%.199s",
		 a->about[0] ? a->about : "closed by the hub");
	return false;
}

static bool client_heard(struct client *c, enum client_said said, struct client_message *m,
			 const struct client_answer *a)
{
	switch (said) {
	case SAID_NOTHING:
		return false;
	case SAID_MEMBER:
		return m->kind != CLIENT_RECORD || client_record(c, m);
	case SAID_ACK:
		return client_ack(c, a);
	case SAID_PONG:
		return sendq_answered(&c->out.queue, a->ping_id, strlen(a->ping_id)) ==
		       SENDQ_FOREIGN;
	case SAID_CLOSE:
		return client_farewell(c, a);
	case SAID_JOINED:
		client_joined(c, a);
		return true;
	case SAID_GAP:
		joins_gap(&c->joins, a, m);
		return true;
	case SAID_ERROR:
		return client_error(c, m, a);
	default:
		return true;
	}
}

/* --- what the transport reports */

static void on_connected(void *arg)
{
	struct client *c = arg;

	client_alive_start(c);
	client_enter(c, CLIENT_OPEN);
	for (size_t i = 0; i < c->joins.count && c->status.state == CLIENT_OPEN; i++)
		client_ask_join(c, i);
	if (!c->joins.count && c->status.state == CLIENT_OPEN)
		client_all_joined(c);
}

static void on_received(void *arg, const char *text, size_t len)
{
	struct client *c = arg;
	struct client_message m;
	struct client_answer a;
	enum client_said said = client_message_read(c->paths, text, len, &m, &a);
	bool joining = c->status.state == CLIENT_OPEN;

	client_alive(c);
	if (!client_heard(c, said, &m, &a))
		return;
	c->received = true;
	if (c->events.message && !c->freed)
		c->events.message(c, &m, c->arg);
	if (c->freed)
		return;
	if (said == SAID_LEFT && joins_left(&c->joins, a.session) &&
	    c->status.state == CLIENT_LEAVING)
		client_say_goodbye(c);
	if (said == SAID_ERROR && joining && c->status.state == CLIENT_OPEN)
		client_join_failed(c, m.code, m.about);
}

static void on_writable(void *arg)
{
	client_flush(arg);
}

static void on_lost(void *arg, enum transport_loss loss, int close_code, const char *reason)
{
	client_lost(arg, loss, close_code, reason);
}

const struct transport_events client_hub_events = {
    .connected = on_connected,
    .received = on_received,
    .writable = on_writable,
    .lost = on_lost,
};
