/* What the hub says to a client, and what follows from it. Invariant: the caller is given
 * every message before the change of state that it causes, but for the answer to a join, which
 * comes behind. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/token_file.h"
#include "client/client_impl.h"
#include "json/json_walk.h"

#define RETRY_MAX_S 3600 /* whatever a hub asks for */

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
	c->joined_once = true;
	if (!c->refusals.attempt)
		c->trouble_ms = 0;
	client_refuse_over(c);
	if (c->freed)
		return;
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
	c->out.queue.largest = a->max_message;
	if (c->events.joined)
		c->events.joined(c, &joined, c->arg);
	if (c->freed)
		return;
	if ((c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED) &&
	    joins_all(&c->joins))
		client_all_joined(c);
}

/* An error while a join is not answered is the answer to it, since nothing else is sent then. */
static void client_join_failed(struct client *c, const char *code, const struct client_answer *a)
{
	static const char *const passing[] = {"hub_full", "shutting_down", "rate_limited",
					      "internal", "in_use",	   "unavailable"};
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
	snprintf(reason, sizeof(reason), "%s: %.220s", code, a->about);
	c->asked_s = a->retry_s < RETRY_MAX_S ? (uint32_t)a->retry_s : RETRY_MAX_S;
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
	uint64_t tag;

	if (sendq_answered(&c->out.queue, a->msg_id, a->msg_id_len, &tag) != SENDQ_DONE)
		return false;
	c->acked++;
	if (c->held) {
		client_resend(c);
	} else if (c->refusals.attempt) {
		backoff_reset(&c->refusals);
		c->trouble_ms = 0;
	}
	joins_own(&c->joins, a->session, a->seq);
	if (c->events.acked && !c->freed)
		c->events.acked(c, tag, a->seq, c->arg);
	return c->options.acks;
}

static bool client_farewell(struct client *c, const struct client_answer *a)
{
	c->farewell.code = a->close_code;
	snprintf(c->farewell.reason, sizeof(c->farewell.reason), "%.199s",
		 a->about[0] ? a->about : "closed by the hub");
	return false;
}

static const char *token_file_of(const struct client *c)
{
	return c->options.transport ? c->options.transport->token_file : NULL;
}

/* The token ends: the one that is in the file now goes on, if it is another one. */
static void client_renew(struct client *c)
{
	char *token = malloc(TOKEN_FILE_ROOM), why[300];
	struct buf line = {0};
	int r = token ? 0 : -1;

	if (r == 0)
		r = token_file_read(token_file_of(c), token, why, sizeof(why));
	if (r == 0)
		r = buf_puts(&line, "{\"type\":\"authenticate\",\"token\":");
	if (r == 0)
		r = buf_put_json(&line, token, strlen(token));
	if (r == 0 && buf_puts(&line, "}\n") == 0 && buf_put(&line, "", 1) == 0)
		client_say(c, line.data);
	buf_free(&line);
	free(token);
}

static bool client_other(struct client *c, const struct client_message *m)
{
	bool ends = strcmp(m->type, "token_expiring") == 0;

	if (m->kind != CLIENT_HUB || !token_file_of(c))
		return true;
	if (ends)
		client_renew(c);
	return !ends && strcmp(m->type, "authenticated") != 0;
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
		return sendq_answered(&c->out.queue, a->ping_id, strlen(a->ping_id), NULL) ==
		       SENDQ_FOREIGN;
	case SAID_CLOSE:
		return client_farewell(c, a);
	case SAID_JOINED:
		client_joined(c, a);
		return true;
	case SAID_RESUME:
		joins_resume(&c->joins, a->resume);
		return false;
	case SAID_GAP:
		joins_gap(&c->joins, a, m);
		return true;
	case SAID_ERROR:
		return !client_refused(c, m, a);
	default:
		return client_other(c, m);
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

static void take(struct client *c, const char *text, size_t len)
{
	struct client_message m;
	struct client_answer a;
	enum client_said said = client_message_read(c->paths, text, len, &m, &a);
	bool joining = c->status.state == CLIENT_OPEN;

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
		client_join_failed(c, m.code, &a);
}

/* Which join an array is of whose records may not be whole; -1: none. Its first element names the
 * session. */
static int packed(struct client *c, const char *text, size_t len)
{
	struct json_walk walk;
	struct json_item first;
	char session[129];

	json_walk_begin(&walk, text, len);
	if (!c->joins.packed || !json_walk_next(&walk, &first))
		return -1;
	client_message_session(c->paths, first.value, first.len, session);
	return joins_packed(&c->joins, session);
}

/* of: what packed() says. */
static void take_all(struct client *c, const char *text, size_t len, int of)
{
	struct json_walk walk;
	struct json_item item;
	struct span one;
	int r = 0;

	json_walk_begin(&walk, text, len);
	while (json_walk_next(&walk, &item) && !c->freed && client_connected(c)) {
		one = (struct span){item.value, item.len};
		if (of >= 0)
			r = joins_unpack(&c->joins, of, &item, &one);
		if (r < 0) {
			client_lose(c, LOSS_RETRY,
				    r == -ENOMEM ? strerror(ENOMEM)
						 : "it told what has changed in a record that is "
						   "not here");
			return;
		}
		take(c, one.p, one.len);
	}
}

/* Records that go before others come in an object of the hub's; one of a member's would end with
 * its seq. */
static bool take_ahead(struct client *c, const char *text, size_t len)
{
	static const char begin[] = "{\"type\":\"ahead\",\"session_id\":\"";
	struct json_scan scan;
	struct json_walk walk;
	struct json_item item;

	if (len < sizeof(begin) || memcmp(text, begin, sizeof(begin) - 1) != 0 ||
	    memcmp(text + len - 2, "]}", 2) != 0 ||
	    json_scan(NULL, text, len, NULL, &scan) != JSON_OK)
		return false;
	json_walk_begin(&walk, text, len);
	while (json_walk_next(&walk, &item))
		if (json_item_is(&item, "records") && item.type == JSON_ARRAY) {
			c->joins.ahead = true;
			take_all(c, item.value, item.len, -1);
			c->joins.ahead = false;
			break;
		}
	return true;
}

/* Several at once come as an array. */
static void on_received(void *arg, const char *text, size_t len)
{
	struct client *c = arg;
	struct json_scan scan;

	client_alive(c);
	if (len && *text == '{' && take_ahead(c, text, len))
		return;
	if (!len || *text != '[')
		take(c, text, len);
	else if (json_scan(NULL, text, len, NULL, &scan) == JSON_OK)
		take_all(c, text, scan.end, packed(c, text, scan.end));
}

static void on_moving(void *arg, bool in)
{
	struct client *c = arg;

	if (in)
		client_alive(c);
	else
		keepalive_took(&c->keepalive, uv_now(c->loop));
}

static void on_writable(void *arg)
{
	client_flush(arg);
}

static void on_lost(void *arg, enum transport_loss loss, int close_code, const char *reason)
{
	struct client *c = arg;

	/* Once it was joined, a refusal on the way is a proxy's whose hub is being replaced. */
	if (c->joined_once && c->status.state == CLIENT_CONNECTING)
		loss = LOSS_RETRY;
	client_lost(c, loss, close_code, reason);
}

const struct transport_events client_hub_events = {
    .connected = on_connected,
    .received = on_received,
    .moving = on_moving,
    .writable = on_writable,
    .lost = on_lost,
};
