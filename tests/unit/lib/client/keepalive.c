/* When a silent hub is asked, and when it is given up; time is what the test says. */
#include "client/keepalive.h"

#include "unit.h"

static uint64_t ms;

static enum keepalive_due check(struct keepalive *k, uint64_t now)
{
	ms = 0;
	return keepalive_check(k, now, &ms);
}

static void test_asks_after_silence_and_gives_up(void **state)
{
	struct keepalive k = {.quiet_ms = 1000, .answer_ms = 50};

	(void)state;
	keepalive_heard(&k, 5000);
	assert_int_equal(check(&k, 5400), KEEPALIVE_WAIT);
	assert_int_equal(ms, 600);
	assert_int_equal(check(&k, 6000), KEEPALIVE_ASK);
	assert_int_equal(ms, 50);
	assert_int_equal(check(&k, 6049), KEEPALIVE_WAIT);
	assert_int_equal(ms, 1);
	assert_int_equal(check(&k, 6051), KEEPALIVE_LOST);
	assert_int_equal(ms, 51);
}

static void test_what_is_heard_begins_a_new_quiet_time(void **state)
{
	struct keepalive k = {.quiet_ms = 1000, .answer_ms = 50};

	(void)state;
	keepalive_heard(&k, 0);
	assert_int_equal(check(&k, 1000), KEEPALIVE_ASK);
	keepalive_heard(&k, 1020);
	assert_int_equal(check(&k, 1050), KEEPALIVE_WAIT);
	assert_int_equal(ms, 970);
	assert_int_equal(check(&k, 2020), KEEPALIVE_ASK);
}

static void test_what_is_taken_postpones_the_answer(void **state)
{
	struct keepalive k = {.quiet_ms = 1000, .answer_ms = 50};

	(void)state;
	keepalive_heard(&k, 0);
	keepalive_took(&k, 500);
	assert_int_equal(check(&k, 1000), KEEPALIVE_WAIT);
	assert_int_equal(ms, 500);
	assert_int_equal(check(&k, 1500), KEEPALIVE_ASK);
	keepalive_took(&k, 1540);
	assert_int_equal(check(&k, 1550), KEEPALIVE_WAIT);
	assert_int_equal(ms, 40);
	assert_int_equal(check(&k, 1590), KEEPALIVE_LOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_asks_after_silence_and_gives_up),
	    cmocka_unit_test(test_what_is_heard_begins_a_new_quiet_time),
	    cmocka_unit_test(test_what_is_taken_postpones_the_answer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
