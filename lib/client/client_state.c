/* The client's state machine. Every change of state goes through client_enter(); a lost connection
 * through client_lost(), whoever finds it lost. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/client_impl.h"

#define FINISH_MS 1000 /* for its answer to our close */

const char *client_state_name(enum client_state state)
{
	static const char *const names[] = {
	    [CLIENT_IDLE] = "idle",	  [CLIENT_CONNECTING] = "connecting",
	    [CLIENT_OPEN] = "open",	  [CLIENT_JOINED] = "joined",
	    [CLIENT_WAITING] = "waiting", [CLIENT_LEAVING] = "leaving",
	    [CLIENT_CLOSED] = "closed",
	};

	return names[state];
}

bool client_connected(const struct client *c)
{
	return c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED ||
	       c->status.state == CLIENT_LEAVING;
}

void client_because(struct client *c, const char *reason)
{
	snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

void client_enter(struct client *c, enum client_state state)
{
	c->status.state = state;
	c->status.reason = c->reason;
	if (c->events.state && !c->freed)
		c->events.state(c, &c->status, c->arg);
}

void client_close(struct client *c, enum client_end end)
{
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->pinger);
	uv_prepare_stop(&c->prepare);
	c->status.end = end;
	client_enter(c, CLIENT_CLOSED);
}

/* --- the connection is lost */

/* What a close code means for further attempts (RFC 6455 section 7.4.1). */
static enum transport_loss loss_of(int close_code)
{
	switch (close_code) {
	case 1003: /* cannot accept */
	case 1007: /* not UTF-8 */
	case 1009: /* too large: it would be sent again and again */
	case 4000: /* somebody else goes on in our name: to come back would send that one away */
		return LOSS_FATAL;
	case 1008: /* policy */
		return LOSS_REFUSED;
	default:
		return LOSS_RETRY;
	}
}

/* The state of a connection, so that the next one starts afresh. */
static void client_forget(struct client *c)
{
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->pinger);
	joins_lost(&c->joins);
	c->again = outbox_rewind(&c->out);
	c->status.client_id[0] = '\0';
}

static void client_wait(struct client *c)
{
	c->status.clean_start = !backoff_next(&c->backoff, &c->status.delay_ms);
	if (c->status.clean_start) {
		joins_forget(&c->joins);
		backoff_reset(&c->backoff);
		backoff_next(&c->backoff, &c->status.delay_ms);
	}
	c->status.attempt = c->backoff.attempt;
	c->status.attempts = c->backoff.limit;
	client_timer(c, c->status.delay_ms);
	client_enter(c, CLIENT_WAITING);
}

void client_lost(struct client *c, enum transport_loss loss, int close_code, const char *reason)
{
	bool leaving = c->status.state == CLIENT_LEAVING;

	if (c->farewell.code && !close_code) {
		close_code = c->farewell.code;
		reason = c->farewell.reason;
	}
	if (close_code)
		loss = loss_of(close_code);
	c->farewell.code = 0;
	c->status.close_code = close_code;
	client_because(c, leaving ? "left" : reason);
	client_forget(c);
	if (leaving)
		client_close(c, CLIENT_LEFT);
	else if (loss == LOSS_REFUSED)
		client_close(c, CLIENT_REFUSED);
	else if (loss == LOSS_FATAL)
		client_close(c, CLIENT_REJECTED);
	else if (c->options.no_reconnect)
		client_close(c, CLIENT_UNREACHABLE);
	else
		client_wait(c);
}

void client_lose(struct client *c, enum transport_loss loss, const char *reason)
{
	c->transport.kind->drop(&c->transport);
	client_lost(c, loss, 0, reason);
}

/* --- time */

static void client_connect(struct client *c)
{
	uv_update_time(c->loop);
	client_timer(c, c->options.connect_ms);
	client_alive(c);
	client_enter(c, CLIENT_CONNECTING);
	if (c->status.state == CLIENT_CONNECTING && !c->freed)
		c->transport.kind->open(&c->transport);
}

static void on_timer(uv_timer_t *timer)
{
	struct client *c = timer->data;

	switch (c->status.state) {
	case CLIENT_WAITING:
		client_connect(c);
		break;
	case CLIENT_CONNECTING:
		client_lose(c, LOSS_RETRY, "no connection in time");
		break;
	case CLIENT_OPEN:
		client_lose(c, LOSS_RETRY, "the hub does not answer");
		break;
	case CLIENT_LEAVING:
		c->transport.kind->drop(&c->transport);
		client_close(c, CLIENT_LEFT);
		break;
	default:
		break;
	}
}

void client_timer(struct client *c, uint64_t ms)
{
	uv_timer_start(&c->timer, on_timer, ms, 0);
}

void client_alive(struct client *c)
{
	keepalive_heard(&c->keepalive, uv_now(c->loop));
}

/* Silence: asks once, then gives the connection up. */
static void on_pinger(uv_timer_t *timer)
{
	struct client *c = timer->data;
	enum keepalive_due due;
	char text[80];
	uint64_t ms;

	if (c->transport.paused)
		client_alive(c);
	due = keepalive_check(&c->keepalive, uv_now(c->loop), &ms);
	if (due == KEEPALIVE_LOST) {
		snprintf(text, sizeof(text), "no answer to a ping for %.3g s", (double)ms / 1000);
		client_lose(c, LOSS_RETRY, text);
		return;
	}
	uv_timer_start(timer, on_pinger, ms, 0);
	if (due == KEEPALIVE_ASK) {
		snprintf(text, sizeof(text), "{\"type\":\"ping\",\"ping_id\":\"%s-\"}\n",
			 c->out.queue.tag);
		client_say(c, text);
	}
}

void client_alive_start(struct client *c)
{
	client_alive(c);
	if (c->keepalive.quiet_ms)
		uv_timer_start(&c->pinger, on_pinger, c->keepalive.quiet_ms, 0);
}

/* --- what leaves */

void client_say(struct client *c, const char *line)
{
	if (outbox_control(&c->out, line) < 0)
		client_lose(c, LOSS_RETRY, strerror(ENOMEM));
}

void client_flush(struct client *c)
{
	ssize_t sent;

	if (!client_connected(c))
		return;
	sent = outbox_flush(&c->out, &c->transport, c->status.state == CLIENT_JOINED);
	/* A hub that takes much lives, even where its pongs must wait. */
	if (sent > 0)
		keepalive_took(&c->keepalive, uv_now(c->loop));
	if (sent < 0)
		client_lose(c, LOSS_RETRY, strerror(ENOMEM));
}

void client_say_goodbye(struct client *c)
{
	client_timer(c, FINISH_MS);
	c->transport.kind->finish(&c->transport);
}
