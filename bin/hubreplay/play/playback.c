/* hubreplay play: the whole. Invariant: a terminal is given back as it was found, whichever way it
 * ends or stops. */
#include "play/playback.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/quantity.h"
#include "base/watchdog.h"
#include "client/client_args.h"
#include "files/files.h"
#include "json/envelope.h"
#include "json/keys.h"
#include "play/player.h"
#include "term/keyboard.h"

#define REDRAW_MS 250
#define RATE_NS 1000000000u /* over which the rate is, so that it does not flicker */
#define SEEK_US 5000000

struct options {
	struct client_args hub;
	const char *as, *filter, *seal, *verify, *speed_text, *state_keys;
	const char *from, *to;
	double speed, max_gap;
	int64_t loop;
	bool lockstep, fast, plain, verbose;
};

struct playback {
	struct options o;
	uv_loop_t loop;
	char where[URL_TEXT_MAX];
	struct seal_keys *keys;
	struct progress progress;
	struct keyboard keyboard;
	struct losses losses;
	struct player player;

	uv_async_t signalled; /* to end */
	uv_signal_t stop;     /* SIGTSTP */
	uv_timer_t end, redraw;
	uint64_t rated_sent, rated_ns, total_us;
	double rate; /* messages/s */
	bool ending; /* the player was stopped */
	int status;
};

#define FIELD(f) offsetof(struct options, f)

static const struct opt options_table[] = {
    CLIENT_ARGS(FIELD(hub)),
    {'s', "speed", "X", OPT_STRING, FIELD(speed_text), 0, 0, NULL,
     "so many times as fast as it was (1)"},
    {0, "lockstep", NULL, OPT_TRUE, FIELD(lockstep), 0, 0, NULL,
     "each message as soon as the one before it is acknowledged"},
    {0, "fast", NULL, OPT_TRUE, FIELD(fast), 0, 0, NULL, "as fast as the hub takes them"},
    {0, "from", "TIME", OPT_STRING, FIELD(from), 0, 0, NULL, "the first time that is played (0)"},
    {0, "to", "TIME", OPT_STRING, FIELD(to), 0, 0, NULL, "the first time that is not (the end)"},
    {0, "max-gap", "SECONDS", OPT_SECONDS, FIELD(max_gap), 0, 1e9, NULL,
     "where nothing comes for longer than that, wait no longer"},
    {0, "as", "SESSION", OPT_STRING, FIELD(as), 0, 0, NULL,
     "into this session, not into those that were recorded"},
    {0, "plain", NULL, OPT_TRUE, FIELD(plain), 0, 0, NULL,
     "play lines of JSON objects, with or without a header"},
    {0, "loop", "N", OPT_INT, FIELD(loop), 0, 1e9, NULL, "N times; 0: for ever (1)"},
    {'f', "filter", "JQ", OPT_STRING, FIELD(filter), 0, 0, NULL,
     "send what a jq program makes of each record"},
    {0, "keys", "FILE", OPT_STRING, FIELD(state_keys), 0, 0, NULL,
     "which messages are state, as the hub's --keys has it"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL,
     "the key that opens what is sealed"},
    {0, "verify-key", "KEYFILE", OPT_STRING, FIELD(verify), 0, 0, NULL,
     "the key that the recordings must be signed with"},
    {'v', "verbose", NULL, OPT_TRUE, FIELD(verbose), 0, 0, NULL,
     "tell at the end how late messages were"},
    {0},
};

static const struct opt_program program = {
    .name = "hubreplay play",
    .synopsis = "[-v] [-u URL] [--token-file FILE] [--header LINE] [--cert FILE] [--key FILE] "
		"[--proxy HOST:PORT] [--insecure] "
		"[--speed X | --lockstep | --fast] [--from TIME] [--to TIME] [--max-gap SECONDS] "
		"[--as SESSION] [--plain] [--loop N] [-f JQ] [--keys FILE] [--seal KEYFILE] "
		"[--verify-key KEYFILE] "
		"FILE...",
    .summary = "Sends recordings to a hub, in their own time.",
    .opts = options_table};

/* --- the end */

static void screen_stop(struct playback *p)
{
	progress_clear(&p->progress);
	keyboard_stop(&p->keyboard);
}

static void tell_timing(struct playback *p)
{
	const struct hist *h = &p->player.late;

	progress_say(&p->progress, "%llu messages sent, %llu refused",
		     (unsigned long long)p->player.sent, (unsigned long long)p->losses.n);
	if (h->n)
		progress_say(
		    &p->progress, "late by: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms",
		    (double)hist_percentile(h, 50) / 1e6, (double)hist_percentile(h, 99) / 1e6,
		    (double)hist_percentile(h, 99.9) / 1e6, (double)h->max / 1e6);
}

