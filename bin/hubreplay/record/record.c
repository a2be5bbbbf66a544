/* hubreplay record: the whole. Invariant: after the first failure, which is the one that is told,
 * no track takes anything any more. */
#include "record/record.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "files/files.h"
#include "record/hub_answer.h"
#include "record/link.h"
#include "record/record_options.h"
#include "record/track.h"

#define REDRAW_MS 500
#define HOLD (64 << 20)	     /* bytes that wait for a database: then no more is read, */
#define HOLD_LESS (16 << 20) /* until there are so few, */
#define HOLD_MS 50	     /* which is looked for */
#define QUIET_MS 5000	     /* at the end: nothing has come for so long, and nothing will */

struct record {
	struct record_options o;
	uv_loop_t loop;
	char where[URL_TEXT_MAX];
	struct seal_keys *keys;
	struct progress progress;
	struct tracks tracks;
	struct link_setup setup; /* of the links; ending: the end has begun */
	struct link *links;	 /* the first one may have room */
	struct link *lister;	 /* asks for all sessions; or NULL */
	struct tally sessions; /* a struct track_session each, also those that could not be added */
	size_t added;
	size_t held; /* what waited for a database last */
	bool begun;  /* with the sessions that were asked for */
	bool listed; /* all that there were */
	bool unread; /* standard output has no reader any more: nothing is to be taken */
	bool lacks;  /* the files may lack what the hub had at the end */
	uint64_t heard, quiet_heard; /* what came; the same when the quiet time began */
	uint64_t records, drawn_records, drawn_ns;
	uv_signal_t signals[3];
	uv_timer_t sync, redraw, end, hold;
	int status;
};

/* --- the end */

static bool all_closed(const struct record *r)
{
	for (const struct link *l = r->links; l; l = l->next)
		if (!l->closed)
			return false;
	return !r->lister || r->lister->closed;
}

static void record_done(struct record *r);

static void on_alive(void *arg)
{
	struct record *r = arg;

	r->heard++;
}

static void on_lacking(void *arg, const char *why)
{
	struct record *r = arg;

	if (r->status || r->unread || r->lacks)
		return;
	r->lacks = true;
	progress_say(&r->progress, "%s: %s: what the hub has may not be all in the file", r->where,
		     why);
}

static void record_leave(struct record *r)
{
	for (struct link *l = r->links; l; l = l->next)
		link_leave(l);
	if (r->lister)
		link_leave(r->lister);
}

/* The end begins: takes what the sessions have up to now. */
static void record_finish(struct record *r)
{
	if (r->lister ? !r->listed : !r->links)
		on_lacking(r, "the hub has not answered yet");
	for (struct link *l = r->links; l; l = l->next)
		link_finish(l);
	if (r->lister)
		link_leave(r->lister);
}

/* At the beginning of the end, when all is closed, and whenever it was quiet for a while. */
static void on_end(uv_timer_t *timer)
{
	struct record *r = timer->data;
	bool ending = r->setup.ending;

	r->setup.ending = true;
	if (r->status || r->unread) {
		record_leave(r);
	} else if (!ending) {
		record_finish(r);
	} else if (r->heard == r->quiet_heard && !all_closed(r)) {
		on_lacking(r, "no answer");
		record_leave(r);
	}
	r->quiet_heard = r->heard;
	uv_timer_start(&r->end, on_end, QUIET_MS, 0);
	if (all_closed(r))
		record_done(r);
}

static void record_stop(struct record *r)
{
	uv_timer_start(&r->end, on_end, 0, 0);
}

static __attribute__((format(printf, 3, 4))) void record_fail(struct record *r, int status,
							      const char *fmt, ...)
{
	char text[900];
	va_list ap;

	/* Once: the rest follows from it. */
	if (r->status)
		return;
	r->status = status;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	progress_say(&r->progress, "%s", text);
	record_stop(r);
}

/* What became of a track. */
static void record_check(struct record *r, const struct track *t, int error)
{
	char why[500];
	int status;

	if (error == -EPIPE && strcmp(t->path, "-") == 0) {
		/* Nobody reads standard output any more: an end, and no error of ours. */
		r->unread = true;
		record_stop(r);
	} else if (error < 0) {
		/* What was synced stays as it is; nothing can be added to it. */
		track_why(t, error, why, sizeof(why), &status);
		record_fail(r, status, "%s: %s", t->path, why);
	}
}

