/* Measuring. At both edges of the window the counts are kept as they are, so that what was measured
 * is the difference, and each message counts in the window it was due in. */
#include "load/measure.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "load/bench_member.h"
#include "load/publisher.h"

static double thread_cpu(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_THREAD, &u) < 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- the window */

void measure_start(struct loop *l)
{
	const struct run *r = l->run;

	l->window_from = r->start_ns;
	l->window_span = r->from_ns - r->start_ns;
	l->edge_ns = r->from_ns;
}

static void begin(struct loop *l)
{
	static const enum metric of_messages[] = {METRIC_ACK, METRIC_ACK_SENT, METRIC_EVERY,
						  METRIC_EVERY_SENT, METRIC_LAG};
	const struct run *r = l->run;

	for (size_t i = 0; i < sizeof(of_messages) / sizeof(of_messages[0]); i++)
		memset(&l->metric[of_messages[i]], 0, sizeof(l->metric[0]));
	l->at_from = l->counts;
	l->at_from.due = l->counts.sent + publisher_backlog(l, r->from_ns, true);
	l->cpu_s = thread_cpu();
	l->measuring = true;
	l->window_from = r->from_ns;
	l->window_span = r->to_ns - r->from_ns;
	l->edge_ns = r->to_ns;
	/* Where each message has one receiver, its first and last delivery are the same. */
	if (r->spread)
		l->spread = mmap(NULL, SPREADS_MAX * sizeof(*l->spread), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->spread == MAP_FAILED)
		l->spread = NULL;
}

static void end(struct loop *l)
{
	const struct run *r = l->run;

	l->edge_ns = NEVER;
	l->window_span = r->to_ns - r->from_ns;
	/* What was due until now and waits for this thread alone still counts. */
	publisher_due(l);
	l->at_to = l->counts;
	l->cpu_s = thread_cpu() - l->cpu_s;
	l->measuring = false;
}

void measure_edge(struct loop *l)
{
	if (l->measuring)
		end(l);
	else
		begin(l);
}

void measure_tick(struct loop *l)
{
	const struct run *r = l->run;

	if (l->edge_ns != NEVER)
		l->edge_ns = l->measuring ? atomic_load(&r->to_ns) : atomic_load(&r->from_ns);
	measure_due(l);
}

void measure_free(struct loop *l)
{
	if (l->spread)
		munmap(l->spread, SPREADS_MAX * sizeof(*l->spread));
}

/* --- messages */

/* When it came first and last, over all receivers. */
static void note_spread(struct loop *l, const struct mark *m, uint64_t latency)
{
	uint64_t i = m->number * l->run->npublishers + m->publisher;
	struct spread *s;

	if (i >= SPREADS_MAX)
		return;
	s = &l->spread[i];
	if (!s->first)
		s->first = latency + 1;
	if (latency + 1 > s->last)
		s->last = latency + 1;
}

void measure_delivery(struct loop *l, const struct mark *m, uint64_t latency)
{
	hist_add(&l->metric[METRIC_EVERY], latency);
	hist_add(&l->metric[METRIC_EVERY_SENT], latency > m->late ? latency - m->late : 0);
	if (l->spread)
		note_spread(l, m, latency);
}

void measure_ack(struct loop *l, uint64_t latency, uint64_t latency_sent)
{
	hist_add(&l->metric[METRIC_ACK], latency);
	hist_add(&l->metric[METRIC_ACK_SENT], latency_sent);
}

/* --- what is shown */

static bool all_settled(const struct loop *l)
{
	for (uint32_t i = 0; i < l->nmembers; i++)
		if (!bench_member_settled(l, &l->members[i]))
			return false;
	return true;
}

void measure_snapshot(struct loop *l, int phase)
{
	struct snapshot *s = &l->snapshot;
	unsigned wanted = atomic_load(&l->run->snap);
	uint64_t backlog;

	if (s->number == wanted)
		return;
	backlog = l->publishing ? publisher_backlog(l, l->now, false) : 0;
	pthread_mutex_lock(&l->mutex);
	s->number = wanted;
	s->counts = l->counts;
	s->counts.due = l->counts.sent + backlog;
	s->backlog = backlog;
	s->joined = l->joined;
	s->failed = l->failed;
	s->sent_all = l->publishing && backlog == 0 && l->now >= l->run->to_ns;
	s->settled = phase == PHASE_DRAIN && all_settled(l);
	s->cpu_s = thread_cpu();
	s->every = l->metric[METRIC_EVERY];
	s->ack = l->metric[METRIC_ACK];
	pthread_mutex_unlock(&l->mutex);
}
