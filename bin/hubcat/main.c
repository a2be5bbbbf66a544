/* hubcat: joins standard input and output to a session. This file owns the whole, and decides
 * when it ends. Its parts return what they have to say, or tell it through a table they are handed:
 *
 *	input.h		reads lines, and gives messages to the client; convert.h makes them
 *	show.h		chooses what is written of what comes
 *	output.h	writes it; color.h
 *	console.h	speaks to the person
 *	arguments.h, readiness.h
 *
 * Nothing here blocks: where one side is slow, the other is no longer read. The end, in order: what
 * was read is handed over, the session left, what was received written. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "base/err.h"
#include "client/client.h"
#include "console.h"
#include "input.h"
#include "output.h"
#include "show.h"

#define QUEUE_LIMIT (4 << 20) /* bytes sent and not acknowledged */
#define GRACE_MS 2000	      /* to hand over what was read, once told to stop */

struct hubcat {
	struct arguments o;
	uv_loop_t loop;
	struct url url;
	char where[URL_TEXT_MAX];
	struct client *client;
	struct console console;
	struct input in;
	struct output out;
	struct show show;

	uv_signal_t signals[3];
	uv_timer_t patience; /* -w */
	uv_timer_t linger;   /* -q */
	uv_timer_t grace;    /* for what is on its way when told to stop */

	enum {
		RUNNING,
		HANDING_OVER, /* what was read, until it is acknowledged or the grace is over */
		LEAVING,      /* the session */
		FLUSHING,     /* what was received; the connection has ended */
		DONE,
	} phase;
	bool joined, joined_once;
	bool lost;	/* messages may be twice in the log, or were in one that is gone */
	uint64_t acked; /* messages, when the hub's log was new */
	uint64_t progress_ms, confirmed; /* for -w */
	int status;
};

/* --- the end */

static void close_timer(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, NULL);
}

static void hubcat_done(struct hubcat *h)
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
	for (size_t i = 0; i < sizeof(h->signals) / sizeof(h->signals[0]); i++)
		uv_close((uv_handle_t *)&h->signals[i], NULL);
	close_timer(&h->patience);
	close_timer(&h->linger);
	close_timer(&h->grace);
}

static void hubcat_leave(struct hubcat *h)
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

/* The end begins, with status, or what bad lines and errors make of 0. The first call counts. */
static void hubcat_finish(struct hubcat *h, int status)
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

/* The connection has ended for good: wanted or not. */
static void hubcat_closed(struct hubcat *h, const struct client_status *s)
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

/* --- waiting */

/* Something went forward: -w starts anew. */
static void hubcat_progress(struct hubcat *h)
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

/* --- events of the client */

static void hubcat_shown(struct hubcat *h, enum show_result shown)
{
	if (shown != SHOW_NOTHING)
		hubcat_progress(h);
	if (shown == SHOW_ENOUGH)
		hubcat_finish(h, EX_OK);
}

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	h->joined = s->state == CLIENT_JOINED;
	console_state(&h->console, s);
	h->lost |= s->again > 0;
	if (h->joined) {
		h->joined_once = true;
		hubcat_progress(h);
	}
	if (s->state == CLIENT_CLOSED && h->phase < FLUSHING)
		hubcat_closed(h, s);
	else if (h->phase == HANDING_OVER && s->state == CLIENT_WAITING)
		uv_timer_start(&h->grace, on_grace, 0, 0);
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
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	hubcat_shown(h, show_message(&h->show, m));
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

