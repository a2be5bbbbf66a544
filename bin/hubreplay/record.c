/* hubreplay record: options, and when it ends. */
#include "record.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"
#include "files/files.h"
#include "hubreplay.h"
#include "json/envelope.h"

#define REDRAW_MS 500
#define FINISH_MS 2000 /* for what the sessions have at the end */

#define FIELD(f) offsetof(struct record_options, f)

static const struct opt options_table[] = {
    {'u', "url", "URL", OPT_STRING, FIELD(url), 0, 0, NULL,
     "the hub: unix:/path, ws://host:port/ws, wss://... ($HUB_URL)"},
    {'o', "output", "FILE", OPT_STRING, FIELD(file), 0, 0, NULL,
     "the file; where it is there already it is gone on with"},
    {'d', "directory", "DIR", OPT_STRING, FIELD(dir), 0, 0, NULL,
     "a file for each session, DIR/SESSION.ndjson"},
    {'z', "zstd", NULL, OPT_TRUE, FIELD(zstd), 0, 0, NULL,
     "compress; a FILE that ends in .zst is compressed anyway"},
    {0, "split", "SIZE|TIME", OPT_STRING, FIELD(split), 0, 0, NULL,
     "begin a new file after so much (such as 100M) or so long (1h)"},
    {0, "sync", "SECONDS", OPT_SECONDS, FIELD(sync), 0.01, 3600, NULL,
     "have all on the disk every SECONDS (1)"},
    {0, "seal", "KEYFILE", OPT_STRING, FIELD(seal), 0, 0, NULL, "seal with this key"},
    {0, "sign", "KEYFILE", OPT_STRING, FIELD(sign), 0, 0, NULL, "sign with this key"},
    {'v', "verbose", NULL, OPT_TRUE, FIELD(verbose), 0, 0, NULL, "tell on stderr what happens"},
    {0},
};

static const struct opt_program program = {
    "hubreplay record",
    "[-vz] [-u URL] [-o FILE | -d DIR] [--split SIZE|TIME] [--sync SECONDS] [--seal KEYFILE] "
    "[--sign KEYFILE] SESSION...",
    "Writes what sessions do to files, as it happens. The session `all` stands for all.",
    options_table};

/* --- what it says */

static void record_clear(struct record *r)
{
	if (r->drawn && write(STDERR_FILENO, "\r\033[K", 4) < 0)
		return;
	r->drawn = false;
}

static void record_log(struct record *r, const char *fmt, va_list ap)
{
	char text[900];

	vsnprintf(text, sizeof(text), fmt, ap);
	record_clear(r);
	err_log(ERR_ERROR, "%s", text);
}

void record_say(struct record *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record_log(r, fmt, ap);
	va_end(ap);
}

static uint64_t total_size(const struct record *r)
{
	uint64_t size = 0;

	for (const struct track *t = r->tracks; t; t = t->next)
		size += track_size(t);
	return size;
}

static void on_redraw(uv_timer_t *timer)
{
	struct record *r = timer->data;
	uint64_t now = clock_mono_ns(), passed = now - r->drawn_ns;
	char line[160];

	snprintf(line, sizeof(line), "\r\033[K%zu session%s, %llu records, %.0f/s, %.1f MiB ",
		 r->nseats, r->nseats == 1 ? "" : "s", (unsigned long long)r->records,
		 (double)(r->records - r->drawn_records) * 1e9 / (double)(passed ? passed : 1),
		 (double)total_size(r) / 1048576);
	r->drawn_records = r->records;
	r->drawn_ns = now;
	r->drawn = write(STDERR_FILENO, line, strlen(line)) > 0;
}

/* --- the end */

static void record_done(struct record *r)
{
	uv_timer_t *timers[] = {&r->sync, &r->redraw, &r->end};

	while (r->tracks) {
		struct track *t = r->tracks;

		r->tracks = t->next;
		track_close(t);
	}
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		uv_close((uv_handle_t *)timers[i], NULL);
	for (size_t i = 0; i < sizeof(r->signals) / sizeof(r->signals[0]); i++)
		uv_close((uv_handle_t *)&r->signals[i], NULL);
	record_clear(r);
	if (r->o.verbose)
		record_say(r, "%llu records", (unsigned long long)r->records);
	link_free_all(r);
}

static bool all_closed(const struct record *r)
{
	for (const struct link *l = r->links; l; l = l->next)
		if (!l->closed)
			return false;
	return !r->lister || r->lister->closed;
}

/* Takes what the sessions have up to now, and leaves; the second time without waiting. */
static void on_end(uv_timer_t *timer)
{
	struct record *r = timer->data;

	for (struct link *l = r->links; l; l = l->next)
		link_finish(l, r->status || r->ending);
	if (r->lister)
		link_finish(r->lister, true);
	if (!r->ending)
		uv_timer_start(&r->end, on_end, FINISH_MS, 0);
	r->ending = true;
	if (all_closed(r))
		record_done(r);
}

