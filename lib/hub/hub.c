/* A client (client/client.h) with a loop of its own, and its events in the words of hub.h.
 * Invariants: no event comes but from inside a turn; what is published between turns, and what
 * stops or frees it, is done in the next one, which is due at once. */
#include "hub/hub.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "client/client.h"
#include "hub/hub_impl.h"
#include "json/json.h"

#define SINCE_MAX ((uint64_t)1 << 53)

_Static_assert(HUB_SESSIONS_MAX == CLIENT_SESSIONS_MAX, "as many as the client can");
_Static_assert((int)HUB_STATE_IDLE == (int)CLIENT_IDLE &&
		   (int)HUB_STATE_WAITING == (int)CLIENT_WAITING &&
		   (int)HUB_STATE_CLOSED == (int)CLIENT_CLOSED,
	       "the client's states");
_Static_assert((int)HUB_END_LEFT == 1 + (int)CLIENT_LEFT &&
		   (int)HUB_END_REJECTED == 1 + (int)CLIENT_REJECTED &&
		   (int)HUB_END_FAILED == 1 + (int)CLIENT_FAILED,
	       "the client's ends, behind that of none");
_Static_assert((int)HUB_KIND_HUB == (int)CLIENT_HUB, "the client's kinds");
_Static_assert((int)HUB_FROM_SINCE == (int)CLIENT_SINCE, "the client's places");

struct hub {
	struct hub_settings settings;
	struct hub_events events;
	void *arg;
	uv_loop_t loop;
	uv_async_t wake;
	struct client *client;
	char *sessions[HUB_SESSIONS_MAX]; /* in the order of joining */
	int count;
	enum hub_state state;
	enum hub_end end;
	bool started;
	bool stopping; /* hub_stop() was called */
	bool stopped;  /* and done */
	bool due;      /* something is to do without waiting */
	bool inside;   /* a turn */
	bool dropped;  /* freed from inside a turn, at whose end it is done */
};

/* --- the client's events */

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	struct hub *h = arg;
	struct hub_status out = {.state = (enum hub_state)s->state,
				 .end = s->state == CLIENT_CLOSED ? (enum hub_end)(s->end + 1)
								  : HUB_END_NONE,
				 .reason = s->reason,
				 .code = s->code,
				 .close_code = s->close_code,
				 .attempt = s->attempt,
				 .attempts = s->attempts,
				 .delay_ms = s->delay_ms,
				 .clean_start = s->clean_start,
				 .again = s->again,
				 .client_id = s->client_id};

	(void)c;
	h->state = out.state;
	h->end = out.end;
	if (h->events.state && !h->dropped)
		h->events.state(h, &out, h->arg);
}

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct hub *h = arg;
	struct hub_joined out = {.session = j->session,
				 .epoch = j->epoch,
				 .again = j->again,
				 .asked = j->asked,
				 .recovered = j->recovered,
				 .new_log = j->new_log,
				 .reason = j->reason,
				 .since = j->since,
				 .snapshot = j->snapshot,
				 .seq = j->seq,
				 .user_count = j->user_count,
				 .run = j->run,
				 .rest = j->rest,
				 .left = j->left};

	(void)c;
	if (h->events.joined && !h->dropped)
		h->events.joined(h, &out, h->arg);
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	struct hub *h = arg;
	struct hub_message out = {
	    .kind = (enum hub_kind)m->kind,
	    .text = m->text,
	    .len = m->len,
	    .session = m->join >= 0 && m->join < h->count ? h->sessions[m->join] : NULL,
	    .seq = m->seq,
	    .to_seq = m->to_seq,
	    .state = m->state,
	    .from = m->from,
	    .from_len = m->from_len,
	    .type = m->type,
	    .code = m->code,
	    .about = m->about};

	(void)c;
	if (h->events.message && !h->dropped)
		h->events.message(h, &out, h->arg);
}

static void on_acked(struct client *c, uint64_t tag, uint64_t seq, void *arg)
{
	struct hub *h = arg;

	(void)c;
	if (h->events.acked && !h->dropped)
		h->events.acked(h, tag, seq, h->arg);
}

static void on_refused(struct client *c, const struct client_refusal *r, void *arg)
{
	struct hub *h = arg;
	struct hub_refusal out = {.tag = r->tag,
				  .text = r->text,
				  .len = r->len,
				  .cut = r->ours,
				  .code = r->code,
				  .about = r->about,
				  .passes = r->passes,
				  .delay_ms = r->delay_ms};

	(void)c;
	if (h->events.refused && !h->dropped)
		h->events.refused(h, &out, h->arg);
}

static void on_batch(struct client *c, void *arg)
{
	struct hub *h = arg;

	(void)c;
	if (h->events.batch && !h->dropped)
		h->events.batch(h, h->arg);
}

