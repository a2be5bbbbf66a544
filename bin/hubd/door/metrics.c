/* Invariant: every metric is there from the start, with all values of its label, so that rates and
 * alerts have something to begin with. */
#include "door/metrics.h"

#include <string.h>

#include "door/doors_impl.h"
#include "door/engineio.h"
#include "door/process.h"
#include "door/stream.h"
#include "member/member.h"
#include "wire/prometheus.h"

#define COUNT_LABEL(id, label) [id] = label,
#define COUNT_REASON(id, label, status) [id] = label,
static const char *const doors[] = {COUNT_DOORS(COUNT_LABEL)};
static const char *const refusals[] = {COUNT_REFUSALS(COUNT_REASON)};
static const char *const resumes[] = {COUNT_RESUMES(COUNT_LABEL)};
static const char *const steers[] = {COUNT_STEERS(COUNT_LABEL)};
static const char *const memories[] = {COUNT_MEMORIES(COUNT_LABEL)};
#undef COUNT_LABEL
#undef COUNT_REASON

/* The error codes begin behind HUB_OK, which is none. */
static const struct {
	const char *name; /* NULL: no label */
	const char *const *values;
	unsigned first, n;
} labels[] = {
    [BY_NOTHING] = {NULL, NULL, 0, BY_NOTHING_N},
    [BY_DOOR] = {"door", doors, 0, BY_DOOR_N},
    [BY_REASON] = {"reason", refusals, 0, BY_REASON_N},
    [BY_RESULT] = {"result", resumes, 0, BY_RESULT_N},
    [BY_STEER] = {"how", steers, 0, BY_STEER_N},
    [BY_KIND] = {"kind", memories, 0, BY_KIND_N},
    [BY_CODE] = {"code", NULL, HUB_OK + 1, HUB_RULE_FAILED + 1},
};

#define TOTAL PROMETHEUS_COUNTER
#define NOW PROMETHEUS_GAUGE
static const struct metric {
	const char *name, *help;
	enum prometheus_kind kind;
	enum count_by by;
	size_t offset;
} metrics[] = {
#define COUNTER_METRIC(field, by, kind, name, help) \
	{name, help, kind, by, offsetof(struct counters, field)},
    COUNTERS(COUNTER_METRIC)
#undef COUNTER_METRIC
};

static const struct {
	enum count_refusal reason;
	int status;
} statuses[] = {
#define COUNT_STATUS(id, label, status) {id, status},
    COUNT_REFUSALS(COUNT_STATUS)
#undef COUNT_STATUS
};

void metrics_answered(struct worker *w, int status)
{
	size_t i, n = sizeof(statuses) / sizeof(statuses[0]);

	if (status < 400)
		return;
	for (i = 0; i < n && statuses[i].status != status; i++)
		;
	counter_add_at(&w->counters, refused, i < n ? statuses[i].reason : REFUSED_OTHER, 1);
}

/* --- what workers count */

static uint64_t sum(const struct workers *all, const struct metric *m, unsigned i)
{
	size_t at = i * sizeof(atomic_uint_fast64_t);
	uint64_t n = workers_sum(all, m->offset + at, 1);

	if (m->offset == offsetof(struct counters, sent))
		n += workers_sum(all, offsetof(struct counters, delivered) + at, 1);
	return n;
}

/* Some codes have one name on the wire, and so here; they stand together. */
static void put_codes(struct prometheus *p, const struct workers *all, const struct metric *m)
{
	unsigned i = labels[BY_CODE].first, n = labels[BY_CODE].n;

	while (i < n) {
		const char *code = hub_code_name(i);
		uint64_t errors = 0;

		for (; i < n && strcmp(hub_code_name(i), code) == 0; i++)
			errors += sum(all, m, i);
		prometheus_sample(p, m->name, labels[BY_CODE].name, code, errors);
	}
}

static void put_metric(struct prometheus *p, const struct workers *all, const struct metric *m)
{
	unsigned i;

	prometheus_begin(p, m->name, m->kind, m->help);
	if (m->by == BY_CODE) {
		put_codes(p, all, m);
		return;
	}
	for (i = 0; i < labels[m->by].n; i++)
		prometheus_sample(p, m->name, labels[m->by].name,
				  m->by == BY_NOTHING ? NULL : labels[m->by].values[i],
				  sum(all, m, i));
}

/* --- memory that is not counted by workers */

static size_t used(const atomic_size_t *bytes)
{
	return atomic_load_explicit(bytes, memory_order_relaxed);
}

