/* From what the threads have counted to the result. Each count of a loop is added once; streams end
 * here. */
#include "run/sum.h"

#include <stdlib.h>
#include <string.h>

#include "load/bench_member.h"
#include "load/crowd.h"
#include "load/publisher.h"
#include "plan/need.h"
#include "report/verdict.h"

static void add_loop(struct result *r, struct loop *l, struct verdict_facts *f)
{
	uint64_t backlog = publisher_rest(l);

	r->due += l->counts.sent + backlog - l->at_from.due;
	r->sent += l->at_to.sent - l->at_from.sent;
	r->acked += l->at_to.acked - l->at_from.acked;
	r->delivered += l->at_to.delivered - l->at_from.delivered;
	r->bytes_in += l->at_to.bytes_in - l->at_from.bytes_in;
	r->backlog_end += l->counts.sent + backlog - l->at_to.sent;
	r->errors += l->errors;
	r->reconnects += l->reconnects;
	r->cpu_s += l->cpu_s;
	f->unsent += backlog;
	f->unasked += l->unasked;
	f->behind += l->counts.delivered - l->at_to.delivered;
	for (uint32_t i = 0; i < l->nmembers; i++) {
		f->broken += l->members[i].broken;
		f->away += l->members[i].away && l->members[i].state != MEMBER_JOINED;
		if (!l->run->crowd)
			bench_member_audit(l, &l->members[i], false);
	}
	if (l->run->crowd)
		crowd_end(l);
	r->observed += l->observed;
	r->observed_bytes += l->observed_bytes;
	r->missing += l->missing;
	r->ghosts += l->ghosts;
	r->audit.delivered += l->audit.delivered;
	r->audit.lost += l->audit.lost;
	r->audit.duplicated += l->audit.duplicated;
	r->audit.reordered += l->audit.reordered;
	r->audit.withheld += l->audit.withheld;
	r->audit.unknown += l->audit.unknown;
	for (int m = 0; m < METRICS; m++)
		hist_merge(&r->metric[m], &l->metric[m]);
}

/* Messages that went down with their publisher's connection are in the log or not: nobody promised,
 * and the publisher knows. Where the log that members saw ends before them, they are not, and count
 * as refused. */
static void drop_unlogged(const struct run *run, struct result *r)
{
	uint64_t *end = need(calloc(run->sessions, sizeof(*end)));

	for (unsigned t = 0; t < run->threads; t++) {
		const struct loop *l = &run->loop[t];

		for (uint32_t i = 0; i < l->nmembers; i++) {
			const struct member *m = &l->members[i];

			if (m->nstreams && m->streams->next != STREAM_ANY &&
			    m->streams->next - m->foreign > end[m->session])
				end[m->session] = m->streams->next - m->foreign;
		}
	}
	for (uint32_t i = 0; i < run->sessions; i++) {
		struct session *s = &run->session[i];
		uint64_t published = end[i] > s->head ? end[i] - s->head - 1 : 0;

		if (s->unsure && published < s->published) {
			r->errors += s->published - published;
			s->published = published;
		}
	}
	free(end);
}

/* Members of a session that have had all from the first one on, and nothing is missing. */
static void compare_orders(const struct run *run, struct result *r)
{
	const struct member **first = need(calloc(run->sessions, sizeof(*first)));

	for (unsigned t = 0; t < run->threads; t++) {
		const struct loop *l = &run->loop[t];

		for (uint32_t i = 0; i < l->nmembers; i++) {
			const struct member *m = &l->members[i];
			const struct session *s = &run->session[m->session];

			if (m->broken || m->late || m->nstreams != 1 || m->streams->holes ||
			    m->streams->next != s->head + s->published + m->foreign + 1)
				continue;
			if (!first[m->session])
				first[m->session] = m;
			r->audit.compared++;
			r->audit.differing += m->order != first[m->session]->order;
		}
	}
	free(first);
}

/* The first and the last delivery of each message, over all threads. */
static void add_spreads(const struct run *run, struct result *r)
{
	uint64_t most = 0;

	if (!run->spread) {
		r->metric[METRIC_FIRST] = r->metric[METRIC_LAST] = r->metric[METRIC_EVERY];
		return;
	}
	for (uint32_t i = 0; i < run->npublishers; i++) {
		uint64_t sent = run->publisher[i].sent * run->npublishers;

		most = sent > most ? sent : most;
	}
	for (uint64_t i = 0; i < most && i < SPREADS_MAX; i++) {
		struct spread s = {0};

		for (unsigned t = 0; t < run->threads; t++) {
			const struct spread *one = run->loop[t].spread;

			if (!one || !one[i].first)
				continue;
			if (!s.first || one[i].first < s.first)
				s.first = one[i].first;
			if (one[i].last > s.last)
				s.last = one[i].last;
		}
		if (!s.first)
			continue;
		hist_add(&r->metric[METRIC_FIRST], s.first - 1);
		hist_add(&r->metric[METRIC_LAST], s.last - 1);
	}
	if (most > SPREADS_MAX && !r->first_error[0])
		snprintf(r->first_error, sizeof(r->first_error),
			 "first and last delivery are those of the first %u messages", SPREADS_MAX);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The busiest thread's share in the middle one of all seconds; of a run without whole seconds, in
 * all of it. */
static double busiest(const struct run *run, const struct result *r)
{
	double *shares = malloc((r->nseries + 1) * sizeof(*shares)), share = 0;
	size_t n = 0;

	for (size_t i = 0; shares && i < r->nseries; i++)
		if (r->series[i].at >= 1)
			shares[n++] = r->series[i].cpu;
	for (unsigned t = 0; n == 0 && t < run->threads; t++)
		if (r->seconds > 0 && run->loop[t].cpu_s / r->seconds > share)
			share = run->loop[t].cpu_s / r->seconds;
	if (n) {
		qsort(shares, n, sizeof(*shares), compare_doubles);
		share = shares[n / 2];
	}
	free(shares);
	return share;
}

void sum_up(struct run *run, struct result *r)
{
	struct verdict_facts f = {.trend = run->plan->scenario->trend,
				  .cluster = run->plan->scenario->cluster,
				  .cut_off = run->cut_off};

	r->seconds = (double)(run->to_ns - run->from_ns) / 1e9;
	memcpy(r->first_error, run->first_error, sizeof(r->first_error));
	if (run->dialect->seq && !run->crowd)
		drop_unlogged(run, r);
	if (run->ordered && !run->crowd)
		compare_orders(run, r);
	for (unsigned i = 0; i < run->threads; i++)
		add_loop(r, &run->loop[i], &f);
	r->audit.expected = r->audit.delivered + r->audit.lost + r->audit.withheld;
	add_spreads(run, r);
	r->cpu_max = busiest(run, r);
	verdict_make(r, &f);
}