static void playback_done(struct playback *p)
{
	screen_stop(p);
	if (p->o.verbose)
		tell_timing(p);
	player_close(&p->player);
	uv_close((uv_handle_t *)&p->end, NULL);
	uv_close((uv_handle_t *)&p->redraw, NULL);
	watchdog_close();
	uv_close((uv_handle_t *)&p->signalled, NULL);
	uv_close((uv_handle_t *)&p->stop, NULL);
}

static void on_end(uv_timer_t *timer)
{
	struct playback *p = timer->data;

	if (!p->ending) {
		p->ending = true;
		player_stop(&p->player);
	}
	if (outlets_closed(&p->player.outlets))
		playback_done(p);
}

/* Ends it, as things are; the first status but 0 counts. */
static void playback_end(struct playback *p, int status)
{
	if (!p->status)
		p->status = status;
	uv_timer_start(&p->end, on_end, 0, 0);
}

static void on_ended(struct player *player, int status)
{
	playback_end(player->data, status);
}

/* Stops like any other program, but gives the terminal back first; what time it stood still does
 * not count. */
static void on_stop_signal(uv_signal_t *handle, int number)
{
	struct playback *p = handle->data;
	bool paused = p->player.paused;

	(void)number;
	progress_clear(&p->progress);
	keyboard_raw(&p->keyboard, false);
	player_pause(&p->player, true);
	raise(SIGSTOP);
	keyboard_raw(&p->keyboard, true);
	if (!paused)
		player_pause(&p->player, false);
}

static void on_signalled(uv_async_t *async)
{
	struct playback *p = async->data;

	if (p->ending) {
		screen_stop(p);
		_exit(EX_NO);
	}
	playback_end(p, EX_NO);
}

/* In a signal handler. */
static void on_first_signal(void *arg)
{
	struct playback *p = arg;

	uv_async_send(&p->signalled);
}

static void on_dying(void *arg)
{
	struct playback *p = arg;

	keyboard_raw(&p->keyboard, false);
	progress_clear(&p->progress);
}

/* --- the terminal */

static int put_time(char *out, size_t cap, uint64_t us)
{
	unsigned long long s = us / 1000000, tenth = us / 100000 % 10;

	return snprintf(out, cap, "%llu:%02llu.%llu", s / 60, s % 60, tenth);
}

static void on_redraw(uv_timer_t *timer)
{
	struct playback *p = timer->data;
	uint64_t now = clock_mono_ns(), passed = now - p->rated_ns;
	uint64_t sent = p->player.sent, behind = player_behind_ns(&p->player);
	char line[200], at[32], total[32] = "";

	put_time(at, sizeof(at), player_position_us(&p->player));
	if (p->total_us) {
		total[0] = '/';
		put_time(total + 1, sizeof(total) - 1, p->total_us);
	}
	if (passed >= RATE_NS) {
		p->rate = (double)(sent - p->rated_sent) * 1e9 / (double)passed;
		p->rated_sent = sent;
		p->rated_ns = now;
	}
	snprintf(line, sizeof(line), "%s%s  %llu messages, %.0f/s%s ", at, total,
		 (unsigned long long)sent, p->rate, p->player.paused ? ", paused" : "");
	if (behind > 1000000)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%.1f ms behind ",
			 (double)behind / 1e6);
	progress_draw(&p->progress, line);
}

static void on_key(enum keyboard_key key, void *arg)
{
	struct playback *p = arg;

	switch (key) {
	case KEYBOARD_SPACE:
		player_pause(&p->player, !p->player.paused);
		break;
	case KEYBOARD_Q:
		playback_end(p, EX_NO);
		break;
	case KEYBOARD_LEFT:
		player_seek(&p->player, -SEEK_US);
		break;
	case KEYBOARD_RIGHT:
		player_seek(&p->player, SEEK_US);
		break;
	case KEYBOARD_NONE:
		break;
	}
}

/* Only where a person watches, and for what is not read from the terminal itself. */
static void screen_start(struct playback *p)
{
	struct reel *reel = &p->player.reel;
	bool input = false;

	if (!isatty(STDERR_FILENO))
		return;
	p->rated_ns = clock_mono_ns();
	uv_timer_start(&p->redraw, on_redraw, REDRAW_MS, REDRAW_MS);
	for (int i = 0; i < reel->n; i++)
		input |= strcmp(reel->paths[i], "-") == 0;
	if (input)
		return;
	p->total_us = reel_length(reel);
	keyboard_start(&p->keyboard, &p->loop, on_key, p);
}

/* --- the beginning */

