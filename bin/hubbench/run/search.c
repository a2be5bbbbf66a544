/* Searching for a rate. Between the best rate that was met and the least that was not, the distance
 * is halved; the result kept is always that of the best. */
#include "run/search.h"

#include <stdlib.h>
#include <string.h>

#include "plan/need.h"
#include "run/run.h"

#define RATE_LEAST 1.0
#define RATE_MOST 1e8
#define CLOSE_ENOUGH 1.05
#define TRIALS_MAX 40

static void note_trial(struct result *into, const struct result *r, double rate, bool met)
{
	struct result_trial *trials =
	    need(realloc(into->trials, (into->ntrials + 1) * sizeof(*into->trials)));

	into->trials = trials;
	trials[into->ntrials++] = (struct result_trial){
	    .rate = rate,
	    .achieved = result_achieved(r),
	    .p99_ns = hist_percentile(&r->metric[result_main_metric(r)], 99),
	    .met = met,
	    .verdict = r->verdict,
	};
}

/* Nothing counts as met that was saturated, lost something, or was hubbench's own limit. */
static bool trial_met(struct expect *const *expect, size_t n, const struct result *r)
{
	char why[128];

	if (r->verdict != VERDICT_OK)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!expect_met(expect[i], r, why, sizeof(why)))
			return false;
	return true;
}

/* One run; *r gets its result in place of the one before, where it is met or nothing was. */
static int trial(struct plan *p, struct expect *const *expect, size_t n, struct result *r, bool any,
		 bool *met, bool *stop)
{
	struct result *one = need(calloc(1, sizeof(*one)));
	int status;

	status = run_once(p, one);
	if (status == 0) {
		*met = trial_met(expect, n, one);
		*stop = one->interrupted;
		note_trial(r, one, p->rate, *met);
		if (*met || !any) {
			one->trials = r->trials;
			one->ntrials = r->ntrials;
			r->trials = NULL;
			r->ntrials = 0;
			result_free(r);
			*r = *one;
			memset(one, 0, sizeof(*one));
		}
	}
	result_free(one);
	free(one);
	return status;
}

int search(struct plan *p, struct expect *const *expect, size_t n, struct result *r)
{
	double good = 0, bad = 0;
	bool met, stop = false;

	for (int i = 0; i < TRIALS_MAX && !stop; i++) {
		int status = trial(p, expect, n, r, good > 0, &met, &stop);

		if (status)
			return status;
		if (met)
			good = p->rate;
		else
			bad = p->rate;
		if (bad > 0 && good > 0 && bad / good < CLOSE_ENOUGH)
			break;
		if (good > 0 && bad > 0)
			p->rate = (good + bad) / 2;
		else
			p->rate = met ? p->rate * 2 : p->rate / 2;
		if (p->rate < RATE_LEAST || p->rate > RATE_MOST)
			break;
	}
	return 0;
}
