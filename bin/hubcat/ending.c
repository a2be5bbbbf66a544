/* Invariant: a phase follows the one before it, and the status is that of the first cause. */
#include "base/err.h"
#include "base/watchdog.h"
#include "hubcat.h"

#define GRACE_MS 2000 /* to hand over what was read, once told to stop */

static void close_timer(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, NULL);
}

void hubcat_done(struct hubcat *h)
{
	if (h->phase == DONE)
		return;
	h->phase = DONE;
	console_close(&h->console);
	client_free(h->client);
	input_stop(&h->in);
	input_free(&h->in);
	output_free(&h->out);
	filter_free(h->show.filter);
	watchdog_close();
	uv_close((uv_handle_t *)&h->signalled, NULL);
	close_timer(&h->patience);
	close_timer(&h->linger);
	close_timer(&h->grace);
}

void hubcat_leave(struct hubcat *h)
{
	if (h->phase >= LEAVING)
		return;
	h->phase = LEAVING;
	client_stop(h->client);
}

static void on_grace(uv_timer_t *timer)
{
	hubcat_leave(timer->data);
}

void hubcat_finish(struct hubcat *h, int status)
{
	if (!h->status)
		h->status = status;
	if (h->phase != RUNNING)
		return;
	h->phase = HANDING_OVER;
	input_stop(&h->in);
	client_drain(h->client);
	if (!h->joined || !client_unconfirmed(h->client))
		uv_timer_start(&h->grace, on_grace, 0, 0);
	else
		uv_timer_start(&h->grace, on_grace, GRACE_MS, 0);
}

void hubcat_closed(struct hubcat *h, const struct client_status *s)
{
	static const int statuses[] = {
	    [CLIENT_LEFT] = EX_OK,	   [CLIENT_UNREACHABLE] = EX_UNAVAILABLE,
	    [CLIENT_REFUSED] = EX_NOPERM,  [CLIENT_REJECTED] = EX_UNAVAILABLE,
	    [CLIENT_FAILED] = EX_SOFTWARE,
	};
	uint64_t lost = client_unconfirmed(h->client) + input_unsent(&h->in);

	if (!h->status)
		h->status =
		    s->close_code == 1009 || s->close_code == 1007 ? EX_DATAERR : statuses[s->end];
	input_stop(&h->in);
	h->phase = FLUSHING;
	if (lost && !output_broken(&h->out)) {
		console_say(&h->console, "messages not known to have reached the hub: %llu",
			    (unsigned long long)lost);
		if (!h->status)
			h->status = EX_NO;
	}
	output_flush(&h->out);
	if (output_empty(&h->out))
		hubcat_done(h);
}

static void on_linger(uv_timer_t *timer)
{
	hubcat_finish(timer->data, EX_OK);
}

void hubcat_linger(struct hubcat *h)
{
	double linger = h->o.linger;

	if (linger == ARGUMENTS_LINGER_UNSET)
		linger = h->o.count || h->o.end ? -1 : 0;
	if (h->o.publish || linger == 0)
		hubcat_finish(h, EX_OK);
	else if (linger > 0)
		uv_timer_start(&h->linger, on_linger, (uint64_t)(linger * 1000), 0);
}

void hubcat_caught_up(struct hubcat *h)
{
	if (h->phase != RUNNING || !head_reached(&h->head))
		return;
	if (h->o.end)
		hubcat_finish(h, EX_OK);
	else if (h->said_all && !uv_is_active((uv_handle_t *)&h->linger))
		hubcat_linger(h);
}

/* --- waiting */

void hubcat_progress(struct hubcat *h)
{
	h->progress_ms = uv_now(&h->loop);
}

static void on_patience(uv_timer_t *timer)
{
	struct hubcat *h = timer->data;
	uint64_t limit = (uint64_t)(h->o.wait * 1000), confirmed = client_confirmed(h->client),
		 waited;
	bool idle = h->o.publish && h->joined && !client_unconfirmed(h->client);

	if (confirmed != h->confirmed || idle)
		hubcat_progress(h);
	h->confirmed = confirmed;
	waited = uv_now(&h->loop) - h->progress_ms;
	if (waited < limit) {
		uv_timer_start(timer, on_patience, limit - waited, 0);
		return;
	}
	console_say(&h->console, "gave up: nothing for %g s", h->o.wait);
	hubcat_finish(h, h->joined_once ? EX_NO : EX_UNAVAILABLE);
}

void hubcat_wait(struct hubcat *h)
{
	hubcat_progress(h);
	if (h->o.wait >= 0)
		uv_timer_start(&h->patience, on_patience, (uint64_t)(h->o.wait * 1000), 0);
}

void hubcat_hurry(struct hubcat *h)
{
	uv_timer_start(&h->grace, on_grace, 0, 0);
}