/* Both sides move while they are read. */
static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* What is counted in pieces weighs as much as its struct; the allocator's share is not told. */
static void put_memory(struct prometheus *p, const struct worker *w)
{
	static const char name[] = "hubd_memory_bytes";
	struct registry *registry = w->doors->set->registry;
	const struct log_memory *m = registry->env->memory;
	size_t direct = 0, all = used(&m->used);
	size_t state = used(&m->state), dedup = used(&m->dedup), retained = used(&m->retained);
	uint64_t members = workers_sum(w->all, offsetof(struct counters, members), BY_DOOR_N);
	unsigned i;

	for (i = 0; i < w->all->n; i++)
		direct += used(&w->all->at[i]->members->direct);
	prometheus_sample(p, name, "kind", "log", less(all, state + dedup + retained));
	prometheus_sample(p, name, "kind", "state", state);
	prometheus_sample(p, name, "kind", "dedup", dedup);
	prometheus_sample(p, name, "kind", "retained", retained);
	prometheus_sample(p, name, "kind", "direct", direct);
	prometheus_sample(p, name, "kind", "sessions",
			  registry_count(registry) * sizeof(struct session));
	prometheus_sample(p, name, "kind", "members", members * sizeof(struct seat));
	prometheus_sample(p, name, "kind", "connections",
			  workers_connections(w->all) *
			      (sizeof(struct conn) + sizeof(struct stream)));
}

/* --- all else */

static void one(struct prometheus *p, const char *name, const char *help, uint64_t n)
{
	prometheus_begin(p, name, PROMETHEUS_GAUGE, help);
	prometheus_sample(p, name, NULL, NULL, n);
}

static void put_limits(struct prometheus *p, const struct worker *w)
{
	struct registry *registry = w->doors->set->registry;
	const struct log_memory *m = registry->env->memory;

	one(p, "hubd_sessions", "Sessions now, with members or without.", registry_count(registry));
	one(p, "hubd_sessions_limit", "Sessions that there may be.", registry->max);
	one(p, "hubd_polling_sessions", "Clients of Socket.IO that poll now.",
	    doors_polling(w->all));
	one(p, "hubd_connections_limit", "Connections that there may be.",
	    w->doors->set->max_connections);
	one(p, "hubd_history_bytes", "Memory for the records and states of all sessions.",
	    used(&m->used));
	one(p, "hubd_history_limit_bytes", "What that may be.", m->max);
	one(p, "hubd_workers", "Threads that handle connections.", w->all->n);
	one(p, "hubd_draining", "1 while it sends its clients away to end, else 0.",
	    atomic_load(&w->all->draining));
}

static void put_histogram(struct prometheus *p, const char *name, const char *help,
			  const struct histogram_sum *sum)
{
	prometheus_begin(p, name, PROMETHEUS_HISTOGRAM, help);
	prometheus_histogram(p, name, histogram_bounds, sum->bucket, HISTOGRAM_BUCKETS,
			     sum->sum_ns);
}

/* The store's are there without one too, and say nothing. */
static void put_times(struct prometheus *p, const struct worker *w)
{
	static const char failed[] = "hubd_commit_failures_total";
	struct archive *archive = w->doors->set->registry->env->archive;
	struct histogram_sum lag = {0}, delivery = {0}, commits = {0};
	unsigned i;

	for (i = 0; i < w->all->n; i++) {
		histogram_sum(&lag, &w->all->at[i]->lag);
		histogram_sum(&delivery, &w->all->at[i]->delivery);
	}
	if (archive)
		histogram_sum(&commits, &archive->commits);
	put_histogram(p, "hubd_loop_lag_seconds",
		      "For how long a worker handled events before it looked for others.", &lag);
	put_histogram(p, "hubd_delivery_seconds",
		      "From a session's new record to the last write to a worker's members.",
		      &delivery);
	put_histogram(p, "hubd_commit_seconds", "Commits to the store.", &commits);
	prometheus_begin(p, failed, PROMETHEUS_COUNTER, "Commits to the store that failed.");
	prometheus_sample(p, failed, NULL, NULL,
			  archive ? atomic_load_explicit(&archive->failed, memory_order_relaxed)
				  : 0);
	one(p, "hubd_store_failing", "1 while the store cannot be written to, else 0.",
	    archive && archive->failing(archive));
}

static void put_sockets(struct prometheus *p, const struct worker *w)
{
	static const char name[] = "hubd_socket_buffer_bytes";
	const struct sockets *s = &w->all->at[0]->doors->sockets;

	prometheus_begin(p, name, PROMETHEUS_GAUGE,
			 "Kernel memory that sockets held when they were last looked at.");
	prometheus_sample(p, name, "direction", "send",
			  atomic_load_explicit(&s->send_bytes, memory_order_relaxed));
	prometheus_sample(p, name, "direction", "receive",
			  atomic_load_explicit(&s->receive_bytes, memory_order_relaxed));
	process_metrics(p, atomic_load_explicit(&s->open_fds, memory_order_relaxed),
			w->doors->set->started_ms);
}

int metrics_text(struct worker *w, struct buf *out)
{
	struct prometheus p = {.out = out};
	size_t i;

	prometheus_begin(&p, "hubd_build_info", PROMETHEUS_GAUGE, "1, of that version.");
	prometheus_sample(&p, "hubd_build_info", "version", HUB_VERSION, 1);
	for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		put_metric(&p, w->all, &metrics[i]);
		if (metrics[i].by == BY_KIND)
			put_memory(&p, w);
	}
	put_limits(&p, w);
	put_times(&p, w);
	put_sockets(&p, w);
	return p.status;
}
