/* hubcat: joins standard input and output to a session. This file: options, and when it ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/opt.h"
#include "hubcat.h"
#include "json/envelope.h"

#define LINGER_UNSET 1e18
#define GRACE_MS 2000 /* to hand over what was read, once told to stop */

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    {'l', "listen", NULL, OPT_TRUE, FIELD(listen), 0, 0, NULL,
     "only receive; standard input is not read"},
    {'p', "publish", NULL, OPT_TRUE, FIELD(publish), 0, 0, NULL, "only send"},
    {'u', "url", "URL", OPT_STRING, FIELD(url), 0, 0, NULL,
     "the hub: unix:/path, ws://host:port/ws, wss://... ($HUB_URL)"},
    {'s', "since", "SEQ|all|new", OPT_STRING, FIELD(since), 0, 0, NULL,
     "begin behind the record SEQ, with all that is kept, or now (new)"},
    {0, "state", NULL, OPT_TRUE, FIELD(state), 0, 0, NULL, "print the session's state, and exit"},
    {'n', "count", "COUNT", OPT_INT, FIELD(count), 1, 1e15, NULL, "stop after COUNT records"},
    {'w', "wait", "SECONDS", OPT_SECONDS, FIELD(wait), 0.001, 1e8, NULL,
     "give up (exit 1) when nothing comes for SECONDS"},
    {'q', "linger", "SECONDS", OPT_SECONDS, FIELD(linger), -1, 1e8, NULL,
     "receive for SECONDS after the end of input; -1: for ever (0)"},
    {'t', "type", "TYPE", OPT_STRING, FIELD(type), 0, 0, NULL,
     "send each line as {\"type\":TYPE,\"data\":{\"text\":LINE}}"},
    {'f', "filter", "JQ", OPT_STRING, FIELD(filter), 0, 0, NULL,
     "print what a jq program makes of records"},
    {'m', "map", "JQ", OPT_STRING, FIELD(map), 0, 0, NULL,
     "send what a jq program makes of each line"},
    {'a', "acks", NULL, OPT_TRUE, FIELD(acks), 0, 0, NULL,
     "print the hub's acknowledgement of each line"},
    {'R', "raw", NULL, OPT_TRUE, FIELD(raw), 0, 0, NULL, "lines are text: a JSON string for -m"},
    {0, "no-echo", NULL, OPT_FALSE, FIELD(echo), 0, 0, NULL, "not the records that are one's own"},
    {0, "no-reconnect", NULL, OPT_FALSE, FIELD(reconnect), 0, 0, NULL,
     "end (exit 69) when there is no connection"},
    {'v', "verbose", NULL, OPT_TRUE, FIELD(verbose), 0, 0, NULL,
     "tell on stderr of the connection and of members"},
    {0},
};

static const struct opt_program program = {
    "hubcat",
    "[-alp] [-u URL] [-s SEQ|all|new] [-n COUNT] [-w SECONDS] [-q SECONDS] [-t TYPE] [-f JQ] "
    "[-m JQ] [-R] [--no-echo] [--no-reconnect] [--state] [-v] SESSION",
    "Joins standard input and output to a session of a hub: one JSON object a line.",
    options_table};

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
	report_clear(h);
	client_free(h->client);
	input_stop(&h->in);
	input_free(&h->in);
	output_free(&h->out);
	filter_free(h->filter);
	h->filter = NULL;
	for (size_t i = 0; i < sizeof(h->signals) / sizeof(h->signals[0]); i++)
		uv_close((uv_handle_t *)&h->signals[i], NULL);
	close_timer(&h->patience);
	close_timer(&h->linger);
	close_timer(&h->grace);
	close_timer(&h->redraw);
}

