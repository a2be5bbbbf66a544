/* What a client sends: control lines and the queue, in turns of whole lines; and the pings that
 * find out whether a silent hub is still there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client_impl.h"

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

	if (c->status.state == CLIENT_JOINED && sendq_fence(&c->queue, c->want_drained) < 0) {
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
	snprintf(text, sizeof(text), "{\"type\":\"ping\",\"ping_id\":\"%s-0\"}\n", c->queue.tag);
	client_control(c, text);
}

void client_ping_start(struct client *c)
{
	client_alive(c);
	if (c->options.ping_ms > 0)
		uv_timer_start(&c->pinger, on_pinger, (uint64_t)c->options.ping_ms, 0);
}
