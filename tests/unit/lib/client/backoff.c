/* Delays: the bounds double up to the cap, every value below is possible, attempts end. */
#include "client/backoff.h"

#include "unit.h"

static uint32_t take_most(uint32_t bound, void *arg)
{
	(void)arg;
	return bound - 1;
}

static uint32_t take_least(uint32_t bound, void *arg)
{
	*(uint32_t *)arg = bound;
	return 0;
}

static void test_doubles_up_to_the_cap(void **state)
{
	static const uint32_t want[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
	struct backoff b = {.base_ms = 1000, .cap_ms = 30000, .limit = 99, .random = take_most};
	uint32_t delay;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(want); i++) {
		assert_true(backoff_next(&b, &delay));
		assert_int_equal(delay, want[i]);
		assert_int_equal(b.attempt, i + 1);
	}
}

static void test_jitter_reaches_zero_and_the_bound(void **state)
{
	uint32_t bound = 0, delay;
	struct backoff b = {.base_ms = 1000, .cap_ms = 30000, .random = take_least, .arg = &bound};

	(void)state;
	assert_true(backoff_next(&b, &delay));
	assert_int_equal(delay, 0);
	assert_int_equal(bound, 1001);
}

static void test_attempts_end_and_reset(void **state)
{
	struct backoff b = {.base_ms = 1, .cap_ms = 1, .limit = 3, .random = take_most};
	uint32_t delay = 77;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(backoff_next(&b, &delay));
	delay = 77;
	assert_false(backoff_next(&b, &delay));
	assert_int_equal(delay, 77);
	backoff_reset(&b);
	assert_true(backoff_next(&b, &delay));
	assert_int_equal(b.attempt, 1);
}

static void test_many_attempts_do_not_overflow(void **state)
{
	struct backoff b = {.base_ms = 3000000000u, .cap_ms = 4000000000u, .random = take_most};
	uint32_t delay;

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_true(backoff_next(&b, &delay));
		assert_int_equal(delay, i ? 4000000000u : 3000000000u);
	}
}

static void test_real_randomness_stays_within(void **state)
{
	struct backoff b = {.base_ms = 4, .cap_ms = 4};
	unsigned seen[5] = {0};
	uint32_t delay;

	(void)state;
	/* 1000 draws miss one of five values with a chance below 10^-95. */
	for (int i = 0; i < 1000; i++) {
		assert_true(backoff_next(&b, &delay));
		assert_in_range(delay, 0, 4);
		seen[delay]++;
	}
	for (int i = 0; i < 5; i++)
		assert_int_not_equal(seen[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_doubles_up_to_the_cap),
	    cmocka_unit_test(test_jitter_reaches_zero_and_the_bound),
	    cmocka_unit_test(test_attempts_end_and_reset),
	    cmocka_unit_test(test_many_attempts_do_not_overflow),
	    cmocka_unit_test(test_real_randomness_stays_within),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
