/* Verdicts: each rule of verdict.h, on both sides of where it begins; and which goes first. */
#include "report/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define MIB 1048576.0
#define SECONDS 60

/* A run in which all went well: ten messages a second to ten receivers, at 1 ms. */
static struct result *good_run(void)
{
	struct result *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->series = calloc(SECONDS, sizeof(*r->series));
	assert_non_null(r->series);
	r->nseries = SECONDS;
	for (size_t i = 0; i < SECONDS; i++) {
		r->series[i].at = (double)i;
		r->series[i].server_rss = (uint64_t)(100 * MIB);
	}
	r->clients = r->clients_joined = 10;
	r->seconds = SECONDS;
	r->due = r->sent = 10 * SECONDS;
	r->delivered = 100 * SECONDS;
	r->audit.expected = r->audit.delivered = r->delivered;
	r->cpu_max = 0.5;
	hist_add_n(&r->metric[METRIC_EVERY], 1000000, r->delivered);
	hist_add_n(&r->metric[METRIC_LAG], 50000, r->due);
	return r;
}

static enum verdict judge(struct result *r, struct verdict_facts facts)
{
	enum verdict v;

	verdict_make(r, &facts);
	v = r->verdict;
	assert_int_equal(v == VERDICT_OK, r->verdict_why[0] == '\0');
	result_free(r);
	free(r);
	return v;
}

static const struct verdict_facts none;

static void all_is_well(void **state)
{
	(void)state;
	assert_int_equal(judge(good_run(), none), VERDICT_OK);
}

static void what_fails(void **state)
{
	struct result *r = good_run();

	(void)state;
	r->audit.lost = 1;
	assert_int_equal(judge(r, none), VERDICT_FAILED);
	r = good_run();
	r->clients_failed = 1;
	assert_int_equal(judge(r, none), VERDICT_FAILED);
	assert_int_equal(judge(good_run(), (struct verdict_facts){.broken = 1}), VERDICT_FAILED);
	assert_int_equal(judge(good_run(), (struct verdict_facts){.cluster = true, .away = 1}),
			 VERDICT_FAILED);
	r = good_run();
	r->audit.differing = 1;
	assert_int_equal(judge(r, none), VERDICT_FAILED);
	r = good_run();
	r->audit.withheld = 1;
	assert_int_equal(judge(r, (struct verdict_facts){.cluster = true}), VERDICT_FAILED);
	r = good_run();
	r->audit.withheld = 1;
	assert_int_equal(judge(r, (struct verdict_facts){.away = 1}), VERDICT_OK);
	/* Before all else. */
	r = good_run();
	r->audit.lost = 1;
	r->cpu_max = 1;
	assert_int_equal(judge(r, none), VERDICT_FAILED);
}

/* The server's memory in a soak: `each` bytes more a second from second `from` on. */
static enum verdict soak(double each, size_t from, double ripple, bool trend)
{
	struct result *r = good_run();

	for (size_t i = 0; i < SECONDS; i++) {
		double grown = i > from ? each * (double)(i - from) : 0;

		r->series[i].server_rss =
		    (uint64_t)(100 * MIB + grown + (i % 2 ? ripple : -ripple));
	}
	return judge(r, (struct verdict_facts){.trend = trend});
}

static void memory_that_grows(void **state)
{
	(void)state;
	assert_int_equal(soak(MIB, 0, 0, true), VERDICT_FAILED);
	assert_int_equal(soak(MIB, 0, 4 * MIB, true), VERDICT_FAILED);
	/* Not looked at; too little; warming up; up and down. */
	assert_int_equal(soak(MIB, 0, 0, false), VERDICT_OK);
	assert_int_equal(soak(MIB / 10, 0, 0, true), VERDICT_OK);
	assert_int_equal(soak(-MIB, 0, 0, true), VERDICT_OK);
	assert_int_equal(soak(0, 0, 20 * MIB, true), VERDICT_OK);
	assert_int_equal(soak(MIB, SECONDS, 0, true), VERDICT_OK);
}

static void the_generator(void **state)
{
	struct result *r = good_run();

	(void)state;
	r->cpu_max = 0.86;
	assert_int_equal(judge(r, none), VERDICT_GENERATOR_BOUND);
	r = good_run();
	r->cpu_max = 0.84;
	assert_int_equal(judge(r, none), VERDICT_OK);
	/* Late by 6 ms, once in fifty times. */
	r = good_run();
	hist_add_n(&r->metric[METRIC_LAG], 6000000, r->due / 50);
	assert_int_equal(judge(r, none), VERDICT_GENERATOR_BOUND);
	r = good_run();
	hist_add_n(&r->metric[METRIC_LAG], 4000000, r->due / 50);
	assert_int_equal(judge(r, none), VERDICT_OK);
	/* Where the server is later by far it changes nothing; and a window has no time to keep. */
	r = good_run();
	hist_add_n(&r->metric[METRIC_LAG], 6000000, r->due / 50);
	hist_add_n(&r->metric[METRIC_EVERY], 100000000, r->delivered);
	assert_int_equal(judge(r, none), VERDICT_OK);
	r = good_run();
	hist_add_n(&r->metric[METRIC_LAG], 6000000, r->due / 50);
	r->closed = 10;
	assert_int_equal(judge(r, none), VERDICT_OK);
}

static void the_server(void **state)
{
	struct result *r = good_run();

	(void)state;
	r->sent = r->due * 98 / 100;
	assert_int_equal(judge(r, none), VERDICT_SATURATED);
	r = good_run();
	r->sent = r->due - 1;
	assert_int_equal(judge(r, none), VERDICT_OK);
	assert_int_equal(judge(good_run(), (struct verdict_facts){.unsent = 1}), VERDICT_SATURATED);
	assert_int_equal(judge(good_run(), (struct verdict_facts){.unasked = 1}),
			 VERDICT_SATURATED);
	assert_int_equal(judge(good_run(), (struct verdict_facts){.cluster = true, .unasked = 1}),
			 VERDICT_OK);
	assert_int_equal(judge(good_run(), (struct verdict_facts){.behind = 101}),
			 VERDICT_SATURATED);
	assert_int_equal(judge(good_run(), (struct verdict_facts){.behind = 99}), VERDICT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_is_well),	 cmocka_unit_test(what_fails),
	    cmocka_unit_test(memory_that_grows), cmocka_unit_test(the_generator),
	    cmocka_unit_test(the_server),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
