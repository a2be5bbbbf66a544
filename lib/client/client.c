/* What programs call. Invariant: nothing here changes the state but by client_state.c, and no event
 * comes from inside a call but client_stop(). */
#include "client/client.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/client_impl.h"

#define RESEND_BASE_MS 200 /* the first delay before what was refused for now is sent again */
#define RESEND_CAP_MS 5000
#define LEAVE_MS 3000 /* for the hub's answer to our leaving */

/* --- once per turn of the loop */

/* Before the loop waits: all that was sent in this turn leaves together. */
void client_settle(struct client *c)
{
	if (c->freed)
		return;
	client_flush(c);
	if (c->want_drained && sendq_empty(&c->out.queue) && c->status.state == CLIENT_JOINED &&
	    !c->freed) {
		c->want_drained = false;
		if (c->events.drained)
			c->events.drained(c, c->arg);
	}
}

static void on_prepare(uv_prepare_t *prepare)
{
	client_settle(prepare->data);
}

static void on_check(uv_check_t *check)
{
	struct client *c = check->data;

	if (c->received && !c->freed) {
		c->received = false;
		if (c->events.batch)
			c->events.batch(c, c->arg);
	}
	if (c->want_writable && c->out.queue.len <= c->out.queue.limit / 2 && !c->freed) {
		c->want_writable = false;
		if (c->events.writable)
			c->events.writable(c, c->arg);
	}
}

/* --- what callers ask */

void client_start(struct client *c)
{
	c->trouble_ms = uv_now(c->loop);
	uv_prepare_start(&c->prepare, on_prepare);
	uv_check_start(&c->check, on_check);
	uv_unref((uv_handle_t *)&c->check);
	/* From the loop, so that no event comes from inside this call. */
	c->status.state = CLIENT_WAITING;
	client_timer(c, 0);
}

int client_join(struct client *c, const char *session, const struct client_place *place)
{
	int r = joins_add(&c->joins, session, place);

	if (r == 0 && (c->status.state == CLIENT_OPEN || c->status.state == CLIENT_JOINED))
		client_ask_join(c, c->joins.count - 1);
	return r;
}

int client_send(struct client *c, const char *text, size_t len)
{
	return client_send_as(c, text, len, 0);
}

int client_send_as(struct client *c, const char *text, size_t len, uint64_t tag)
{
	int r;

	if (c->status.state == CLIENT_LEAVING || c->status.state == CLIENT_CLOSED)
		return -EPIPE;
	r = outbox_put(&c->out, text, len, tag, &c->joins.by_caller);
	if (r == -EAGAIN)
		c->want_writable = true;
	return r;
}

void client_drain(struct client *c)
{
	c->want_drained = true;
}

uint64_t client_oldest(const struct client *c)
{
	return sendq_oldest(&c->out.queue);
}

size_t client_largest(const struct client *c)
{
	return c->out.queue.largest;
}

size_t client_unconfirmed(const struct client *c)
{
	return sendq_count(&c->out.queue);
}

uint64_t client_confirmed(const struct client *c)
{
	return c->out.queue.answered;
}

uint64_t client_acked(const struct client *c)
{
	return c->acked;
}

void client_pause(struct client *c)
{
	if (c->transport.paused)
		return;
	c->transport.paused = true;
	c->transport.kind->flow(&c->transport);
}

void client_resume(struct client *c)
{
	if (!c->transport.paused)
		return;
	c->transport.paused = false;
	client_alive(c);
	c->transport.kind->flow(&c->transport);
}

void client_stop(struct client *c)
{
	bool joined = c->status.state == CLIENT_JOINED;
	char line[JOINS_LINE_MAX];

	if (c->status.state == CLIENT_LEAVING || c->status.state == CLIENT_CLOSED)
		return;
	client_because(c, "left");
	if (!joined) {
		c->transport.kind->drop(&c->transport);
		client_close(c, CLIENT_LEFT);
		return;
	}
	client_resume(c); /* to hear the answers */
	client_timer(c, LEAVE_MS);
	for (size_t i = 0; i < c->joins.count; i++) {
		joins_leave(&c->joins, i, line);
		client_say(c, line);
		if (!client_connected(c))
			return;
	}
	client_enter(c, CLIENT_LEAVING);
	if (!c->joins.count && c->status.state == CLIENT_LEAVING && !c->freed)
		client_say_goodbye(c);
}

/* --- beginning and end */

static void client_destroy(struct client *c)
{
	joins_free(&c->joins);
	outbox_free(&c->out);
	json_paths_free(c->paths);
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

	if (!c->transport.kind->end(&c->transport))
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
	c->transport.kind->drop(&c->transport);
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

/* So that what other clients send is not taken for ours. */
static void random_tag(char tag[SENDQ_TAG_LEN + 1])
{
	for (size_t i = 0; i < SENDQ_TAG_LEN; i++)
		tag[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[randombytes_uniform(36)];
	tag[SENDQ_TAG_LEN] = '\0';
}

static void init_handles(struct client *c)
{
	uv_timer_init(c->loop, &c->timer);
	uv_timer_init(c->loop, &c->pinger);
	uv_prepare_init(c->loop, &c->prepare);
	uv_check_init(c->loop, &c->check);
	uv_idle_init(c->loop, &c->ending);
	c->timer.data = c->pinger.data = c->prepare.data = c->check.data = c->ending.data = c;
}

struct client *client_new_over(const struct transport_kind *kind, struct uv_loop_s *loop,
			       const struct client_options *options,
			       const struct client_events *events, void *arg)
{
	struct client *c = calloc(1, sizeof(*c));
	char tag[SENDQ_TAG_LEN + 1];

	if (!c)
		return NULL;
	c->loop = loop;
	c->options = *options;
	c->url = *options->url;
	c->options.url = &c->url;
	c->events = *events;
	c->arg = arg;
	client_defaults(c);
	c->paths = client_message_paths();
	if (!c->paths || sodium_init() < 0)
		goto fail;
	random_tag(tag);
	if (outbox_init(&c->out, c->options.queue, tag) < 0)
		goto fail;
	c->transport = (struct transport){.kind = kind,
					  .events = &client_hub_events,
					  .arg = c,
					  .loop = loop,
					  .url = &c->url,
					  .options = c->options.transport,
					  .connect_ms = c->options.connect_ms};
	c->backoff = (struct backoff){.base_ms = c->options.base_ms,
				      .cap_ms = c->options.cap_ms,
				      .limit = c->options.attempts};
	c->joins.ordered = c->options.resend;
	c->joins.keys = c->options.keys;
	c->refusals = (struct backoff){.base_ms = RESEND_BASE_MS, .cap_ms = RESEND_CAP_MS};
	c->keepalive.quiet_ms = c->options.ping_ms > 0 ? (uint64_t)c->options.ping_ms : 0;
	c->keepalive.answer_ms = c->options.pong_ms;
	c->status.reason = c->reason;
	init_handles(c);
	return c;
fail:
	json_paths_free(c->paths);
	free(c);
	errno = ENOMEM;
	return NULL;
}

struct client *client_new(struct uv_loop_s *loop, const struct client_options *options,
			  const struct client_events *events, void *arg)
{
	const struct transport_kind *kind =
	    options->url->scheme == URL_UNIX ? &transport_unix : &transport_ws;

	return client_new_over(kind, loop, options, events, arg);
}
