/* The client's state machine. Every change of state goes through client_enter(); a lost connection
 * through client_lost(), whoever finds it lost. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/client_impl.h"
#include "json/envelope.h"

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
	case 4401: /* no good token, or none any more: with another one */
	case 4410: /* the session was deleted: to a new one */
		return LOSS_RETRY;
	case 1008: /* policy */
		return LOSS_REFUSED;
	default: /* from 4000 on they are words of an operator, 4403, or of his rules */
		return close_code >= 4000 && close_code <= 4999 ? LOSS_REFUSED : LOSS_RETRY;
	}
}

/* The state of a connection, so that the next one starts afresh. */
static void client_forget(struct client *c)
{
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->pinger);
	joins_lost(&c->joins);
	c->held = c->due = false;
	c->again = outbox_rewind(&c->out);
	c->status.client_id[0] = '\0';
}

/* How long there may still be no connection; UINT64_MAX: for ever. */
static uint64_t client_patience(struct client *c)
{
	uint64_t limit = c->options.give_up_ms, now = uv_now(c->loop);

	if (!c->joined_once && c->options.first_ms)
		limit = c->options.first_ms;
	if (!c->trouble_ms)
		c->trouble_ms = now;
	if (!limit)
		return UINT64_MAX;
	return now - c->trouble_ms < limit ? limit - (now - c->trouble_ms) : 0;
}

