/* Verdicts. The rules stand in verdict.h, and in hubbench(1); the first that applies is the
 * verdict, and each gives its reason with the figure it went by. */
#include "report/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CPU_LIMIT 0.85
#define LAG_LIMIT_NS 5000000u
#define ACHIEVED_LIMIT 0.99
#define GROWTH_LIMIT 0.05	     /* of the server's memory, in the second half of the run */
#define GROWTH_LEAST (8.0 * 1048576) /* bytes; less is nothing */

static bool say(struct result *r, enum verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool say(struct result *r, enum verdict verdict, const char *fmt, ...)
{
	va_list args;

	r->verdict = verdict;
	va_start(args, fmt);
	vsnprintf(r->verdict_why, sizeof(r->verdict_why), fmt, args);
	va_end(args);
	return true;
}

/* Bytes by which the server's memory grows in the second half, by the line that fits best. */
static double growth(const struct result *r, double *mean)
{
	double n = 0, x = 0, y = 0, xx = 0, xy = 0, span = 0;

	for (size_t i = r->nseries / 2; i < r->nseries; i++) {
		double at = r->series[i].at, rss = (double)r->series[i].server_rss;

		if (rss <= 0)
			continue;
		n++, x += at, y += rss, xx += at * at, xy += at * rss;
		span = at - r->series[r->nseries / 2].at;
	}
	*mean = n > 0 ? y / n : 0;
	if (n < 10 || n * xx - x * x <= 0)
		return 0;
	return (n * xy - x * y) / (n * xx - x * x) * span;
}

static bool failed(struct result *r, const struct verdict_facts *f)
{
	double mean = 0, grown = f->trend ? growth(r, &mean) : 0;

	if (r->audit.lost)
		return say(r, VERDICT_FAILED, "%llu deliveries were lost without a word%s",
			   (unsigned long long)r->audit.lost,
			   f->cut_off ? ", or still under way when --drain ended" : "");
	if (r->audit.differing)
		return say(r, VERDICT_FAILED, "%llu members saw another order than others",
			   (unsigned long long)r->audit.differing);
	if (r->missing)
		return say(r, VERDICT_FAILED, "observers do not know the last of %llu avatars%s",
			   (unsigned long long)r->missing,
			   f->cut_off ? ", or it was still under way when --drain ended" : "");
	if (r->ghosts)
		return say(r, VERDICT_FAILED,
			   "observers still know of %llu avatars that are far away",
			   (unsigned long long)r->ghosts);
	if (r->errors && !r->audit.delivered && !r->observed)
		return say(r, VERDICT_FAILED, "nothing was delivered, and %llu messages refused",
			   (unsigned long long)r->errors);
	if (f->broken)
		return say(r, VERDICT_FAILED,
			   "the server lost a session's log: %llu members found a new one",
			   (unsigned long long)f->broken);
	if (r->clients_failed)
		return say(r, VERDICT_FAILED, "%llu of %llu clients could not connect",
			   (unsigned long long)r->clients_failed, (unsigned long long)r->clients);
	if (f->cluster && f->away)
		return say(r, VERDICT_FAILED, "%llu members did not come back",
			   (unsigned long long)f->away);
	if (f->cluster && r->audit.withheld)
		return say(r, VERDICT_FAILED, "members missed %llu messages, as they were told",
			   (unsigned long long)r->audit.withheld);
	if (f->trend && grown > GROWTH_LEAST && grown > GROWTH_LIMIT * mean)
		return say(r, VERDICT_FAILED,
			   "the server's memory grew by %.0f MiB in the second half",
			   grown / 1048576);
	return false;
}

static bool generator_bound(struct result *r)
{
	uint64_t lag = hist_percentile(&r->metric[METRIC_LAG], 99);
	enum metric main = result_main_metric(r);
	uint64_t p99 = hist_percentile(&r->metric[main], 99);

	if (r->cpu_max > CPU_LIMIT)
		return say(r, VERDICT_GENERATOR_BOUND,
			   "hubbench's busiest thread used %.0f %% of a CPU%s", r->cpu_max * 100,
			   r->threads > 1 ? "" : ": --threads may help");
	if (!r->closed && r->due && lag > LAG_LIMIT_NS && lag > p99 / 4)
		return say(r, VERDICT_GENERATOR_BOUND,
			   "hubbench itself was %.1f ms late (P99): the machine is too busy",
			   (double)lag / 1e6);
	return false;
}

static bool saturated(struct result *r, const struct verdict_facts *f)
{
	double second = r->seconds > 0 ? (double)r->delivered / r->seconds : 0;

	if (f->unsent)
		return say(r, VERDICT_SATURATED,
			   "%llu messages never got out: the server took no more",
			   (unsigned long long)f->unsent);
	if (!r->closed && (double)r->sent < ACHIEVED_LIMIT * (double)r->due)
		return say(r, VERDICT_SATURATED, "%.1f %% of what was due went out in time",
			   100 * (double)r->sent / (double)r->due);
	if (!r->closed && (double)f->behind > second &&
	    (double)f->behind > (1 - ACHIEVED_LIMIT) * (double)(r->delivered + f->behind))
		return say(r, VERDICT_SATURATED,
			   "deliveries fell behind: %llu were under way at the end",
			   (unsigned long long)f->behind);
	if (f->unasked && !f->cluster)
		return say(r, VERDICT_SATURATED, "the server dropped members %llu times",
			   (unsigned long long)f->unasked);
	return false;
}

void verdict_make(struct result *r, const struct verdict_facts *f)
{
	if (failed(r, f) || generator_bound(r) || saturated(r, f))
		return;
	r->verdict = VERDICT_OK;
	r->verdict_why[0] = '\0';
}