static void check_options(struct playback *p, int n, char **paths)
{
	struct options *o = &p->o;
	const char *end;

	if (n < 1)
		err_die(EX_USAGE, "which file? (try 'hubreplay play --help')");
	if (!!o->speed_text + o->lockstep + o->fast > 1)
		err_die(EX_USAGE, "--speed, --lockstep and --fast exclude each other");
	if (o->speed_text) {
		end = quantity_real(o->speed_text, &o->speed);
		if (!end || *end || !(o->speed >= 0.001 && o->speed <= 1000000))
			err_die(EX_USAGE, "--speed: '%s' is no number from 0.001 to 1000000",
				o->speed_text);
	}
	if (o->plain && (o->seal || o->verify))
		err_die(EX_USAGE, "--plain lines are not sealed, and no signature covers them");
	if (o->as && !envelope_session_id_ok(o->as, strlen(o->as)))
		err_die(EX_USAGE, "'%s' is not a session name: 1 to %d of A-Z a-z 0-9 _ . : ~ @ -",
			o->as, ENVELOPE_SESSION_MAX);
	range_read(&p->player.reel.range, o->from, o->to);
	for (int i = 0; i < n; i++)
		if (strcmp(paths[i], "-") == 0 && (o->loop != 1 || n > 1))
			err_die(EX_USAGE, "standard input is played once, and alone");
}

static void start_loop(struct playback *p)
{
	static const struct watchdog_events events = {.signalled = on_first_signal,
						      .dying = on_dying};
	int r = uv_loop_init(&p->loop);

	if (r == 0)
		r = player_init(&p->player, &p->loop);
	if (r == 0)
		r = uv_async_init(&p->loop, &p->signalled, on_signalled);
	if (r < 0)
		err_die(EX_OSERR, "event loop: %s", uv_strerror(r));
	signal(SIGPIPE, SIG_IGN);
	uv_timer_init(&p->loop, &p->end);
	uv_timer_init(&p->loop, &p->redraw);
	uv_signal_init(&p->loop, &p->stop);
	p->end.data = p->redraw.data = p->signalled.data = p->stop.data = p;
	uv_signal_start(&p->stop, on_stop_signal, SIGTSTP);
	watchdog_start("hubreplay play", -1, &events, p);
}

static void run(struct playback *p)
{
	start_loop(p);
	screen_start(p);
	player_begin(&p->player);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	uv_loop_close(&p->loop);
}

/* What the player is handed. */
static void set_player(struct playback *p, struct filter *filter, const struct keys *keys)
{
	struct player *player = &p->player;

	player->as = p->o.as;
	player->speed = p->o.speed;
	player->lockstep = p->o.lockstep;
	player->timed = !p->o.fast && !p->o.lockstep;
	player->loops = p->o.loop;
	player->max_gap_us = p->o.max_gap < 0 ? UINT64_MAX : (uint64_t)(p->o.max_gap * 1e6);
	player->losses = &p->losses;
	player->ended = on_ended;
	player->data = p;
	player->reel.keys = p->keys;
	player->reel.plain = p->o.plain;
	player->reel.progress = &p->progress;
	/* With --as there is one session, where messages without a name go. */
	sendable_init(&player->sendable, filter, keys, p->o.as, &p->losses);
	player->outlets = (struct outlets){.loop = &p->loop,
					   .url = &p->o.hub.url,
					   .transport = &p->o.hub.transport,
					   .where = p->where,
					   .lockstep = p->o.lockstep,
					   .progress = &p->progress,
					   .losses = &p->losses};
}

int playback_main(int argc, char **argv)
{
	struct playback p = {.o = {.speed = 1, .loop = 1, .max_gap = -1}};
	struct reel *reel = &p.player.reel;
	int first = opt_parse(&program, argc, argv, &p.o);
	struct filter *filter = NULL;
	struct keys *state_keys;
	char why[700];

	check_options(&p, argc - first, argv + first);
	client_args_read(&p.o.hub);
	url_format(&p.o.hub.url, p.where, sizeof(p.where));
	p.keys = files_keys(p.o.seal, p.o.verify);
	if (p.o.filter && !(filter = filter_new(p.o.filter, why, sizeof(why))))
		err_die(EX_USAGE, "-f: %s", why);
	state_keys = p.o.state_keys ? keys_load(p.o.state_keys, why, sizeof(why)) : keys_default();
	if (!state_keys)
		err_die(EX_CONFIG, "%s", p.o.state_keys ? why : "out of memory");
	p.losses.progress = &p.progress;
	set_player(&p, filter, state_keys);
	reel->paths = argv + first;
	reel->n = argc - first;
	p.status = reel_open(reel);
	if (!p.status)
		run(&p);
	reel_close(reel);
	sendable_free(&p.player.sendable);
	keys_free(state_keys);
	seal_keys_free(p.keys);
	if (!p.status)
		p.status = reel->status;
	if (!p.status && p.losses.n)
		p.status = EX_NO;
	return p.status;
}
