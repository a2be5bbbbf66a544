/* Histograms: percentiles beside the exact ones of a million values, merging, bucket edges. */
#include "base/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define VALUES 1000000

/* splitmix64: the same values in every run. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static double unit(uint64_t *state)
{
	return ((double)(next(state) >> 11) + 0.5) / 9007199254740992.0;
}

/* --- distributions, in nanoseconds */

static uint64_t even(uint64_t *s)
{
	return 1000 + next(s) % 10000000;
}

static uint64_t exponential(uint64_t *s)
{
	return (uint64_t)(-2e6 * log(unit(s)));
}

static uint64_t lognormal(uint64_t *s)
{
	double normal = sqrt(-2 * log(unit(s))) * cos(6.283185307179586 * unit(s));

	return (uint64_t)exp(13 + 2 * normal);
}

/* From a microsecond to minutes, each size as likely. */
static uint64_t every_size(uint64_t *s)
{
	return (uint64_t)(1e3 * pow(2.4e8, unit(s)));
}

/* Fast, but for a stall now and then. */
static uint64_t two_humps(uint64_t *s)
{
	return next(s) % 100 < 97 ? 50000 + next(s) % 1000 : 500000000 + next(s) % 1000000;
}

static uint64_t small(uint64_t *s)
{
	return next(s) % 300;
}

static uint64_t constant(uint64_t *s)
{
	(void)s;
	return 123456789;
}

static uint64_t (*const distributions[])(uint64_t *) = {
    even, exponential, lognormal, every_size, two_humps, small, constant};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_percentiles_agree_with_the_exact_ones(void **state)
{
	static const double percents[] = {0.1, 1,  10,	 25,   50,    75,     90,
					  95,  99, 99.5, 99.9, 99.99, 99.999, 100};
	uint64_t *values = malloc(VALUES * sizeof(*values));
	struct hist *h = malloc(sizeof(*h));

	(void)state;
	assert_non_null(values);
	assert_non_null(h);
	for (size_t d = 0; d < UNIT_COUNT(distributions); d++) {
		uint64_t seed = 7 + d;
		double sum = 0;

		memset(h, 0, sizeof(*h));
		for (size_t i = 0; i < VALUES; i++) {
			values[i] = distributions[d](&seed);
			sum += (double)values[i];
			hist_add(h, values[i]);
		}
		qsort(values, VALUES, sizeof(*values), by_value);
		for (size_t i = 0; i < UNIT_COUNT(percents); i++) {
			size_t rank = (size_t)ceil(percents[i] * VALUES / 100 - 1e-6);
			double exact = (double)values[rank - 1];
			double off = fabs((double)hist_percentile(h, percents[i]) - exact);

			if (off > exact * 0.01)
				fail_msg("distribution %zu, P%g: %.0f, exactly %.0f", d,
					 percents[i], (double)hist_percentile(h, percents[i]),
					 exact);
		}
		assert_int_equal(h->min, values[0]);
		assert_int_equal(h->max, values[VALUES - 1]);
		assert_true(fabs(hist_mean(h) - sum / VALUES) <= sum / VALUES * 1e-9);
	}
	free(values);
	free(h);
}

static void test_merging_loses_nothing(void **state)
{
	struct hist *part = calloc(5, sizeof(*part));
	struct hist *whole = calloc(2, sizeof(*whole));
	uint64_t seed = 42;

	(void)state;
	assert_non_null(part);
	assert_non_null(whole);
	/* The fifth part stays empty. */
	for (size_t i = 0; i < VALUES; i++) {
		uint64_t ns = every_size(&seed);

		hist_add(&whole[0], ns);
		hist_add(&part[next(&seed) % 4], ns);
	}
	for (size_t i = 0; i < 5; i++)
		hist_merge(&whole[1], &part[4 - i]);
	assert_memory_equal(whole[0].count, whole[1].count, sizeof(whole[0].count));
	assert_int_equal(whole[0].n, whole[1].n);
	assert_int_equal(whole[0].min, whole[1].min);
	assert_int_equal(whole[0].max, whole[1].max);
	assert_true(fabs(whole[0].sum - whole[1].sum) <= whole[0].sum * 1e-9);
	for (double p = 0; p <= 100; p += 0.5)
		assert_int_equal(hist_percentile(&whole[0], p), hist_percentile(&whole[1], p));
	free(part);
	free(whole);
}

