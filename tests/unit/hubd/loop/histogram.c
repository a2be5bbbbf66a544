/* Times fall into the bucket whose bound they do not exceed, and none is lost. */
#include "loop/histogram.h"

#include "unit.h"

static void times_fall_into_buckets(void **state)
{
	struct histogram h = {0};
	struct histogram_sum sum = {0};
	uint64_t want = 0;

	(void)state;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t bound = histogram_bounds[i];

		if (i)
			assert_true(bound > histogram_bounds[i - 1]);
		histogram_add(&h, bound);
		histogram_add(&h, bound + 1);
		want += 2 * bound + 1;
	}
	histogram_add(&h, 0);
	histogram_sum(&sum, &h);
	assert_int_equal(sum.bucket[0], 2);
	for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_int_equal(sum.bucket[i], 2);
	assert_int_equal(sum.bucket[HISTOGRAM_BUCKETS], 1);
	assert_int_equal(sum.sum_ns, want);
}

static void sums_add_up(void **state)
{
	struct histogram a = {0}, b = {0};
	struct histogram_sum sum = {0};

	(void)state;
	histogram_add(&a, 20000);
	histogram_add(&b, 21000);
	histogram_add(&b, UINT64_MAX / 2);
	histogram_sum(&sum, &a);
	histogram_sum(&sum, &b);
	assert_int_equal(sum.bucket[1], 2);
	assert_int_equal(sum.bucket[HISTOGRAM_BUCKETS], 1);
	assert_int_equal(sum.sum_ns, 41000 + UINT64_MAX / 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(times_fall_into_buckets),
	    cmocka_unit_test(sums_add_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
