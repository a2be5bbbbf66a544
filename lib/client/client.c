/* The client's state machine. Every change of state goes through client_enter(); a lost connection
 * through client_on_lost(), whoever finds it lost. */
#include "client/client.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_impl.h"

#define FINISH_MS 1000 /* for its answer to our close */
#define LEAVE_MS 3000  /* for the hub's answer to our leaving */

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

void client_enter(struct client *c, enum client_state state)
{
	c->status.state = state;
	c->status.reason = c->reason;
	if (c->events.state && !c->freed)
		c->events.state(c, &c->status, c->arg);
}

void client_because(struct client *c, const char *reason)
{
	snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

bool client_connected(const struct client *c)
{
	return c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED ||
	       c->status.state == CLIENT_LEAVING;
}

/* --- timers */

static void on_timer(uv_timer_t *timer);

static void client_connect(struct client *c)
{
	uv_update_time(c->loop);
	uv_timer_start(&c->timer, on_timer, c->options.connect_ms, 0);
	client_alive(c);
	client_enter(c, CLIENT_CONNECTING);
	if (c->status.state == CLIENT_CONNECTING && !c->freed)
		c->transport->open(c);
}

static void client_close(struct client *c, enum client_end end)
{
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->pinger);
	uv_prepare_stop(&c->prepare);
	c->status.end = end;
	client_enter(c, CLIENT_CLOSED);
}

static void on_timer(uv_timer_t *timer)
{
	struct client *c = timer->data;

	switch (c->status.state) {
	case CLIENT_WAITING:
		client_connect(c);
		break;
	case CLIENT_CONNECTING:
		c->transport->drop(c);
		client_on_lost(c, LOSS_RETRY, 0, "no connection in time");
		break;
	case CLIENT_OPEN:
		c->transport->drop(c);
		client_on_lost(c, LOSS_RETRY, 0, "the hub does not answer");
		break;
	case CLIENT_LEAVING:
		c->transport->drop(c);
		client_close(c, CLIENT_LEFT);
		break;
	default:
		break;
	}
}

/* --- what transports tell */

void client_on_open(struct client *c)
{
	client_ping_start(c);
	client_enter(c, CLIENT_OPEN);
	for (size_t i = 0; i < c->nsessions && c->status.state == CLIENT_OPEN; i++)
		client_ask_join(c, &c->sessions[i]);
	if (!c->nsessions && c->status.state == CLIENT_OPEN)
		client_all_joined(c);
}

void client_say_goodbye(struct client *c)
{
	uv_timer_start(&c->timer, on_timer, FINISH_MS, 0);
	c->transport->finish(c);
}

void client_on_writable(struct client *c)
{
	client_flush(c);
}

enum client_loss client_loss_of(int close_code)
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
	for (size_t i = 0; i < c->nsessions; i++)
		c->sessions[i].state = SESSION_NEW;
	c->again = sendq_rewind(&c->queue);
	c->control.len = c->control_sent = 0;
	c->mid = MID_NONE;
	c->status.client_id[0] = '\0';
}

static void client_wait(struct client *c)
{
	c->status.clean_start = !backoff_next(&c->backoff, &c->status.delay_ms);
	if (c->status.clean_start) {
		client_forget_resume(c);
		backoff_reset(&c->backoff);
		backoff_next(&c->backoff, &c->status.delay_ms);
	}
	c->status.attempt = c->backoff.attempt;
	c->status.attempts = c->backoff.limit;
	uv_timer_start(&c->timer, on_timer, c->status.delay_ms, 0);
	client_enter(c, CLIENT_WAITING);
}