void hubcat_output_done(struct hubcat *h)
{
	if (h->phase == FLUSHING)
		hubcat_done(h);
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
	if (lost && !h->out.broken) {
		report(h, "messages not known to have reached the hub: %llu",
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

void hubcat_input_done(struct hubcat *h)
{
	if (h->phase == RUNNING)
		client_drain(h->client);
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
	report(h, "gave up: nothing for %g s", h->o.wait);
	hubcat_finish(h, h->joined_once ? EX_NO : EX_UNAVAILABLE);
}

/* --- events */

static void on_state(struct client *c, const struct client_status *s, void *arg)
{
	struct hubcat *h = arg;

	(void)c;
	h->joined = s->state == CLIENT_JOINED;
	report_state(h, s);
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

	report_place(h, j);
	if (j->new_log && acked) {
		report(h, "acknowledged, but lost with the hub's earlier log: %llu",
		       (unsigned long long)acked);
		h->acked += acked;
		h->hub_errors = true;
	}
	show_joined(h, j);
}

static void on_message(struct client *c, const struct client_message *m, void *arg)
{
	(void)c;
	show_message(arg, m);
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
	if (linger == LINGER_UNSET)
		linger = h->o.count ? -1 : 0;
	if (h->o.publish || linger == 0)
		hubcat_finish(h, EX_OK);
	else if (linger > 0)
		uv_timer_start(&h->linger, on_linger, (uint64_t)(linger * 1000), 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct hubcat *h = handle->data;

	(void)number;
	report_clear(h);
	/* The second one: at once. */
	if (h->phase != RUNNING)
		_exit(EX_NO);
	hubcat_finish(h, EX_OK);
}

/* --- the beginning */

static void check_options(struct options *o, int argc, char **argv, int first)
{
	if (argc - first != 1)
		err_die(EX_USAGE, argc == first ? "which session? (try 'hubcat --help')"
						: "one session only (try 'hubcat --help')");
	o->session = argv[first];
	if (!envelope_session_id_ok(o->session, strlen(o->session)))
		err_die(EX_USAGE, "'%s' is not a session name: 1 to %d of A-Z a-z 0-9 _ . : ~ @ -",
			o->session, ENVELOPE_SESSION_MAX);
	if (o->listen && o->publish)
		err_die(EX_USAGE, "-l and -p exclude each other; without both hubcat does both");
	if (o->listen && (o->type || o->map || o->raw))
		err_die(EX_USAGE, "-t, -m and -R are for sending; -l sends nothing");
	if (o->listen && o->acks)
		err_die(EX_USAGE, "-a is for sending; -l sends nothing");
	if (o->publish && (o->filter || o->count || o->linger != LINGER_UNSET || o->since))
		err_die(EX_USAGE, "-f, -n, -q and -s are for receiving; -p receives nothing");
	if (o->state && (o->publish || o->acks || o->type || o->map || o->raw || o->count ||
			 o->linger != LINGER_UNSET || o->since))
		err_die(EX_USAGE, "--state goes with -f and -w only: it prints the state and ends");
	if (o->type && o->map)
		err_die(EX_USAGE, "-t and -m exclude each other");
	if (o->raw && !o->type && !o->map)
		err_die(EX_USAGE, "-R needs -m or -t: text alone is no message");
	if (o->type && (!*o->type || strlen(o->type) > ENVELOPE_TYPE_MAX))
		err_die(EX_USAGE, "-t: a type has 1 to %d bytes", ENVELOPE_TYPE_MAX);
}

static struct filter *compile(const char *option, const char *text)
{
	char why[700];
	struct filter *f = text ? filter_new(text, why, sizeof(why)) : NULL;

	if (text && !f)
		err_die(EX_USAGE, "%s: %s", option, why);
	return f;
}

/* Where -s has it begin. */
static struct client_place read_place(const struct options *o)
{
	struct client_place place = {.from = o->state ? CLIENT_STATE : CLIENT_NOW,
				     .no_echo = !o->echo || o->publish};
	char *end;

	if (!o->since || strcmp(o->since, "new") == 0)
		return place;
	place.from = CLIENT_SINCE;
	if (strcmp(o->since, "all") == 0)
		return place;
	errno = 0;
	place.since = strtoull(o->since, &end, 10);
	if (*o->since < '0' || *o->since > '9' || *end || errno || place.since > (uint64_t)1 << 53)
		err_die(EX_USAGE, "-s: '%s' is not a seq (a whole number up to 2^53), all or new",
			o->since);
	return place;
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
	uv_timer_t *timers[] = {&h->patience, &h->linger, &h->grace, &h->redraw};

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
	struct client_place place = read_place(&h->o);
	struct client *c = client_new(&h->loop, &options, &events, h);

	if (!c || client_join(c, h->o.session, &place) < 0)
		err_die(EX_OSERR, "out of memory");
	return c;
}

static void hubcat_start(struct hubcat *h)
{
	int r = uv_loop_init(&h->loop);

	if (r < 0)
		err_die(EX_OSERR, "event loop: %s", uv_strerror(r));
	signal(SIGPIPE, SIG_IGN);
	start_timers(h);
	report_start(h);
	h->color = isatty(STDOUT_FILENO) && !(getenv("NO_COLOR") && *getenv("NO_COLOR"));
	h->client = start_client(h);
	r = output_start(&h->out, h);
	if (r < 0)
		err_die(EX_IOERR, "standard output: %s", strerror(-r));
	r = h->o.listen || h->o.state ? 0 : input_start(&h->in, h);
	if (r < 0)
		err_die(EX_IOERR, "standard input: %s", strerror(-r));
	client_start(h->client);
}

int main(int argc, char **argv)
{
	struct hubcat h = {
	    .o = {.echo = true, .reconnect = true, .wait = -1, .linger = LINGER_UNSET},
	};
	char why[300];
	int first = opt_parse(&program, argc, argv, &h.o);

	open_standard();
	check_options(&h.o, argc, argv, first);
	(void)read_place(&h.o);
	if (url_choose(&h.url, h.o.url, why, sizeof(why)) < 0)
		err_die(EX_USAGE, "%s%s%s", h.o.url ? h.o.url : "", h.o.url ? ": " : "", why);
	url_format(&h.url, h.where, sizeof(h.where));
	h.filter = compile("-f", h.o.filter);
	h.in.map = compile("-m", h.o.map);
	hubcat_start(&h);
	uv_run(&h.loop, UV_RUN_DEFAULT);
	uv_loop_close(&h.loop);
	if (!h.status && h.in.bad)
		h.status = EX_DATAERR;
	if (!h.status && h.hub_errors)
		h.status = EX_NO;
	return h.status;
}