/* All that was read is handled: -q begins. */
static void on_drained(struct client *c, void *arg)
{
	struct hubcat *h = arg;
	double linger = h->o.linger;

	(void)c;
	if (h->phase == HANDING_OVER) {
		hubcat_leave(h);
		return;
	}
	if (linger == ARGUMENTS_LINGER_UNSET)
		linger = h->o.count ? -1 : 0;
	if (h->o.publish || linger == 0)
		hubcat_finish(h, EX_OK);
	else if (linger > 0)
		uv_timer_start(&h->linger, on_linger, (uint64_t)(linger * 1000), 0);
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

static void on_signal(uv_signal_t *handle, int number)
{
	struct hubcat *h = handle->data;

	(void)number;
	console_clear(&h->console);
	/* The second one: at once. */
	if (h->phase != RUNNING)
		_exit(EX_NO);
	hubcat_finish(h, EX_OK);
}

/* --- the beginning */

static struct filter *compile(const char *option, const char *text)
{
	char why[700];
	struct filter *f = text ? filter_new(text, why, sizeof(why)) : NULL;

	if (text && !f)
		err_die(EX_USAGE, "%s: %s", option, why);
	return f;
}

/* A descriptor of ours must not take the place of a standard one that is closed. */
static void open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void start_timers(struct hubcat *h)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	uv_timer_t *timers[] = {&h->patience, &h->linger, &h->grace};

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		uv_timer_init(&h->loop, timers[i]);
		timers[i]->data = h;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uv_signal_init(&h->loop, &h->signals[i]);
		h->signals[i].data = h;
		uv_signal_start(&h->signals[i], on_signal, numbers[i]);
	}
	hubcat_progress(h);
	if (h->o.wait >= 0)
		uv_timer_start(&h->patience, on_patience, (uint64_t)(h->o.wait * 1000), 0);
}

static struct client *start_client(struct hubcat *h)
{
	static const struct client_events events = {
	    .state = on_state,
	    .joined = on_joined,
	    .message = on_message,
	    .batch = on_batch,
	    .writable = on_writable,
	    .drained = on_drained,
	};
	struct client_options options = {
	    .url = &h->url,
	    .no_reconnect = !h->o.reconnect,
	    .queue = QUEUE_LIMIT,
	    .acks = h->o.acks,
	};
	struct client_place place = arguments_place(&h->o);
	struct client *c = client_new(&h->loop, &options, &events, h);

	if (!c || client_join(c, h->o.session, &place) < 0)
		err_die(EX_OSERR, "out of memory");
	return c;
}

/* Ties the parts together. */
static void hubcat_wire(struct hubcat *h)
{
	static const struct input_events input_events = {
	    .ended = on_input_ended,
	    .failed = on_input_failed,
	};
	static const struct output_events output_events = {
	    .full = on_output_full,
	    .failed = on_output_failed,
	    .done = on_output_done,
	};

	h->console.args = &h->o;
	h->console.where = h->where;
	h->console.received = &h->show.shown;
	h->console.lines = &h->in.number;
	h->in.events = &input_events;
	h->in.arg = h;
	h->in.console = &h->console;
	h->in.convert =
	    (struct convert){.raw = h->o.raw, .type = h->o.type, .map = compile("-m", h->o.map)};
	h->out.events = &output_events;
	h->out.arg = h;
	h->out.console = &h->console;
	h->out.color = isatty(STDOUT_FILENO) && !(getenv("NO_COLOR") && *getenv("NO_COLOR"));
	h->show.args = &h->o;
	h->show.out = &h->out;
	h->show.console = &h->console;
}

static void hubcat_start(struct hubcat *h)
{
	int r = uv_loop_init(&h->loop);

	if (r < 0)
		err_die(EX_OSERR, "event loop: %s", uv_strerror(r));
	signal(SIGPIPE, SIG_IGN);
	start_timers(h);
	console_start(&h->console, &h->loop);
	h->client = h->in.client = start_client(h);
	/* With -p nothing will be written but acks, and nobody need read. */
	r = h->o.publish && !h->o.acks ? 0 : output_start(&h->out, &h->loop);
	if (r < 0)
		err_die(EX_IOERR, "standard output: %s", strerror(-r));
	r = h->o.listen || h->o.state ? 0 : input_start(&h->in, &h->loop);
	if (r < 0)
		err_die(EX_IOERR, "standard input: %s", strerror(-r));
	client_start(h->client);
}

int main(int argc, char **argv)
{
	struct hubcat h = {0};
	char why[300];

	arguments_parse(&h.o, argc, argv);
	open_standard();
	if (url_choose(&h.url, h.o.url, why, sizeof(why)) < 0)
		err_die(EX_USAGE, "%s%s%s", h.o.url ? h.o.url : "", h.o.url ? ": " : "", why);
	url_format(&h.url, h.where, sizeof(h.where));
	h.show.filter = compile("-f", h.o.filter);
	hubcat_wire(&h);
	hubcat_start(&h);
	uv_run(&h.loop, UV_RUN_DEFAULT);
	uv_loop_close(&h.loop);
	if (!h.status && h.in.bad)
		h.status = EX_DATAERR;
	if (!h.status && (h.lost || h.show.errors))
		h.status = EX_NO;
	return h.status;
}