void client_on_lost(struct client *c, enum client_loss loss, int close_code, const char *reason)
{
	bool leaving = c->status.state == CLIENT_LEAVING;

	if (c->farewell.code && !close_code) {
		close_code = c->farewell.code;
		loss = client_loss_of(close_code);
		reason = c->farewell.reason;
	}
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

/* --- once per turn of the loop */

/* Before the loop waits: all that was sent in this turn leaves together. */
static void on_prepare(uv_prepare_t *prepare)
{
	struct client *c = prepare->data;

	if (client_connected(c))
		client_flush(c);
	if (c->want_drained && sendq_empty(&c->queue) && c->status.state == CLIENT_JOINED &&
	    !c->freed) {
		c->want_drained = false;
		if (c->events.drained)
			c->events.drained(c, c->arg);
	}
}

static void on_check(uv_check_t *check)
{
	struct client *c = check->data;

	if (c->received && !c->freed) {
		c->received = false;
		if (c->events.batch)
			c->events.batch(c, c->arg);
	}
	if (c->want_writable && c->queue.len <= c->queue.limit / 2 && !c->freed) {
		c->want_writable = false;
		if (c->events.writable)
			c->events.writable(c, c->arg);
	}
}

/* --- what callers ask */

void client_start(struct client *c)
{
	uv_prepare_start(&c->prepare, on_prepare);
	uv_check_start(&c->check, on_check);
	uv_unref((uv_handle_t *)&c->check);
	/* From the loop, so that no event comes from inside this call. */
	c->status.state = CLIENT_WAITING;
	uv_timer_start(&c->timer, on_timer, 0, 0);
}

void client_drain(struct client *c)
{
	c->want_drained = true;
}

size_t client_unconfirmed(const struct client *c)
{
	return sendq_count(&c->queue);
}

uint64_t client_confirmed(const struct client *c)
{
	return c->queue.answered;
}

uint64_t client_acked(const struct client *c)
{
	return c->acked;
}

void client_pause(struct client *c)
{
	if (c->paused)
		return;
	c->paused = true;
	c->transport->flow(c);
}

void client_resume(struct client *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	client_alive(c);
	c->transport->flow(c);
}

void client_stop(struct client *c)
{
	bool joined = c->status.state == CLIENT_JOINED;
	char line[256];

	if (c->status.state == CLIENT_LEAVING || c->status.state == CLIENT_CLOSED)
		return;
	client_because(c, "left");
	if (!joined) {
		c->transport->drop(c);
		client_close(c, CLIENT_LEFT);
		return;
	}
	client_resume(c); /* to hear the answers */
	uv_timer_start(&c->timer, on_timer, LEAVE_MS, 0);
	for (size_t i = 0; i < c->nsessions; i++) {
		snprintf(line, sizeof(line), "{\"type\":\"session_leave\",\"session_id\":\"%s\"}\n",
			 c->sessions[i].id);
		client_control(c, line);
		if (!client_connected(c))
			return;
	}
	client_enter(c, CLIENT_LEAVING);
	if (!c->nsessions && c->status.state == CLIENT_LEAVING && !c->freed)
		client_say_goodbye(c);
}

/* --- beginning and end */

static void client_destroy(struct client *c)
{
	for (size_t i = 0; i < c->nsessions; i++)
		free(c->sessions[i].id);
	free(c->sessions);
	sendq_free(&c->queue);
	buf_free(&c->control);
	json_paths_free(c->paths);
	json_paths_free(c->lines);
	free(c);
}

static void on_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;

	if (--c->handles == 0)
		client_destroy(c);
}

static void on_ending(uv_idle_t *idle)
{
	struct client *c = idle->data;
	uv_handle_t *handles[] = {(uv_handle_t *)&c->timer, (uv_handle_t *)&c->pinger,
				  (uv_handle_t *)&c->prepare, (uv_handle_t *)&c->check,
				  (uv_handle_t *)&c->ending};

	if (!c->transport->end(c))
		return;
	c->handles = sizeof(handles) / sizeof(handles[0]);
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
		uv_close(handles[i], on_closed);
}

void client_free(struct client *c)
{
	if (!c || c->freed)
		return;
	c->freed = true;
	c->transport->drop(c);
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->pinger);
	uv_prepare_stop(&c->prepare);
	uv_check_stop(&c->check);
	uv_idle_start(&c->ending, on_ending);
}

static void client_defaults(struct client *c)
{
	struct client_options *o = &c->options;

	if (!o->base_ms)
		o->base_ms = 1000;
	if (!o->cap_ms)
		o->cap_ms = 30000;
	if (!o->attempts)
		o->attempts = 99;
	if (!o->connect_ms)
		o->connect_ms = 10000;
	if (!o->ping_ms && c->url.scheme != URL_UNIX)
		o->ping_ms = 25000;
	if (!o->pong_ms)
		o->pong_ms = 10000;
	if (!o->queue)
		o->queue = 1 << 20;
}

struct client *client_new(struct uv_loop_s *loop, const struct client_options *options,
			  const struct client_events *events, void *arg)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->paths = client_message_paths();
	c->lines = client_line_paths();
	if (!c->paths || !c->lines || sodium_init() < 0)
		goto fail;
	c->loop = loop;
	c->options = *options;
	c->url = *options->url;
	c->options.url = &c->url;
	c->events = *events;
	c->arg = arg;
	c->transport = c->url.scheme == URL_UNIX ? &client_unix : &client_ws;
	client_defaults(c);
	c->backoff = (struct backoff){.base_ms = c->options.base_ms,
				      .cap_ms = c->options.cap_ms,
				      .limit = c->options.attempts};
	/* So that what other clients send is not taken for ours. */
	for (size_t i = 0; i < SENDQ_TAG_LEN; i++)
		c->queue.tag[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[randombytes_uniform(36)];
	c->queue.limit = c->options.queue;
	c->status.reason = c->reason;
	uv_timer_init(loop, &c->timer);
	uv_timer_init(loop, &c->pinger);
	uv_prepare_init(loop, &c->prepare);
	uv_check_init(loop, &c->check);
	uv_idle_init(loop, &c->ending);
	c->timer.data = c->pinger.data = c->prepare.data = c->check.data = c->ending.data = c;
	return c;
fail:
	json_paths_free(c->paths);
	json_paths_free(c->lines);
	free(c);
	errno = ENOMEM;
	return NULL;
}
