/* Conditions: what is accepted, what is seen, and what is said of those that make no sense. */
#include "report/expect.h"

#include <stdio.h>
#include <string.h>

#include "result_sample.h"
#include "unit.h"

/* 1 met, 0 not met, -1 refused; why is what was said. */
static int judge(const struct result *r, const char *text, char *why, size_t cap)
{
	struct expect *e = expect_new(text, NULL, why, cap);
	int met;

	if (!e)
		return -1;
	met = expect_met(e, r, why, cap);
	expect_free(e);
	return met;
}

struct judged {
	const char *text;
	int met;
	const char *why;
};

static void check_all(const struct result *r, const struct judged *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char why[256];
		int met = judge(r, cases[i].text, why, sizeof(why));

		if (met != cases[i].met || strcmp(why, cases[i].why) != 0)
			fail_msg("%s: %d, %s", cases[i].text, met, why);
	}
}

/* Simple figures: every value of a metric is its name's. */
static struct result *plain(void)
{
	struct result *r = sample_result();

	memset(r->metric, 0, sizeof(r->metric));
	hist_add_n(&r->metric[METRIC_EVERY], 12300000, 1000);
	hist_add_n(&r->metric[METRIC_EVERY], 60000000, 1);
	hist_add(&r->metric[METRIC_ACK], 1000);
	hist_add(&r->metric[METRIC_CONNECT], 0);
	return r;
}

static void test_durations(void **state)
{
	static const struct judged cases[] = {
	    {"p99<50ms", 1, "every.p99 is 12.3 ms"},
	    {"p99<12ms", 0, "every.p99 is 12.3 ms"},
	    {" p99 <= 0.05 s ", 1, "every.p99 is 12.3 ms"},
	    {"every.p99>12000us", 1, "every.p99 is 12.3 ms"},
	    {"every.p99.9<50ms", 1, "every.p99.9 is 12.3 ms"},
	    {"p100==60ms", 1, "every.p100 is 60.0 ms"},
	    {"every.max>=1m", 0, "every.max is 60.0 ms"},
	    {"max != 60ms", 0, "every.max is 60.0 ms"},
	    {"every.n==1001", 1, "every.n is 1,001"},
	    {"every.mean<12.4ms", 1, "every.mean is 12.3 ms"},
	    {"every.min>12299999ns", 1, "every.min is 12.3 ms"},
	    {"ack.p50<=1us", 1, "ack.p50 is 1.00 us"},
	    {"connect.p50==0", 1, "connect.p50 is 0 ns"},
	    /* What was not measured meets nothing. */
	    {"tls.p50<1h", -1, "\"h\" is no unit here: ns, us, ms, s or m"},
	    {"tls.p50<60m", 0, "the run has no tls.p50"},
	    {"resume.p50>0", 0, "the run has no resume.p50"},
	    {"resume.n==0", 1, "resume.n is 0"},
	};
	struct result *r = plain();

	(void)state;
	check_all(r, cases, UNIT_COUNT(cases));
	sample_free(r);
}

static void test_figures(void **state)
{
	static const struct judged cases[] = {
	    {"lost==0", 1, "lost is 0"},
	    {"lost!=0", 0, "lost is 0"},
	    {"delivered>4.9M", 1, "delivered is 4,998,000"},
	    {"sent>=4998", 1, "sent is 4,998"},
	    {"sent>4998", 0, "sent is 4,998"},
	    {"achieved>=0.99", 1, "achieved is 99.960 %"},
	    {"achieved>=99.9%", 1, "achieved is 99.960 %"},
	    {"achieved==1", 0, "achieved is 99.960 %"},
	    {"achieved_rate>0.49k", 1, "achieved_rate is 500"},
	    {"cpu<80%", 1, "cpu is 41.0 %"},
	    {"bytes_per_client<2KiB", 0, "bytes_per_client is 2.05 KiB"},
	    {"bytes_per_client<2.1kB", 1, "bytes_per_client is 2.05 KiB"},
	    {"bytes_per_client<2098", 1, "bytes_per_client is 2.05 KiB"},
	    {"verdict==ok", 1, "verdict is ok"},
	    {"verdict != generator-bound", 1, "verdict is ok"},
	    {"verdict==saturated", 0, "verdict is ok"},
	};
	struct result *r = plain();
	char why[256];

	(void)state;
	check_all(r, cases, UNIT_COUNT(cases));
	/* A server that nobody watched has no memory. */
	r->pids = 0;
	assert_int_equal(judge(r, "bytes_per_client<1GiB", why, sizeof(why)), 0);
	assert_string_equal(why, "the run has no bytes_per_client");
	r->due = 0;
	assert_int_equal(judge(r, "achieved>=0", why, sizeof(why)), 0);
	sample_free(r);
}

