/* hubreplay play: options, and when it ends. */
#include "play.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"
#include "files/files.h"
#include "hubreplay.h"
#include "json/envelope.h"

#define FIELD(f) offsetof(struct play_options, f)

static const struct opt options_table[] = {
    {'u', "url", "URL", OPT_STRING, FIELD(url), 0, 0, NULL,
     "the hub: unix:/path, ws://host:port/ws, wss://... ($HUB_URL)"},
    {'s', "speed", "X", OPT_STRING, FIELD(speed_text), 0, 0, NULL,
     "so many times as fast as it was (1)"},
    {0, "lockstep", NULL, OPT_TRUE, FIELD(lockstep), 0, 0, NULL,
     "each message as soon as the one before it is acknowledged"},
    {0, "fast", NULL, OPT_TRUE, FIELD(fast), 0, 0, NULL, "as fast as the hub takes them"},
    {0, "from", "TIME", OPT_STRING, FIELD(from), 0, 0, NULL, "the first time that is played (0)"},
    {0, "to", "TIME", OPT_STRING, FIELD(to), 0, 0, NULL, "the first time that is not (the end)"},
    {0, "as", "SESSION", OPT_STRING, FIELD(as), 0, 0, NULL,
     "into this session, not into those that were recorded"},
    {0, "loop", "N", OPT_INT, FIELD(loop), 0, 1e9, NULL, "N times; 0: for ever (1)"},
    {'f', "filter", "JQ", OPT_STRING, FIELD(filter), 0, 0, NULL,
     "send what a jq program makes of each record"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "the key that opens what is sealed"},
    {0, "verify-key", "KEYFILE", OPT_STRING, FIELD(verify), 0, 0, NULL,
     "the key that the recordings must be signed with"},
    {'v', "verbose", NULL, OPT_TRUE, FIELD(verbose), 0, 0, NULL,
     "tell at the end how late messages were"},
    {0},
};

static const struct opt_program program = {
    "hubreplay play",
    "[-v] [-u URL] [--speed X | --lockstep | --fast] [--from TIME] [--to TIME] [--as SESSION] "
    "[--loop N] [-f JQ] [--seal KEYFILE] [--verify-key KEYFILE] FILE...",
    "Sends recordings to a hub, in their own time.", options_table};

void play_say(struct play *p, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	term_clear(p);
	err_log(ERR_ERROR, "%s", text);
}

/* --- the end */

static void tell_timing(struct play *p)
{
	const struct hist *h = &p->late;

	play_say(p, "%llu messages sent, %llu refused", (unsigned long long)p->sent,
		 (unsigned long long)p->refused);
	if (h->n)
		play_say(p, "late by: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms",
			 (double)hist_percentile(h, 50) / 1e6, (double)hist_percentile(h, 99) / 1e6,
			 (double)hist_percentile(h, 99.9) / 1e6, (double)h->max / 1e6);
}

