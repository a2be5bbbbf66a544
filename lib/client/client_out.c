/* What a client sends: messages into the queue; control lines and the queue, in turns of whole
 * lines; and the pings that find out whether a silent hub is still there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/client_impl.h"

/* --- into the queue */

enum { LINE_TYPE, LINE_MSG_ID, LINE_COUNT };

struct json_paths *client_line_paths(void)
{
	static const char *const names[LINE_COUNT] = {"type", "msg_id"};

	return json_paths_new(names, LINE_COUNT);
}

/* What the hub takes for itself and gives no ack for (hub(7)). */
static bool control_type(const char *type, size_t len)
{
	static const char *const types[] = {"ping",	     "heartbeat",	  "presence",
					    "client_info",   "session_associate", "session_leave",
					    "version_check", "authenticate",	  "session_list"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i]) == len && memcmp(types[i], type, len) == 0)
			return true;
	return false;
}

/* What the hub will answer to a line, and where its own msg_id stands. A wrong one is answered with
 * an error that does not name it, just as a control message is. */
static enum sendq_kind read_line(struct client *c, const char *text, const struct json_member *at,
				 struct sendq_id *id)
{
	const struct json_member *type = &at[LINE_TYPE], *msg_id = &at[LINE_MSG_ID];
	char name[64];
	int n = -1;

	if (type->type == JSON_STRING)
		n = json_unescape(text + type->start + 1, type->end - type->start - 2, name,
				  sizeof(name));
	if (msg_id->type == JSON_STRING && msg_id->end - msg_id->start - 2 <= UINT16_MAX)
		*id = (struct sendq_id){msg_id->start + 1,
					(uint16_t)(msg_id->end - msg_id->start - 2)};
	if (n <= 0 || msg_id->repeated || (msg_id->type != JSON_NONE && !id->len))
		return SENDQ_CONTROL;
	if (!control_type(name, (size_t)n))
		return SENDQ_MESSAGE;
	if (n == (int)strlen("session_associate") && memcmp(name, "session_associate", 17) == 0)
		c->joins_itself = true;
	return SENDQ_CONTROL;
}

int client_send(struct client *c, const char *text, size_t len)
{
	struct json_member at[LINE_COUNT];
	struct sendq_id id = {0};
	struct json_scan scan;
	enum sendq_kind kind;
	int r;

	if (c->status.state == CLIENT_LEAVING || c->status.state == CLIENT_CLOSED)
		return -EPIPE;
	if (json_scan(c->lines, text, len, at, &scan) != JSON_OK || scan.type != JSON_OBJECT ||
	    scan.newline || memchr(text, '\n', scan.start))
		return -EINVAL;
	kind = read_line(c, text, at, &id);
	r = sendq_put(&c->queue, text, scan.end, kind, id);
	if (r == -EAGAIN)
		c->want_writable = true;
	return r;
}

/* --- out of it */

void client_alive(struct client *c)
{
	c->alive_ms = uv_now(c->loop);
	c->asked = false;
}

/* Sends from one source up to limit bytes. Returns how many went. */
static size_t client_push(struct client *c, const char *p, size_t len, enum client_source source)
{
	size_t n = len ? c->transport->send(c, p, len) : 0;

	if (n) {
		c->mid = p[n - 1] == '\n' ? MID_NONE : source;
		/* A hub that takes much lives, even where its pongs must wait. */
		if (source == MID_QUEUE)
			c->alive_ms = uv_now(c->loop);
	}
	return n;
}

/* Returns false once the connection takes no more, or the control lines are all sent. */
static bool client_push_control(struct client *c)
{
	size_t n = client_push(c, c->control.data + c->control_sent,
			       c->control.len - c->control_sent, MID_CONTROL);

	c->control_sent += n;
	if (c->control_sent == c->control.len)
		c->control.len = c->control_sent = 0;
	return n > 0;
}

static bool client_push_queue(struct client *c, bool line_only)
{
	size_t len, n;
	const char *p = sendq_unsent(&c->queue, &len), *feed;

	if (line_only && len && (feed = memchr(p, '\n', len)))
		len = (size_t)(feed - p) + 1;
	n = client_push(c, p, len, MID_QUEUE);
	sendq_advance(&c->queue, n);
	return n > 0;
}

/* Control lines go first, but never into the middle of a message. */
void client_flush(struct client *c)
{
	bool more = client_connected(c);

	if (c->status.state == CLIENT_JOINED && sendq_fence(&c->queue) < 0) {
		c->transport->drop(c);
		client_on_lost(c, LOSS_RETRY, 0, strerror(ENOMEM));
		return;
	}
	while (more && client_connected(c)) {
		if (c->mid == MID_QUEUE)
			more = client_push_queue(c, true);
		else if (c->control.len)
			more = client_push_control(c);
		else
			more = c->status.state == CLIENT_JOINED && client_push_queue(c, false);
	}
}

void client_control(struct client *c, const char *line)
{
	if (buf_puts(&c->control, line) < 0) {
		c->transport->drop(c);
		client_on_lost(c, LOSS_RETRY, 0, strerror(ENOMEM));
	}
}

/* Silence: asks once, then gives the connection up. */
static void on_pinger(uv_timer_t *timer)
{
	struct client *c = timer->data;
	uint64_t now = uv_now(c->loop), limit, quiet;
	char text[80];

	if (c->paused)
		client_alive(c);
	quiet = now - (c->asked && c->asked_ms > c->alive_ms ? c->asked_ms : c->alive_ms);
	limit = c->asked ? c->options.pong_ms : (uint64_t)c->options.ping_ms;
	if (quiet < limit) {
		uv_timer_start(timer, on_pinger, limit - quiet, 0);
		return;
	}
	if (c->asked) {
		snprintf(text, sizeof(text), "no answer to a ping for %.3g s",
			 (double)quiet / 1000);
		c->transport->drop(c);
		client_on_lost(c, LOSS_RETRY, 0, text);
		return;
	}
	c->asked = true;
	c->asked_ms = now;
	uv_timer_start(timer, on_pinger, c->options.pong_ms, 0);
	snprintf(text, sizeof(text), "{\"type\":\"ping\",\"ping_id\":\"%s-\"}\n", c->queue.tag);
	client_control(c, text);
}

void client_ping_start(struct client *c)
{
	client_alive(c);
	if (c->options.ping_ms > 0)
		uv_timer_start(&c->pinger, on_pinger, (uint64_t)c->options.ping_ms, 0);
}