static void record_done(struct record *r)
{
	uv_timer_t *timers[] = {&r->sync, &r->redraw, &r->end, &r->hold};
	char why[500];
	int status;

	for (struct track *t = r->tracks.first; t; t = t->next)
		record_check(r, t, track_close(t));
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		uv_close((uv_handle_t *)timers[i], NULL);
	for (size_t i = 0; i < sizeof(r->signals) / sizeof(r->signals[0]); i++)
		uv_close((uv_handle_t *)&r->signals[i], NULL);
	/* That may take long: from here on another signal is not ours, and ends it. */
	status = table_writer_close(r->tracks.table, why, sizeof(why));
	if (status)
		record_fail(r, status, "%s: %s", r->o.file, why);
	progress_clear(&r->progress);
	if (r->o.verbose)
		progress_say(&r->progress, "%llu records", (unsigned long long)r->records);
	while (r->links) {
		struct link *l = r->links;

		r->links = l->next;
		link_free(l);
	}
	if (r->lister)
		link_free(r->lister);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct record *r = handle->data;

	(void)number;
	if (r->setup.ending)
		_exit(EX_NO);
	record_stop(r);
}

/* --- the sessions */

/* A connection with room for another session. */
static struct link *free_link(struct record *r)
{
	struct link *l = r->links;

	if (l && link_has_room(l))
		return l;
	l = link_new(&r->setup, false);
	if (l) {
		l->next = r->links;
		r->links = l;
	}
	return l;
}

/* Records a session, unless it is recorded already. later: it came into being while we record.
 * False after a failure. */
static bool record_add(struct record *r, const char *session, bool later)
{
	struct tally_entry *e = tally_need(&r->sessions, (struct span){session, strlen(session)});
	struct track_session *s = e->extra;
	char why[900];
	struct link *l;
	int status;

	if (s->name)
		return true;
	s->name = e->name;
	l = free_link(r);
	if (!l) {
		record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
		return false;
	}
	status = track_open(&r->tracks, s, why, sizeof(why));
	if (status) {
		record_fail(r, status, "%s", why);
		return false;
	}
	if (link_join(l, s, later) < 0) {
		record_fail(r, EX_OSERR, "cannot join %s", session);
		return false;
	}
	track_add(s);
	r->added++;
	return true;
}

/* Begins with those that were asked for. */
static void record_begin(struct record *r)
{
	if (r->begun)
		return;
	r->begun = true;
	if (r->o.all) {
		r->lister = link_new(&r->setup, true);
		if (!r->lister)
			record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
		return;
	}
	for (int i = 0; i < r->o.n && !r->status; i++)
		record_add(r, r->o.sessions[i], false);
}

/* --- what comes */

static void on_clock(void *arg, int64_t offset_ms)
{
	struct record *r = arg;

	r->tracks.offset_ms = offset_ms;
	record_begin(r);
}

static bool on_name(const char *session, void *arg)
{
	struct record *r = arg;

	return record_add(r, session, r->listed);
}

static void on_listed(void *arg, const char *text, size_t len)
{
	struct record *r = arg;

	r->listed |= hub_answer_sessions(text, len, on_name, r);
}

static void on_joined(void *arg, struct track_session *s, const struct client_joined *j)
{
	struct record *r = arg;

	r->heard++;
	if (!r->status)
		record_check(r, s->track, track_joined(s, j));
}

static void on_gap(void *arg, struct track_session *s, uint64_t from_seq, uint64_t to_seq)
{
	struct record *r = arg;

	r->heard++;
	if (!r->status)
		record_check(r, s->track, track_gap(s, from_seq, to_seq));
}

/* Goes on when the database has taken most of what waits. */
static void on_hold(uv_timer_t *timer)
{
	struct record *r = timer->data;
	size_t waiting = table_writer_waiting(r->tracks.table);

	if (waiting != r->held)
		r->heard++; /* it is not quiet */
	r->held = waiting;
	if (waiting > HOLD_LESS && !r->status)
		return;
	uv_timer_stop(&r->hold);
	for (struct link *l = r->links; l; l = l->next)
		link_pause(l, false);
}

static void record_hold(struct record *r)
{
	if (uv_is_active((uv_handle_t *)&r->hold))
		return;
	for (struct link *l = r->links; l; l = l->next)
		link_pause(l, true);
	uv_timer_start(&r->hold, on_hold, HOLD_MS, HOLD_MS);
}