static void on_writable(struct client *c, void *arg)
{
	struct hub *h = arg;

	(void)c;
	if (h->events.writable && !h->dropped)
		h->events.writable(h, h->arg);
}

static void on_drained(struct client *c, void *arg)
{
	struct hub *h = arg;

	(void)c;
	if (h->events.drained && !h->dropped)
		h->events.drained(h, h->arg);
}

static void on_wake(uv_async_t *wake)
{
	struct hub *h = wake->data;

	if (h->events.woken && !h->dropped)
		h->events.woken(h, h->arg);
}

/* --- beginning and end */

const char *hub_version(void)
{
	return HUB_VERSION;
}

static int hub_client(struct hub *h)
{
	static const struct client_events events = {.state = on_state,
						    .joined = on_joined,
						    .message = on_message,
						    .acked = on_acked,
						    .refused = on_refused,
						    .batch = on_batch,
						    .writable = on_writable,
						    .drained = on_drained};
	const struct hub_options *o = &h->settings.options;
	struct client_options options = {.url = &h->settings.url,
					 .no_reconnect = o->no_reconnect,
					 .base_ms = o->first_ms,
					 .cap_ms = o->longest_ms,
					 .attempts = o->attempts,
					 .connect_ms = o->connect_ms,
					 .ping_ms = o->ping_ms,
					 .pong_ms = o->pong_ms,
					 .queue = o->queue,
					 .transport = &h->settings.transport,
					 .resend = !o->once,
					 .give_up_ms = o->give_up_ms};

	h->client = client_new(&h->loop, &options, &events, h);
	return h->client ? 0 : -ENOMEM;
}

int hub_new(struct hub **out, const struct hub_options *options, const struct hub_events *events,
	    void *arg, char why[HUB_ERROR_MAX])
{
	struct hub *h = calloc(1, sizeof(*h));
	int r;

	*out = NULL;
	snprintf(why, HUB_ERROR_MAX, "out of memory");
	if (!h)
		return -ENOMEM;
	h->arg = arg;
	r = hub_settings_read(&h->settings, options, why);
	if (r < 0)
		goto fail;
	r = events ? hub_take(&h->events, sizeof(h->events), events) : 0;
	if (r < 0) {
		snprintf(why, HUB_ERROR_MAX, "the events are %s",
			 r == -E2BIG ? "those of a newer library" : "not made by HUB_INIT()");
		goto fail;
	}
	r = uv_loop_init(&h->loop);
	if (r == 0) {
		r = uv_async_init(&h->loop, &h->wake, on_wake);
		if (r < 0)
			uv_loop_close(&h->loop);
	}
	if (r < 0) {
		snprintf(why, HUB_ERROR_MAX, "an event loop: %s", strerror(-r));
		goto fail;
	}
	h->wake.data = h;
	r = hub_client(h);
	if (r < 0) {
		snprintf(why, HUB_ERROR_MAX, "out of memory");
		uv_close((uv_handle_t *)&h->wake, NULL);
		uv_run(&h->loop, UV_RUN_DEFAULT);
		uv_loop_close(&h->loop);
		goto fail;
	}
	*out = h;
	return 0;
fail:
	hub_settings_free(&h->settings);
	free(h);
	return r;
}

static void hub_destroy(struct hub *h)
{
	client_free(h->client);
	uv_close((uv_handle_t *)&h->wake, NULL);
	uv_run(&h->loop, UV_RUN_DEFAULT);
	uv_loop_close(&h->loop);
	for (int i = 0; i < h->count; i++)
		free(h->sessions[i]);
	hub_settings_free(&h->settings);
	free(h);
}

void hub_free(struct hub *h)
{
	if (!h)
		return;
	h->dropped = true;
	if (!h->inside)
		hub_destroy(h);
}

/* --- what callers ask */

/* Whether they are the end of an object: they must not end it earlier, nor their line. */
static bool fields_ok(const char *fields)
{
	char text[CLIENT_WANTS_MAX + 16];
	struct json_scan scan;
	int n = snprintf(text, sizeof(text), "{\"a\":0%s}", fields);

	return strlen(fields) <= CLIENT_WANTS_MAX && !strpbrk(fields, "\r\n") &&
	       json_scan(NULL, text, (size_t)n, NULL, &scan) == JSON_OK &&
	       (!*fields || *fields == ',');
}

