/* hubcat: joins standard input and output to a session. This file ties the parts together
 * (hubcat.h) and begins. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/watchdog.h"
#include "hubcat.h"
#include "json/keys.h"
#include "stats.h"

#define QUEUE_LIMIT (4 << 20) /* bytes sent and not acknowledged */

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

static struct keys *read_keys(const char *file)
{
	char why[700];
	struct keys *keys = file ? keys_load(file, why, sizeof(why)) : NULL;

	if (file && !keys)
		err_die(EX_CONFIG, "%s", why);
	return keys;
}

static void on_first_signal(void *arg)
{
	struct hubcat *h = arg;

	uv_async_send(&h->signalled);
}

static void take_signals(struct hubcat *h)
{
	static const struct watchdog_events events = {.signalled = on_first_signal};
	int r = uv_async_init(&h->loop, &h->signalled, hubcat_signalled);

	if (r < 0)
		err_die(EX_OSERR, "signals: %s", uv_strerror(r));
	h->signalled.data = h;
	watchdog_start("hubcat", h->o.wait, &events, h);
}

static void start_timers(struct hubcat *h)
{
	uv_timer_t *timers[] = {&h->patience, &h->linger, &h->grace};

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		uv_timer_init(&h->loop, timers[i]);
		timers[i]->data = h;
	}
	hubcat_wait(h);
}

static struct client *start_client(struct hubcat *h)
{
	struct client_options options = {
	    .url = &h->o.hub.url,
	    .transport = &h->o.hub.transport,
	    .no_reconnect = !h->o.reconnect,
	    .queue = QUEUE_LIMIT,
	    .acks = h->o.acks,
	    .keys = h->keys,
	    .resend = !h->o.protocol && !h->o.listen,
	    .give_up_ms = arguments_give_up(&h->o, false),
	    .first_ms = arguments_give_up(&h->o, true),
	};
	struct client_place place = arguments_place(&h->o);
	struct client *c = client_new(&h->loop, &options, &hubcat_client_events, h);

	if (!c || client_join(c, h->o.session, &place) < 0)
		err_die(EX_OSERR, "out of memory");
	return c;
}

/* Ties the parts together. */
static void hubcat_wire(struct hubcat *h)
{
	h->console.args = &h->o;
	h->console.where = h->where;
	h->console.received = &h->show.shown;
	h->console.lines = &h->in.number;
	h->in.events = &hubcat_input_events;
	h->in.arg = h;
	h->in.console = &h->console;
	h->in.convert =
	    (struct convert){.raw = h->o.raw,
			     .type = h->o.type,
			     .map = compile("-m", h->o.map),
			     .session = h->o.publish && !h->o.protocol ? h->o.session : NULL};
	h->out.events = &hubcat_output_events;
	h->out.arg = h;
	h->out.console = &h->console;
	if (isatty(STDOUT_FILENO))
		h->out.style = (struct color_style){
		    .color = !(getenv("NO_COLOR") && *getenv("NO_COLOR")), .spread = !h->o.compact};
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
	take_signals(h);
	console_start(&h->console, &h->loop);
	h->client = h->in.client = start_client(h);
	/* With -p nothing will be written but acks, and nobody need read. */
	r = h->o.publish && !h->o.acks ? 0 : output_start(&h->out, &h->loop);
	if (r < 0)
		err_die(EX_IOERR, "standard output: %s", strerror(-r));
	h->in.rejects.fd = -1;
	r = h->o.rejects ? rejects_open(&h->in.rejects, h->o.rejects) : 0;
	if (r < 0)
		err_die(EX_CANTCREAT, "%s: %s", h->o.rejects, strerror(-r));
	r = h->o.listen || h->o.state ? 0 : input_start(&h->in, &h->loop);
	if (r < 0)
		err_die(EX_IOERR, "standard input: %s", strerror(-r));
	client_start(h->client);
}

int main(int argc, char **argv)
{
	struct hubcat h = {0};

	arguments_parse(&h.o, argc, argv);
	open_standard();
	if (h.o.stats)
		return stats_run(&h.o);
	url_format(&h.o.hub.url, h.where, sizeof(h.where));
	h.show.filter = compile("-f", h.o.filter);
	h.keys = read_keys(h.o.keys);
	hubcat_wire(&h);
	hubcat_start(&h);
	uv_run(&h.loop, UV_RUN_DEFAULT);
	uv_loop_close(&h.loop);
	keys_free(h.keys);
	if (h.in.rejects.error)
		err_log(ERR_ERROR, "%s: %s", h.o.rejects, strerror(h.in.rejects.error));
	if (!h.status && h.in.rejects.error)
		h.status = EX_IOERR;
	if (!h.status)
		h.status = h.in.status;
	if (!h.status && h.in.bad)
		h.status = EX_DATAERR;
	if (!h.status && (h.lost || h.show.errors || h.in.refused))
		h.status = EX_NO;
	return h.status;
}
