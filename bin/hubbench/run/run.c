/* The run as a whole: says which phase it is, looks at the threads and the server once a second,
 * and adds up at the end. Phases only go forward, whatever is told in between. */
#include "run/run.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "load/loop.h"
#include "plan/need.h"
#include "report/report.h"
#include "run/cores.h"
#include "run/diagnose.h"
#include "run/proc.h"
#include "run/setup.h"
#include "run/sum.h"

#define ASK_NS (1 * (uint64_t)SECOND) /* without a join, and the server is asked what it speaks */
#define POLL_NS (20 * (uint64_t)MS)
#define CONNECT_NS (60 * (uint64_t)SECOND) /* for all, the ramp not counted */
#define SETTLE_NS (50 * (uint64_t)MS)	   /* after joining, without anything coming in */
#define SETTLE_MAX_NS (5 * (uint64_t)SECOND)
#define START_NS (50 * (uint64_t)MS)	/* from the decision to the first message */
#define QUIET_NS (2 * (uint64_t)SECOND) /* without a delivery, and nothing more will come */

/* All threads together. */
struct total {
	struct counts counts;
	uint64_t joined, failed, backlog, reconnects;
	bool sent_all, settled;
	double *cpu_s; /* of each thread */
	struct hist every, ack;
};

struct watch {
	struct run run;
	struct result *r;
	struct total now, before; /* at this look, and at the last full second */
	uint64_t before_ns;
	struct proc_sample proc_before;
	double server_from_s;  /* the server's CPU time when measuring began */
	bool started, stopped; /* told to end */
	bool at_once;	       /* told again */
	bool diagnosed;	       /* it was asked why nobody joins */
	char why[200];	       /* the server speaks otherwise; empty: not known to */
};

/* --- waiting */

/* Waits until the instant (CLOCK_MONOTONIC, ns), or until a signal comes; true where one came. */
static bool signal_until(int signal_fd, uint64_t until_ns)
{
	struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
	struct signalfd_siginfo info;
	uint64_t now;

	while ((now = clock_mono_ns()) < until_ns) {
		struct timespec left = {(time_t)((until_ns - now) / SECOND),
					(long)((until_ns - now) % SECOND)};

		if (ppoll(&fd, 1, &left, NULL) == 1 &&
		    read(signal_fd, &info, sizeof(info)) == sizeof(info))
			return true;
	}
	return false;
}

static void wait_until(struct watch *w, uint64_t until_ns)
{
	if (signal_until(w->run.plan->signal_fd, until_ns)) {
		w->at_once = w->stopped;
		w->stopped = true;
		w->r->interrupted = true;
	}
}

/* --- looking at the threads */

static void add_snapshot(struct total *t, const struct snapshot *s, unsigned loop)
{
	t->counts.due += s->counts.due;
	t->counts.sent += s->counts.sent;
	t->counts.acked += s->counts.acked;
	t->counts.delivered += s->counts.delivered;
	t->counts.bytes_in += s->counts.bytes_in;
	t->joined += s->joined;
	t->failed += s->failed;
	t->backlog += s->backlog;
	t->sent_all &= s->sent_all;
	t->settled &= s->settled;
	t->cpu_s[loop] = s->cpu_s;
	hist_merge(&t->every, &s->every);
	hist_merge(&t->ack, &s->ack);
}

/* Asks each thread for a snapshot and adds them up. One that is too busy is taken as it was. */
static void look(struct watch *w)
{
	unsigned number = atomic_fetch_add(&w->run.snap, 1) + 1;
	uint64_t limit = clock_mono_ns() + SECOND;
	double *cpu_s = w->now.cpu_s;

	memset(&w->now, 0, sizeof(w->now));
	w->now.cpu_s = cpu_s;
	w->now.sent_all = w->now.settled = true;
	for (unsigned i = 0; i < w->run.threads; i++) {
		struct loop *l = &w->run.loop[i];

		pthread_mutex_lock(&l->mutex);
		while (l->snapshot.number != number && clock_mono_ns() < limit) {
			struct timespec nap = {0, MS};

			pthread_mutex_unlock(&l->mutex);
			nanosleep(&nap, NULL);
			pthread_mutex_lock(&l->mutex);
		}
		add_snapshot(&w->now, &l->snapshot, i);
		pthread_mutex_unlock(&l->mutex);
	}
}

/* --- once a second */

static void keep_second(struct result *r, const struct result_second *s)
{
	/* Grows by doubling, at powers of two. */
	if ((r->nseries & (r->nseries - 1)) == 0) {
		size_t cap = r->nseries ? 2 * r->nseries : 1;

		r->series = need(realloc(r->series, cap * sizeof(*r->series)));
	}
	r->series[r->nseries++] = *s;
}