int hub_join(struct hub *h, const char *session, const struct hub_place *place)
{
	struct client_place at = {.from = CLIENT_NOW};
	struct hub_place p = {.from = HUB_FROM_NOW};
	char *name;
	int r = place ? hub_take(&p, sizeof(p), place) : 0;

	if (r < 0)
		return r;
	if (h->stopping || h->state == HUB_STATE_CLOSED)
		return -EPIPE;
	if (p.since > SINCE_MAX || (unsigned)p.from > HUB_FROM_SINCE ||
	    (p.fields && !fields_ok(p.fields)))
		return -EINVAL;
	for (int i = 0; i < h->count; i++)
		if (strcmp(h->sessions[i], session) == 0)
			return -EEXIST;
	at.from = p.from == HUB_FROM_SINCE   ? CLIENT_SINCE
		  : p.from == HUB_FROM_STATE ? CLIENT_STATE
					     : CLIENT_NOW;
	at.since = p.since;
	at.epoch = p.epoch;
	at.rest = p.rest;
	at.run = p.run;
	at.no_echo = p.no_echo;
	at.wants = p.fields;
	name = strdup(session);
	if (!name)
		return -ENOMEM;
	r = client_join(h->client, session, &at);
	if (r < 0) {
		free(name);
		return r;
	}
	h->sessions[h->count++] = name;
	h->due = true;
	return 0;
}

int hub_start(struct hub *h)
{
	if (h->started)
		return -EALREADY;
	h->started = h->due = true;
	client_start(h->client);
	return 0;
}

int hub_publish(struct hub *h, const char *text, size_t len, uint64_t tag)
{
	if (h->stopping)
		return -EPIPE;
	h->due = true;
	return client_send_as(h->client, text, len, tag);
}

size_t hub_unacked(const struct hub *h)
{
	return client_unconfirmed(h->client);
}

void hub_drain(struct hub *h)
{
	h->due = true;
	client_drain(h->client);
}

void hub_pause(struct hub *h)
{
	client_pause(h->client);
	h->due = true;
}

void hub_resume(struct hub *h)
{
	client_resume(h->client);
	h->due = true;
}

void hub_stop(struct hub *h)
{
	h->stopping = h->due = true;
}

/* --- turns */

int hub_fd(const struct hub *h)
{
	return uv_backend_fd(&h->loop);
}

int hub_timeout(struct hub *h)
{
	if (h->due && !h->inside)
		return 0;
	uv_update_time(&h->loop);
	return uv_backend_timeout(&h->loop);
}

static void turn(struct hub *h)
{
	h->inside = true;
	h->due = false;
	if (h->stopping && !h->stopped) {
		h->stopped = true;
		client_stop(h->client);
	}
	uv_run(&h->loop, UV_RUN_NOWAIT);
	/* What those events sent leaves before anybody waits. */
	client_settle(h->client);
	h->inside = false;
}

/* As hub_turn(). *gone: an event has freed it. */
static int turn_within(struct hub *h, int timeout_ms, bool *gone)
{
	struct pollfd p = {.fd = hub_fd(h), .events = POLLIN};
	int wait;

	if (h->inside)
		return -EBUSY;
	if (h->state == HUB_STATE_CLOSED)
		return 0;
	wait = hub_timeout(h);
	if (timeout_ms >= 0 && (wait < 0 || wait > timeout_ms))
		wait = timeout_ms;
	if (wait && poll(&p, 1, wait) < 0 && errno == EINTR)
		return -EINTR;
	turn(h);
	*gone = h->dropped;
	if (*gone) {
		hub_destroy(h);
		return 0;
	}
	return h->state != HUB_STATE_CLOSED;
}

int hub_turn(struct hub *h, int timeout_ms)
{
	bool gone = false;

	return turn_within(h, timeout_ms, &gone);
}

int hub_run(struct hub *h)
{
	bool gone = false;
	int r;

	if (!h->started)
		return -EINVAL;
	do {
		r = turn_within(h, -1, &gone);
		if (r == -EBUSY)
			return r;
	} while (r);
	return gone ? (int)HUB_END_NONE : (int)h->end;
}

void hub_wake(struct hub *h)
{
	uv_async_send(&h->wake);
}

enum hub_state hub_state(const struct hub *h)
{
	return h->state;
}

const char *hub_state_name(enum hub_state state)
{
	return (unsigned)state <= HUB_STATE_CLOSED ? client_state_name((enum client_state)state)
						   : "unknown";
}

const char *hub_end_name(enum hub_end end)
{
	static const char *const names[] = {
	    [HUB_END_NONE] = "none",
	    [HUB_END_LEFT] = "left",
	    [HUB_END_UNREACHABLE] = "unreachable",
	    [HUB_END_REFUSED] = "refused",
	    [HUB_END_REJECTED] = "rejected",
	    [HUB_END_FAILED] = "failed",
	};

	return (unsigned)end <= HUB_END_FAILED ? names[end] : "unknown";
}