static void client_wait(struct client *c)
{
	uint64_t patience = client_patience(c);

	if (!patience) {
		client_close(c, CLIENT_UNREACHABLE);
		return;
	}
	c->status.clean_start = !backoff_next(&c->backoff, &c->status.delay_ms);
	if (c->status.clean_start) {
		joins_forget(&c->joins);
		backoff_reset(&c->backoff);
		backoff_next(&c->backoff, &c->status.delay_ms);
	}
	if (c->status.delay_ms < c->asked_s * 1000)
		c->status.delay_ms = c->asked_s * 1000;
	c->asked_s = 0;
	if (c->status.delay_ms > patience)
		c->status.delay_ms = (uint32_t)patience; /* once more at the end */
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
	if (close_code == 1009 && !leaving && client_refuse_longest(c, reason))
		loss = LOSS_RETRY;
	if (c->freed)
		return;
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

/* Ends CLOSED as unreachable, after a connection that serves nothing. */
static void give_up(struct client *c, const char *reason)
{
	c->transport.kind->drop(&c->transport);
	client_because(c, reason);
	client_forget(c);
	client_close(c, CLIENT_UNREACHABLE);
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
	case CLIENT_JOINED:
		client_resend_due(c);
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

/* What the kernel holds becomes less: the hub, or the way to it, takes a long message. */
static void client_look(struct client *c)
{
	size_t untaken = c->transport.kind->untaken ? c->transport.kind->untaken(&c->transport) : 0;

	if (untaken < c->untaken)
		keepalive_took(&c->keepalive, uv_now(c->loop));
	c->untaken = untaken;
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
	client_look(c);
	due = keepalive_check(&c->keepalive, uv_now(c->loop), &ms);
	/* Where the loop itself was held up, the answer may stand in the socket: it is read first.
	 */
	if (due == KEEPALIVE_LOST && !c->looked) {
		c->looked = true;
		uv_timer_start(timer, on_pinger, 1, 0);
		return;
	}
	c->looked = false;
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
	sent = outbox_flush(&c->out, &c->transport, c->status.state == CLIENT_JOINED && !c->held);
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

/* --- messages that the hub did not take

 * What is refused for good is told and forgotten. What is refused for now holds the queue: when all
 * that was sent behind it is answered, and some time has passed, the sessions are joined again,
 which
 * has the hub take messages again, and the queue is sent from the first one without an ack (hub(7),
 * Refused for now). So order is kept. */

static bool passes(const char *code)
{
	for (int i = 0; i <= HUB_RULE_FAILED; i++)
		if (hub_code_passes((enum hub_code)i) &&
		    strcmp(code, hub_code_name((enum hub_code)i)) == 0)
			return true;
	return false;
}

static void tell(struct client *c, const struct sendq_refused *q, struct client_refusal *r)
{
	r->tag = q->tag;
	r->text = q->text;
	r->ours = q->ours > 0;
	r->len = r->ours ? q->len - 1 - q->ours : q->len;
	c->events.refused(c, r, c->arg);
}

/* Begins to hold the queue. */
static void hold(struct client *c, struct client_refusal *r)
{
	uint64_t now = uv_now(c->loop), limit = c->options.give_up_ms;

	if (!c->trouble_ms)
		c->trouble_ms = now;
	c->held = true;
	c->due = false;
	backoff_next(&c->refusals, &c->status.delay_ms);
	if (limit && now - c->trouble_ms + c->status.delay_ms > limit)
		c->status.delay_ms =
		    (uint32_t)(c->trouble_ms + limit > now ? c->trouble_ms + limit - now : 0);
	r->delay_ms = c->status.delay_ms;
	client_timer(c, c->status.delay_ms);
}

bool client_refused(struct client *c, const struct client_message *m, const struct client_answer *a)
{
	struct client_refusal r = {
	    .code = m->code, .about = m->about, .msg_id = a->msg_id, .msg_id_len = a->msg_id_len};
	struct sendq_refused q;
	bool found = a->msg_id
			 ? sendq_find(&c->out.queue, a->msg_id, a->msg_id_len, &q)
			 : strcmp(m->code, "too_large") == 0 && sendq_too_long(&c->out.queue, &q);

	if (!found)
		return false;
	r.passes = c->options.resend && !c->joins.by_caller && passes(m->code);
	if (r.passes && c->status.state != CLIENT_JOINED)
		return true; /* it goes again over the next connection */
	if (r.passes && !c->held)
		hold(c, &r);
	else if (r.passes)
		r.code = NULL; /* told already */
	if (c->events.refused && r.code)
		tell(c, &q, &r);
	if (c->freed)
		return true;
	sendq_refuse(&c->out.queue, q.number, r.passes);
	if (c->held)
		client_resend(c);
	return c->events.refused != NULL;
}

void client_refuse_over(struct client *c)
{
	struct sendq_refused q;
	char about[80];
	bool any = false;

	while (!c->freed && sendq_over(&c->out.queue, &q)) {
		struct client_refusal r = {.code = "too_large", .about = about};

		snprintf(about, sizeof(about), "%zu bytes; the hub takes %zu", q.len,
			 c->out.queue.largest);
		any = true;
		sendq_refuse(&c->out.queue, q.number, false);
		if (c->events.refused)
			tell(c, &q, &r);
	}
	if (any && !c->freed)
		sendq_rewind(&c->out.queue);
}

bool client_refuse_longest(struct client *c, const char *why)
{
	struct client_refusal r = {.code = "too_large", .about = why};
	struct sendq_refused q;

	if (!c->events.refused || !sendq_too_long(&c->out.queue, &q))
		return false;
	tell(c, &q, &r);
	if (!c->freed)
		sendq_refuse(&c->out.queue, q.number, false);
	return true;
}

void client_resend_due(struct client *c)
{
	uint64_t limit = c->options.give_up_ms;

	if (!c->held)
		return;
	c->due = true;
	if (limit && uv_now(c->loop) - c->trouble_ms >= limit)
		give_up(c, "the hub takes no messages for now");
	else
		client_resend(c);
}

void client_resend(struct client *c)
{
	char line[JOINS_LINE_MAX];

	if (!c->due || !sendq_quiet(&c->out.queue))
		return;
	c->held = c->due = false;
	outbox_again(&c->out);
	for (size_t i = 0; i < c->joins.count && client_connected(c); i++) {
		joins_release(&c->joins, i, line);
		client_say(c, line);
	}
}