/* Whether all that was in a histogram before is still in it: with measuring it begins anew. */
static bool goes_on(const struct hist *h, const struct hist *before)
{
	for (unsigned b = 0; b < HIST_BUCKETS; b++)
		if (h->count[b] < before->count[b])
			return false;
	return true;
}

/* Latencies of this second alone. */
static void second_latency(struct watch *w, struct result_second *s)
{
	bool every = w->now.every.n || !w->now.ack.n;
	const struct hist *now = every ? &w->now.every : &w->now.ack;
	const struct hist *before = every ? &w->before.every : &w->before.ack;
	struct hist *since = need(calloc(1, sizeof(*since)));

	if (goes_on(now, before))
		hist_since(since, now, before);
	else
		*since = *now;
	s->p50_ns = hist_percentile(since, 50);
	s->p99_ns = hist_percentile(since, 99);
	s->max_ns = since->n ? hist_percentile(since, 100) : 0;
	free(since);
}

static void second_server(struct watch *w, struct result_second *s, double took)
{
	struct proc_sample now;

	if (!w->run.plan->proc)
		return;
	proc_read(w->run.plan->proc, &now);
	s->server_rss = now.rss;
	s->server_cpu = took > 0 ? (now.cpu_s - w->proc_before.cpu_s) / took : 0;
	w->proc_before = now;
	if (now.rss > w->r->rss_max)
		w->r->rss_max = now.rss;
}

/* keep false: it is only shown. */
static void end_second(struct watch *w, double at, bool keep)
{
	const struct plan *p = w->run.plan;
	uint64_t now_ns = clock_mono_ns();
	double took = (double)(now_ns - w->before_ns) / 1e9, *cpu_s;
	struct result_second s = {.at = at};

	look(w);
	s.clients = w->now.joined;
	s.due = w->now.counts.due - w->before.counts.due;
	s.sent = w->now.counts.sent - w->before.counts.sent;
	s.acked = w->now.counts.acked - w->before.counts.acked;
	s.delivered = w->now.counts.delivered - w->before.counts.delivered;
	s.bytes_in = w->now.counts.bytes_in - w->before.counts.bytes_in;
	s.backlog = w->now.backlog;
	for (unsigned i = 0; i < w->run.threads; i++) {
		double cpu = took > 0 ? (w->now.cpu_s[i] - w->before.cpu_s[i]) / took : 0;

		if (cpu > s.cpu)
			s.cpu = cpu;
	}
	second_latency(w, &s);
	second_server(w, &s, took);
	if (s.backlog > w->r->backlog_max && at > 0)
		w->r->backlog_max = s.backlog;
	if (keep)
		keep_second(w->r, &s);
	if (keep && p->json)
		report_json_second(p->json, w->r, &s);
	if (p->live)
		report_live(w->r, &s);
	cpu_s = w->before.cpu_s;
	w->before = w->now;
	w->before.cpu_s = cpu_s;
	memcpy(cpu_s, w->now.cpu_s, w->run.threads * sizeof(*cpu_s));
	w->before_ns = now_ns;
}

/* --- a server that speaks otherwise */

/* Whether one is heard or found to; then why says which, and how it is asked. */
static bool speaks_otherwise(struct watch *w)
{
	const struct dialect *other = atomic_load(&w->run.other);
	uint64_t since = clock_mono_ns() - w->run.begin_ns;

	if (other) {
		snprintf(w->why, sizeof(w->why), "the server speaks %s: --dialect %s",
			 other == &dialect_socketio ? "Socket.IO"
			 : other == &dialect_hub    ? "hub(7)"
						    : "no protocol of its own",
			 other->name);
		return true;
	}
	if (w->now.joined || w->diagnosed || (since < ASK_NS && !load_failed(&w->run)))
		return false;
	/* Once: either it tells, or a person has to try. */
	w->diagnosed = true;
	if (diagnose(&w->run, w->why, sizeof(w->why)))
		return true;
	if (!load_failed(&w->run)) {
		char silence[200];

		diagnose_silence(&w->run, silence, sizeof(silence));
		report_live_clear();
		err_log(ERR_WARN, "%s: %s", w->r->url, silence);
	}
	return false;
}

/* --- phases */