void record_link_closed(struct record *r)
{
	if (all_closed(r))
		uv_timer_start(&r->end, on_end, 0, 0);
}

void record_fail(struct record *r, int status, const char *fmt, ...)
{
	va_list ap;

	/* Once: the rest follows from it. */
	if (r->status)
		return;
	r->status = status;
	va_start(ap, fmt);
	record_log(r, fmt, ap);
	va_end(ap);
	uv_timer_start(&r->end, on_end, 0, 0);
}

void record_stop(struct record *r)
{
	uv_timer_start(&r->end, on_end, 0, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct record *r = handle->data;

	(void)number;
	if (r->ending)
		_exit(EX_NO);
	uv_timer_start(&r->end, on_end, 0, 0);
}

static void on_sync(uv_timer_t *timer)
{
	struct record *r = timer->data;

	for (struct track *t = r->tracks; t && !r->status; t = t->next)
		track_sync(t);
}

/* --- the beginning */

/* A number with a unit of size or of time; a number alone is bytes. */
static bool read_split(struct record *r, const char *text)
{
	static const struct {
		const char *unit;
		double bytes, seconds;
	} units[] = {{"", 1, 0},	{"k", 1 << 10, 0}, {"M", 1 << 20, 0},
		     {"G", 1 << 30, 0}, {"ms", 0, 1e-3},   {"s", 0, 1},
		     {"m", 0, 60},	{"h", 0, 3600},	   {"d", 0, 86400}};
	char *end;
	double n = strtod(text, &end);

	if (end == text || !(n > 0) || n > 1e15)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		r->split_bytes = (uint64_t)(n * units[i].bytes);
		r->split_ns = (uint64_t)(n * units[i].seconds * 1e9);
		return r->split_bytes || r->split_ns;
	}
	return false;
}

static void check_options(struct record *r, int n, char **sessions)
{
	const struct record_options *o = &r->o;
	bool all = false;

	if (n < 1)
		err_die(EX_USAGE, "which session? (try 'hubreplay record --help')");
	for (int i = 0; i < n; i++) {
		all |= strcmp(sessions[i], "all") == 0;
		if (!envelope_session_id_ok(sessions[i], strlen(sessions[i])))
			err_die(EX_USAGE,
				"'%s' is not a session name: 1 to %d of A-Z a-z 0-9 _ . : ~ @ -",
				sessions[i], ENVELOPE_SESSION_MAX);
	}
	if (!o->file == !o->dir)
		err_die(EX_USAGE, "-o FILE or -d DIR: where to? (try 'hubreplay record --help')");
	if (o->file && strcmp(o->file, "-") == 0 && (n > 1 || all || o->split))
		err_die(EX_USAGE, "standard output takes one session, as a whole");
	if (all && n > 1)
		err_die(EX_USAGE, "all sessions are all: name no others");
	if (all && r->url.scheme != URL_UNIX)
		err_die(EX_USAGE, "all sessions are told over the hub's Unix socket only (-u)");
	if (o->split && !read_split(r, o->split))
		err_die(EX_USAGE, "--split: '%s' is no size (100M) and no time (1h)", o->split);
	r->several = n > 1 || all;
	r->all = all;
	r->sessions = sessions;
	r->nsessions = n;
}

/* A file for each session takes a descriptor each. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void record_start(struct record *r)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	uv_timer_t *timers[] = {&r->sync, &r->redraw, &r->end};
	uint64_t sync_ms = (uint64_t)(r->o.sync * 1000);
	int error = uv_loop_init(&r->loop);

	if (error < 0)
		err_die(EX_OSERR, "event loop: %s", uv_strerror(error));
	signal(SIGPIPE, SIG_IGN);
	raise_files();
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		uv_timer_init(&r->loop, timers[i]);
		timers[i]->data = r;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uv_signal_init(&r->loop, &r->signals[i]);
		r->signals[i].data = r;
		uv_signal_start(&r->signals[i], on_signal, numbers[i]);
	}
	uv_timer_start(&r->sync, on_sync, sync_ms, sync_ms);
	r->drawn_ns = clock_mono_ns();
	if (isatty(STDERR_FILENO) && !r->o.verbose)
		uv_timer_start(&r->redraw, on_redraw, REDRAW_MS, REDRAW_MS);
}

int record_main(int argc, char **argv)
{
	struct record r = {.o = {.sync = 1}};
	char why[300];
	int first = opt_parse(&program, argc, argv, &r.o);

	if (url_choose(&r.url, r.o.url, why, sizeof(why)) < 0)
		err_die(EX_USAGE, "%s%s%s", r.o.url ? r.o.url : "", r.o.url ? ": " : "", why);
	url_format(&r.url, r.where, sizeof(r.where));
	check_options(&r, argc - first, argv + first);
	r.keys = files_keys_to(r.o.seal, r.o.sign);
	record_start(&r);
	link_begin(&r);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	uv_loop_close(&r.loop);
	tally_free(&r.places);
	seal_keys_free(r.keys);
	return r.status;
}