static void play_done(struct play *p)
{
	term_stop(p);
	if (p->o.verbose)
		tell_timing(p);
	player_close(p);
	uv_close((uv_handle_t *)&p->end, NULL);
	uv_close((uv_handle_t *)&p->redraw, NULL);
	for (size_t i = 0; i < sizeof(p->signals) / sizeof(p->signals[0]); i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
}

static bool all_closed(const struct play *p)
{
	for (const struct outlet *o = p->outlets; o; o = o->next)
		if (!o->closed)
			return false;
	return true;
}

static void on_end(uv_timer_t *timer)
{
	struct play *p = timer->data;
	size_t left = 0;

	if (!p->ending) {
		p->ending = true;
		for (struct outlet *o = p->outlets; o; o = o->next)
			left += client_unconfirmed(o->client);
		if (left) {
			play_say(p, "messages not known to have reached the hub: %zu", left);
			p->refused += left;
		}
		for (struct outlet *o = p->outlets; o; o = o->next)
			client_stop(o->client);
	}
	if (all_closed(p))
		play_done(p);
}

void play_end(struct play *p, int status)
{
	if (!p->status)
		p->status = status;
	uv_timer_start(&p->end, on_end, 0, 0);
}

void play_sent(struct play *p)
{
	p->draining = true;
	for (struct outlet *o = p->outlets; o; o = o->next)
		client_drain(o->client);
	if (!p->outlets)
		play_end(p, 0);
}

/* Stops like any other program, but gives the terminal back first; what time it stood still does
 * not count. */
static void on_stop_signal(struct play *p)
{
	bool paused = p->paused;

	term_clear(p);
	term_raw(p, false);
	player_pause(p, true);
	raise(SIGSTOP);
	term_raw(p, true);
	if (!paused)
		player_pause(p, false);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct play *p = handle->data;

	if (number == SIGTSTP) {
		on_stop_signal(p);
		return;
	}
	if (p->ending) {
		term_stop(p);
		_exit(EX_NO);
	}
	play_end(p, EX_NO);
}

/* --- the beginning */

static void check_options(struct play *p, int n, char **paths)
{
	struct play_options *o = &p->o;
	char *end;

	if (n < 1)
		err_die(EX_USAGE, "which file? (try 'hubreplay play --help')");
	if (!!o->speed_text + o->lockstep + o->fast > 1)
		err_die(EX_USAGE, "--speed, --lockstep and --fast exclude each other");
	if (o->speed_text) {
		o->speed = strtod(o->speed_text, &end);
		if (end == o->speed_text || *end || !(o->speed >= 0.001 && o->speed <= 1000000))
			err_die(EX_USAGE, "--speed: '%s' is no number from 0.001 to 1000000",
				o->speed_text);
	}
	if (o->as && !envelope_session_id_ok(o->as, strlen(o->as)))
		err_die(EX_USAGE, "'%s' is not a session name: 1 to %d of A-Z a-z 0-9 _ . : ~ @ -",
			o->as, ENVELOPE_SESSION_MAX);
	if (o->from)
		p->reel.from_us = files_time("--from", o->from);
	if (o->to)
		p->reel.to_us = files_time("--to", o->to);
	if (p->reel.to_us < p->reel.from_us)
		err_die(EX_USAGE, "--to is before --from");
	for (int i = 0; i < n; i++)
		if (strcmp(paths[i], "-") == 0 && (o->loop != 1 || n > 1))
			err_die(EX_USAGE, "standard input is played once, and alone");
}

static void play_start(struct play *p)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
	int r = uv_loop_init(&p->loop);

	if (r == 0)
		r = player_init(p);
	if (r < 0)
		err_die(EX_OSERR, "event loop: %s", uv_strerror(r));
	signal(SIGPIPE, SIG_IGN);
	uv_timer_init(&p->loop, &p->end);
	uv_timer_init(&p->loop, &p->redraw);
	p->end.data = p->redraw.data = p;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uv_signal_init(&p->loop, &p->signals[i]);
		p->signals[i].data = p;
		uv_signal_start(&p->signals[i], on_signal, numbers[i]);
	}
}

static void play_run(struct play *p)
{
	play_start(p);
	term_start(p);
	/* The first line says which session to join. */
	if (!player_line(p))
		play_sent(p);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	uv_loop_close(&p->loop);
}

int play_main(int argc, char **argv)
{
	struct play p = {.o = {.speed = 1, .loop = 1}, .reel = {.to_us = UINT64_MAX}};
	char why[700];
	int first = opt_parse(&program, argc, argv, &p.o);

	check_options(&p, argc - first, argv + first);
	if (url_choose(&p.url, p.o.url, why, sizeof(why)) < 0)
		err_die(EX_USAGE, "%s%s%s", p.o.url ? p.o.url : "", p.o.url ? ": " : "", why);
	url_format(&p.url, p.where, sizeof(p.where));
	p.keys = files_keys(p.o.seal, p.o.verify);
	if (p.o.filter && !(p.filter = filter_new(p.o.filter, why, sizeof(why))))
		err_die(EX_USAGE, "-f: %s", why);
	p.paths = message_paths();
	p.loops = p.o.loop;
	p.reel.p = &p;
	p.reel.paths = argv + first;
	p.reel.n = argc - first;
	p.status = reel_open(&p.reel);
	if (!p.status)
		play_run(&p);
	reel_close(&p.reel);
	filter_free(p.filter);
	json_paths_free(p.paths);
	seal_keys_free(p.keys);
	if (!p.status)
		p.status = p.reel.status;
	if (!p.status && p.refused)
		p.status = EX_NO;
	return p.status;
}