/* All clients become members, or fail. */
static void connect_all(struct watch *w)
{
	uint64_t limit = w->run.begin_ns + (uint64_t)(w->run.plan->ramp_s * 1e9) + CONNECT_NS;
	uint64_t shown = clock_mono_ns() + SECOND, bytes, quiet;

	do {
		wait_until(w, clock_mono_ns() + POLL_NS);
		look(w);
		if (clock_mono_ns() >= shown) {
			end_second(w, -1, false);
			shown += SECOND;
		}
		if (speaks_otherwise(w))
			return;
	} while (w->now.joined + w->now.failed < w->run.clients && !w->stopped &&
		 clock_mono_ns() < limit);
	/* The news of the joins pass. */
	bytes = w->now.counts.bytes_in + 1;
	limit = clock_mono_ns() + SETTLE_MAX_NS;
	for (quiet = 0; quiet < 2 && !w->stopped && clock_mono_ns() < limit;) {
		wait_until(w, clock_mono_ns() + SETTLE_NS);
		look(w);
		quiet = w->now.counts.bytes_in == bytes ? quiet + 1 : 0;
		bytes = w->now.counts.bytes_in;
	}
	w->r->clients_joined = w->now.joined;
	/* Told to stop, the others had no time. */
	w->r->clients_failed = w->stopped ? w->now.failed : w->run.clients - w->now.joined;
}

static void set_times(struct run *r)
{
	const struct plan *p = r->plan;
	uint64_t span = (uint64_t)(p->duration * 1e9), from;

	r->start_ns = clock_mono_ns() + START_NS;
	from = r->start_ns + (uint64_t)(p->warmup * 1e9);
	atomic_store(&r->from_ns, from);
	atomic_store(&r->to_ns, from + span);
	r->storm_ns = p->scenario->storm ? from + span / 2 : NEVER;
	r->kill_ns = p->o->kill_node ? from + span / 2 : NEVER;
	r->slow_from_ns = p->scenario->slow ? from + span / 10 : NEVER;
	r->slow_to_ns = p->scenario->slow ? from + span / 10 * 6 : NEVER;
}

/* Told to stop: the end is now, and so is the beginning where it was not reached. */
static void bring_forward(struct run *r)
{
	uint64_t now = clock_mono_ns() + POLL_NS;

	if (r->from_ns > now)
		atomic_store(&r->from_ns, now);
	if (r->to_ns > now)
		atomic_store(&r->to_ns, now);
}

static void measure(struct watch *w)
{
	struct run *r = &w->run;
	int64_t second = -(int64_t)ceil(w->run.plan->warmup);
	uint64_t to = r->to_ns, from = r->from_ns;

	atomic_store(&r->phase, PHASE_PUBLISH);
	wait_until(w, r->start_ns);
	look(w);
	end_second(w, 0, false);
	w->server_from_s = w->proc_before.cpu_s;
	while (!w->stopped && clock_mono_ns() < to) {
		uint64_t next = from + (uint64_t)(second + 1) * SECOND;

		second++;
		if (next <= r->start_ns + 100 * MS)
			continue;
		/* A short rest at the end is no second. */
		if (next > to)
			next = to;
		wait_until(w, next);
		if (speaks_otherwise(w))
			return;
		if (!w->stopped)
			end_second(w, (double)(int64_t)(next - from) / 1e9, true);
		if (next == from)
			w->server_from_s = w->proc_before.cpu_s;
	}
	if (w->stopped)
		bring_forward(r);
}

/* What is due goes out, and what went out arrives: as long as anything moves, and no longer than
 * --drain. */
static void drain(struct watch *w)
{
	uint64_t limit = w->run.to_ns + (uint64_t)(w->run.plan->drain * 1e9);
	uint64_t moved_ns = clock_mono_ns(), moved = 0, now;

	do {
		wait_until(w, clock_mono_ns() + POLL_NS);
		look(w);
		now = clock_mono_ns();
		if (w->now.counts.delivered + w->now.counts.sent != moved) {
			moved = w->now.counts.delivered + w->now.counts.sent;
			moved_ns = now;
		}
		if (w->now.sent_all)
			atomic_store(&w->run.phase, PHASE_DRAIN);
	} while (!w->at_once && now < limit && now - moved_ns < QUIET_NS &&
		 !(w->now.sent_all && w->now.settled));
	w->run.cut_off = (w->at_once || now >= limit) && now - moved_ns < QUIET_NS;
}

/* --- the run */

