/* The text format, byte for byte: HELP, TYPE and samples, what is escaped, times in seconds without
 * a digit lost, histograms that add up. */
#include "wire/prometheus.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static struct buf page;

static struct prometheus begin(void)
{
	page.len = 0;
	return (struct prometheus){.out = &page};
}

static void expect(const struct prometheus *p, const char *want)
{
	assert_int_equal(p->status, 0);
	assert_int_equal(buf_put(&page, "", 1), 0);
	assert_string_equal(page.data, want);
}

static void samples_follow_their_type(void **state)
{
	struct prometheus p = begin();

	(void)state;
	prometheus_begin(&p, "a_total", PROMETHEUS_COUNTER, "So many.");
	prometheus_sample(&p, "a_total", NULL, NULL, 0);
	prometheus_begin(&p, "b", PROMETHEUS_GAUGE, "Now.");
	prometheus_sample(&p, "b", "door", "ws", 18446744073709551615u);
	prometheus_sample(&p, "b", "door", "", 7);
	expect(&p, "# HELP a_total So many.\n# TYPE a_total counter\na_total 0\n"
		   "# HELP b Now.\n# TYPE b gauge\n"
		   "b{door=\"ws\"} 18446744073709551615\nb{door=\"\"} 7\n");
}

static void what_is_special_is_escaped(void **state)
{
	struct prometheus p = begin();

	(void)state;
	prometheus_begin(&p, "a", PROMETHEUS_GAUGE, "a\\b\n\"c\"");
	prometheus_sample(&p, "a", "x", "\\a\"b\nc\"", 1);
	expect(&p, "# HELP a a\\\\b\\n\"c\"\n# TYPE a gauge\na{x=\"\\\\a\\\"b\\nc\\\"\"} 1\n");
}

static void seconds_lose_nothing(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} known[] = {
	    {0, "a 0\n"},
	    {1, "a 0.000000001\n"},
	    {10, "a 0.00000001\n"},
	    {100000000, "a 0.1\n"},
	    {1000000000, "a 1\n"},
	    {1000000001, "a 1.000000001\n"},
	    {10000000000, "a 10\n"},
	    {1795932644384000000, "a 1795932644.384\n"},
	    {UINT64_MAX, "a 18446744073.709551615\n"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(known); i++) {
		struct prometheus p = begin();

		prometheus_seconds(&p, "a", known[i].ns);
		expect(&p, known[i].text);
	}
}

static void buckets_add_up(void **state)
{
	static const uint64_t bounds[] = {1000, 2500000, 1000000000}, count[] = {1, 0, 2, 3};
	struct prometheus p = begin();

	(void)state;
	prometheus_begin(&p, "t_seconds", PROMETHEUS_HISTOGRAM, "Times.");
	prometheus_histogram(&p, "t_seconds", bounds, count, 3, 7500000000);
	expect(&p, "# HELP t_seconds Times.\n# TYPE t_seconds histogram\n"
		   "t_seconds_bucket{le=\"0.000001\"} 1\nt_seconds_bucket{le=\"0.0025\"} 1\n"
		   "t_seconds_bucket{le=\"1\"} 3\nt_seconds_bucket{le=\"+Inf\"} 6\n"
		   "t_seconds_sum 7.5\nt_seconds_count 6\n");
}

/* Where memory was out, the page ends, and it is known. */
static void nothing_follows_an_error(void **state)
{
	struct prometheus p = begin();

	(void)state;
	p.status = -ENOMEM;
	prometheus_begin(&p, "a", PROMETHEUS_GAUGE, "Now.");
	prometheus_sample(&p, "a", "x", "y", 1);
	prometheus_seconds(&p, "a", 1);
	assert_int_equal(p.status, -ENOMEM);
	assert_int_equal(page.len, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(samples_follow_their_type),
	    cmocka_unit_test(what_is_special_is_escaped),
	    cmocka_unit_test(seconds_lose_nothing),
	    cmocka_unit_test(buckets_add_up),
	    cmocka_unit_test(nothing_follows_an_error),
	};
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
	buf_free(&page);
	return failed;
}