static void test_buckets_follow_each_other(void **state)
{
	(void)state;
	for (unsigned b = 0; b < HIST_BUCKETS; b++) {
		uint64_t low = hist_bucket_low(b), high = hist_bucket_high(b);

		assert_int_equal(hist_bucket(low), b);
		assert_int_equal(hist_bucket(high), b);
		assert_int_equal(hist_bucket_low(b + 1), high + 1);
		/* The middle is off by less than half a percent. */
		assert_true((high - low) * 200 <= low * 2 || low < 128);
	}
	assert_int_equal(hist_bucket_low(0), 0);
	assert_int_equal(hist_bucket_high(HIST_BUCKETS - 1), (UINT64_C(1) << HIST_MAX_BITS) - 1);
	assert_int_equal(hist_bucket(UINT64_C(1) << HIST_MAX_BITS), HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
}

static void test_few_values(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));

	(void)state;
	assert_non_null(h);
	assert_int_equal(hist_percentile(h, 50), 0);
	assert_int_equal(hist_percentile(h, 100), 0);
	assert_true(hist_mean(h) >= 0 && hist_mean(h) <= 0);
	hist_add(h, 1000003);
	for (double p = 0; p <= 100; p += 10)
		assert_int_equal(hist_percentile(h, p), 1000003);
	/* Nearest rank: of 1 ... 100 the 50th is 50, and of 99.9 % it is the last. */
	memset(h, 0, sizeof(*h));
	for (uint64_t i = 1; i <= 100; i++)
		hist_add(h, i);
	assert_int_equal(hist_percentile(h, 0), 1);
	assert_int_equal(hist_percentile(h, 1), 1);
	assert_int_equal(hist_percentile(h, 50), 50);
	assert_int_equal(hist_percentile(h, 50.1), 51);
	assert_int_equal(hist_percentile(h, 99), 99);
	assert_int_equal(hist_percentile(h, 99.9), 100);
	free(h);
}

static void test_what_is_too_long_counts_as_the_longest(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));
	uint64_t hours = UINT64_C(7200000000000);

	(void)state;
	assert_non_null(h);
	hist_add_n(h, hours, 3);
	assert_int_equal(h->n, 3);
	assert_int_equal(hist_percentile(h, 100), hours);
	assert_int_equal(hist_percentile(h, 50), hours);
	free(h);
}

static void test_what_came_since(void **state)
{
	struct hist *h = calloc(3, sizeof(*h));
	struct hist *before = h + 1, *out = h + 2;

	(void)state;
	assert_non_null(h);
	hist_add(h, 5);
	hist_add(h, 5000000);
	*before = *h;
	hist_since(out, h, before);
	assert_int_equal(out->n, 0);
	assert_int_equal(out->max, 0);
	assert_int_equal(hist_percentile(out, 99), 0);
	hist_add_n(h, 1000000, 10);
	hist_since(out, h, before);
	assert_int_equal(out->n, 10);
	assert_in_range(out->min, 990000, 1000000);
	assert_in_range(out->max, 1000000, 1010000);
	assert_in_range(hist_percentile(out, 50), 990000, 1010000);
	assert_true(fabs(out->sum - 1e7) < 1);
	/* A minute that had what the run has not had before is not longer than the run's longest.
	 */
	hist_add(h, 6000000);
	*before = *h;
	before->count[hist_bucket(6000000)]--;
	hist_since(out, h, before);
	assert_int_equal(out->max, 6000000);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_percentiles_agree_with_the_exact_ones),
	    cmocka_unit_test(test_merging_loses_nothing),
	    cmocka_unit_test(test_buckets_follow_each_other),
	    cmocka_unit_test(test_few_values),
	    cmocka_unit_test(test_what_is_too_long_counts_as_the_longest),
	    cmocka_unit_test(test_what_came_since),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