static void describe(const struct run *run, struct result *r)
{
	const struct plan *p = run->plan;
	char text[URL_TEXT_MAX];
	struct buf urls = {0};

	for (uint32_t i = 0; i < p->nodes; i++) {
		url_format(&p->url[i], text, sizeof(text));
		if (buf_printf(&urls, "%s%s", i ? " " : "", text) < 0)
			err_die(EX_OSERR, "out of memory");
	}
	need(buf_put(&urls, "", 1) < 0 ? NULL : urls.data);
	r->url = urls.data;
	r->nodes = p->nodes > 1 ? p->nodes : 0;
	r->kill_node = p->o->kill_node != 0;
	r->scenario = need(strdup(p->scenario->name));
	r->dialect = need(strdup(p->dialect->name));
	r->label = p->o->label ? need(strdup(p->o->label)) : NULL;
	r->clients = p->clients;
	r->sessions = p->sessions;
	r->publishers = p->publishers;
	r->threads = p->threads;
	r->bytes = run->messages->len;
	r->rate = p->closed || !p->publishers ? 0 : p->rate;
	r->closed = p->closed;
	r->coalesce = p->o->coalesce;
	r->poisson = p->o->poisson;
	r->acks = p->acks;
	r->no_echo = p->o->no_echo;
	r->churn = p->churn;
	r->slow = p->slow;
	r->deflate = p->o->deflate;
	if (p->scenario->crowd) {
		r->tick = p->o->tick > 0 ? p->o->tick : 0;
		r->batch = p->o->batch;
		r->conflate = p->o->conflate;
		r->compact = p->o->compact;
		r->delta = p->o->delta;
		r->observers = p->crowd.observers;
		r->world = (uint64_t)p->crowd.world;
		r->area = (uint64_t)p->crowd.area;
	}
	r->play = p->o->play ? need(strdup(p->o->play)) : NULL;
	r->speed = p->o->play ? p->speed : 0;
	r->duration = p->duration;
	r->warmup = p->warmup;
	r->seed = p->seed;
	r->cores_shared = cores_shared(run);
	r->started = (double)clock_wall_ms() / 1000;
}

static void start_threads(struct run *run)
{
	for (unsigned i = 0; i < run->threads; i++) {
		int e = pthread_create(&run->loop[i].thread, NULL, loop_main, &run->loop[i]);

		if (e != 0)
			err_die(EX_OSERR, "thread: %s", strerror(e));
	}
}

static void stop_threads(struct run *run)
{
	atomic_store(&run->phase, PHASE_END);
	for (unsigned i = 0; i < run->threads; i++)
		pthread_join(run->loop[i].thread, NULL);
}

static void watch_server(struct watch *w, uint64_t *rss)
{
	struct proc_sample s;

	if (!w->run.plan->proc)
		return;
	proc_read(w->run.plan->proc, &s);
	*rss = s.rss;
	w->r->pids = s.n;
	w->proc_before = s;
	if (s.rss > w->r->rss_max)
		w->r->rss_max = s.rss;
}

static int end_otherwise(struct watch *w)
{
	stop_threads(&w->run);
	report_live_clear();
	err_log(ERR_ERROR, "%s: %s", w->r->url, w->why);
	return EX_UNAVAILABLE;
}

static int run_all(struct watch *w)
{
	struct result *r = w->r;

	watch_server(w, &r->rss_before);
	w->before_ns = clock_mono_ns();
	start_threads(&w->run);
	connect_all(w);
	if (w->why[0])
		return end_otherwise(w);
	if (!w->now.joined) {
		stop_threads(&w->run);
		report_live_clear();
		err_log(ERR_ERROR, "%s: %s", r->url,
			w->run.first_error[0] ? w->run.first_error
			: w->stopped	      ? "interrupted before anybody had joined"
					      : "nobody could connect");
		return EX_UNAVAILABLE;
	}
	watch_server(w, &r->rss_joined);
	set_times(&w->run);
	measure(w);
	if (w->why[0])
		return end_otherwise(w);
	watch_server(w, &r->rss_end);
	r->server_cpu_s = w->proc_before.cpu_s - w->server_from_s;
	drain(w);
	stop_threads(&w->run);
	report_live_clear();
	sum_up(&w->run, r);
	return 0;
}

int run_once(const struct plan *p, struct result *r)
{
	struct watch *w = need(calloc(1, sizeof(*w)));
	int status;

	w->r = r;
	status = setup_run(&w->run, p);
	if (status == 0) {
		describe(&w->run, r);
		w->now.cpu_s = need(calloc(p->threads, sizeof(double)));
		w->before.cpu_s = need(calloc(p->threads, sizeof(double)));
		status = run_all(w);
	}
	setup_free(&w->run);
	free(w->now.cpu_s);
	free(w->before.cpu_s);
	free(w);
	return status;
}