static void on_record(void *arg, struct track_session *s, const struct client_message *m)
{
	struct record *r = arg;

	r->heard++;
	if (r->status)
		return;
	record_check(r, s->track, track_record(s, m));
	r->records++;
	if (r->tracks.table && table_writer_waiting(r->tracks.table) > HOLD)
		record_hold(r);
}

static void on_closed(void *arg, int status, const char *reason)
{
	struct record *r = arg;

	if (status)
		record_fail(r, status, "%s: %s", r->where, reason);
	if (all_closed(r))
		record_stop(r);
}

/* --- as time goes by */

/* What becomes of a database. */
static void look_at_table(struct record *r)
{
	char text[500];
	int status;

	while (table_writer_news(r->tracks.table, text, sizeof(text)))
		progress_say(&r->progress, "%s: %s", r->o.file, text);
	if (table_writer_failed(r->tracks.table, text, sizeof(text), &status))
		record_fail(r, status, "%s: %s", r->o.file, text);
}

static void on_sync(uv_timer_t *timer)
{
	struct record *r = timer->data;
	char why[900];

	if (r->tracks.table)
		look_at_table(r);
	for (struct track *t = r->tracks.first; t && !r->status; t = t->next) {
		int status;

		record_check(r, t, track_sync(t));
		if (r->status || !track_split_due(t))
			continue;
		status = track_split(t, why, sizeof(why));
		if (status)
			record_fail(r, status, "%s", why);
	}
}

static void on_redraw(uv_timer_t *timer)
{
	struct record *r = timer->data;
	uint64_t now = clock_mono_ns(), passed = now - r->drawn_ns, size = 0;
	char line[160];

	for (const struct track *t = r->tracks.first; t; t = t->next)
		size += track_size(t);
	snprintf(line, sizeof(line), "%zu session%s, %llu records, %.0f/s, %.1f MiB ", r->added,
		 r->added == 1 ? "" : "s", (unsigned long long)r->records,
		 (double)(r->records - r->drawn_records) * 1e9 / (double)(passed ? passed : 1),
		 (double)size / 1048576);
	r->drawn_records = r->records;
	r->drawn_ns = now;
	progress_draw(&r->progress, line);
}

/* --- the beginning */

/* A file for each session takes a descriptor each. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void start_loop(struct record *r)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	uv_timer_t *timers[] = {&r->sync, &r->redraw, &r->end, &r->hold};
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

/* Over the Unix socket the hub's clock is ours; else it is asked for first. */
static void start_links(struct record *r)
{
	if (r->o.hub.url.scheme == URL_UNIX)
		record_begin(r);
	else if (!free_link(r))
		record_fail(r, EX_OSERR, "%s", strerror(ENOMEM));
}

int record_main(int argc, char **argv)
{
	static const struct link_events events = {.clock = on_clock,
						  .listed = on_listed,
						  .joined = on_joined,
						  .gap = on_gap,
						  .record = on_record,
						  .alive = on_alive,
						  .lacking = on_lacking,
						  .closed = on_closed};
	struct record r = {.sessions = {.extra = sizeof(struct track_session), .limit = SIZE_MAX}};
	const struct record_options *o = &r.o;
	char why[500];
	int status;

	record_options_read(&r.o, argc, argv);
	url_format(&o->hub.url, r.where, sizeof(r.where));
	r.keys = files_keys_to(o->seal, o->sign);
	r.tracks = (struct tracks){.file = o->file,
				   .dir = o->dir,
				   .zstd = o->zstd,
				   .several = o->n > 1 || o->all,
				   .split_bytes = o->split_bytes,
				   .split_ns = o->split_ns,
				   .keys = r.keys,
				   .progress = &r.progress};
	r.setup = (struct link_setup){.loop = &r.loop,
				      .url = &o->hub.url,
				      .transport = &o->hub.transport,
				      .where = r.where,
				      .progress = &r.progress,
				      .events = &events,
				      .arg = &r};
	if (o->url.conninfo) {
		r.tracks.table = table_writer_open(&o->url, why, sizeof(why), &status);
		if (!r.tracks.table)
			err_die(status, "%s: %s", o->file, why);
	}
	start_loop(&r);
	start_links(&r);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	uv_loop_close(&r.loop);
	track_free_all(&r.tracks);
	tally_free(&r.sessions);
	seal_keys_free(r.keys);
	table_url_free(&r.o.url);
	return r.status ? r.status : r.lacks ? EX_NO : EX_OK;
}