static void test_nonsense_is_named(void **state)
{
	static const struct judged cases[] = {
	    {"", -1, "it begins with no name of a figure"},
	    {"<5ms", -1, "it begins with no name of a figure"},
	    {"p98.7x<5ms", -1, "no figure is called \"p98.7x\""},
	    {"p101<5ms", -1, "no figure is called \"p101\""},
	    {"latency<5ms", -1, "no figure is called \"latency\""},
	    {"every.p<5ms", -1,
	     "\"p\" of every: there are p0 to p100 (such as p99.9), min, max, mean and n"},
	    {"every<5ms", -1, "no figure is called \"every\""},
	    {"p99=<5ms", -1, "no comparison where \"=<5ms\" stands: there are < <= > >= == !="},
	    {"p99", -1, "no comparison where \"\" stands: there are < <= > >= == !="},
	    {"p99<", -1, "\"\" is no number"},
	    {"p99<-5ms", -1, "\"-5ms\" is no number"},
	    {"p99<nan", -1, "\"nan\" is no number"},
	    {"p99<5", -1, "\"5\" has no unit: ns, us, ms, s or m"},
	    {"p99<5 sec", -1, "\"sec\" is no unit here: ns, us, ms, s or m"},
	    {"p99<5MB", -1, "\"MB\" is no unit here: ns, us, ms, s or m"},
	    {"lost==0ms", -1, "\"ms\" is no unit here: k or M"},
	    {"verdict==fine", -1, "\"fine\" is no verdict: ok, saturated, generator-bound, failed"},
	    {"verdict<ok", -1, "a verdict is == or !="},
	};
	struct result *r = plain();

	(void)state;
	check_all(r, cases, UNIT_COUNT(cases));
	sample_free(r);
}

static void test_without_a_name_the_main_metric_is_meant(void **state)
{
	struct result *r = plain();
	char why[256];

	(void)state;
	memset(&r->metric[METRIC_EVERY], 0, sizeof(struct hist));
	assert_int_equal(judge(r, "p99<50ms", why, sizeof(why)), 1);
	assert_string_equal(why, "ack.p99 is 1.00 us");
	memset(&r->metric[METRIC_ACK], 0, sizeof(struct hist));
	assert_int_equal(judge(r, "p99<50ms", why, sizeof(why)), 1);
	assert_string_equal(why, "connect.p99 is 0 ns");
	memset(r->metric, 0, sizeof(r->metric));
	assert_int_equal(judge(r, "p99<50ms", why, sizeof(why)), 0);
	assert_string_equal(why, "the run has no every.p99");
	sample_free(r);
}

static void test_checks_are_noted(void **state)
{
	struct result *r = plain();
	char why[256];
	struct expect *good = expect_new("p99<50ms", NULL, why, sizeof(why));
	struct expect *bad = expect_new("lost > 0", NULL, why, sizeof(why));

	(void)state;
	/* In brackets, since cmocka has a macro of that name. */
	assert_true((expect_check)(good, r));
	assert_false((expect_check)(bad, r));
	assert_int_equal(r->nchecks, 2);
	assert_string_equal(r->checks[0].text, "p99<50ms");
	assert_true(r->checks[0].met);
	assert_string_equal(r->checks[1].text, "lost > 0");
	assert_string_equal(r->checks[1].why, "lost is 0");
	assert_false(r->checks[1].met);
	expect_free(good);
	expect_free(bad);
	expect_free(NULL);
	sample_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_figures),
	    cmocka_unit_test(test_nonsense_is_named),
	    cmocka_unit_test(test_without_a_name_the_main_metric_is_meant),
	    cmocka_unit_test(test_checks_are_noted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
