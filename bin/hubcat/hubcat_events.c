/* What the client and the parts tell, and what follows from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ready.h"
#include "hubcat.h"

/* --- events of the client */

static void hubcat_shown(struct hubcat *h, enum show_result shown)
{
	if (shown != SHOW_NOTHING)
		hubcat_progress(h);
	if (shown == SHOW_ENOUGH)
		hubcat_finish(h, h->show.status);
}

/* The first time it is joined. */
static void hubcat_ready(struct hubcat *h, const struct client_status *s)
{
	char line[400];
	int n = snprintf(
	    line, sizeof(line),
	    "{\"type\":\"ready\",\"session_id\":\"%s\",\"client_id\":\"%s\",\"seq\":%llu}\n",
	    h->o.session, s->client_id, (unsigned long long)s->seq);
	int r = ready_tell((int)h->o.ready_fd, h->o.ready_file, line, (size_t)n);

	if (r < 0)
		console_say(&h->console, "telling that it is ready: %s", strerror(-r));
}

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	h->joined = s->state == CLIENT_JOINED;
	console_state(&h->console, s);
	h->lost |= s->again > 0;
	if (h->joined) {
		if (!h->joined_once)
			hubcat_ready(h, s);
		h->joined_once = true;
		hubcat_progress(h);
	}
	if (s->state == CLIENT_CLOSED && h->phase < FLUSHING)
		hubcat_closed(h, s);
	else if (h->phase == HANDING_OVER && s->state == CLIENT_WAITING)
		hubcat_hurry(h);
}

static void on_joined(struct client *c, const struct client_joined *j, void *arg)
{
	struct hubcat *h = arg;
	uint64_t acked = client_acked(c) - h->acked;

	console_place(&h->console, j);
	if (j->new_log && acked) {
		console_say(&h->console, "acknowledged, but lost with the hub's earlier log: %llu",
			    (unsigned long long)acked);
		h->acked += acked;
		h->lost = true;
	}
	if (h->phase == RUNNING)
		hubcat_shown(h, show_joined(&h->show, j));
	head_joined(&h->head, j);
	hubcat_caught_up(h);
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	/* With -e what is said meanwhile is not part of it. */
	if (!head_message(&h->head, m) && h->o.end)
		return;
	hubcat_shown(h, show_message(&h->show, m));
	hubcat_caught_up(h);
}

static void on_batch(struct client *c, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	/* A state is printed whole. */
	if (!h->o.state || h->phase != RUNNING)
		output_flush(&h->out);
}

static void on_writable(struct client *c, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	input_writable(&h->in);
}

static void on_refused(struct client *c, const struct client_refusal *r, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	input_refused(&h->in, r);
}

/* All that was read is handled. */
static void on_drained(struct client *c, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	if (h->phase == HANDING_OVER) {
		hubcat_leave(h);
		return;
	}
	h->said_all = true;
	if (h->o.publish || !h->o.since)
		hubcat_linger(h);
	else
		hubcat_caught_up(h);
}

/* --- events of the parts */

static void on_input_ended(void *arg)
{
	struct hubcat *h = arg;

	if (h->phase == RUNNING)
		client_drain(h->client);
}

static void on_input_failed(void *arg, int error)
{
	struct hubcat *h = arg;

	console_say(&h->console, "standard input: %s", strerror(error));
	hubcat_finish(h, EX_IOERR);
}

static void on_output_full(void *arg, bool full)
{
	struct hubcat *h = arg;

	if (full)
		client_pause(h->client);
	else
		client_resume(h->client);
}

static void on_output_failed(void *arg, int error)
{
	struct hubcat *h = arg;

	/* As cat does when its reader has seen enough. */
	if (error == EPIPE || error == ECONNRESET) {
		hubcat_finish(h, EX_OK);
		return;
	}
	console_say(&h->console, "standard output: %s", strerror(error));
	hubcat_finish(h, EX_IOERR);
}

static void on_output_done(void *arg)
{
	struct hubcat *h = arg;

	if (h->phase == FLUSHING)
		hubcat_done(h);
}

void hubcat_signalled(uv_async_t *async)
{
	struct hubcat *h = async->data;

	console_clear(&h->console);
	/* It is about to end. */
	if (h->phase != RUNNING)
		_exit(EX_NO);
	hubcat_finish(h, EX_OK);
}

/* --- the tables */

const struct client_events hubcat_client_events = {
    .state = on_state,
    .joined = on_joined,
    .message = on_message,
    .refused = on_refused,
    .batch = on_batch,
    .writable = on_writable,
    .drained = on_drained,
};

const struct input_events hubcat_input_events = {
    .ended = on_input_ended,
    .failed = on_input_failed,
};

const struct output_events hubcat_output_events = {
    .full = on_output_full,
    .failed = on_output_failed,
    .done = on_output_done,
};
