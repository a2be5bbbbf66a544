/* Where a member stands: what it asks for when it comes back, and what it takes for new. */
#include "client/cursor.h"

#include <string.h>

#include "unit.h"

static void expect_ask(const struct cursor *c, const char *want)
{
	char got[CURSOR_JOIN_MAX];

	cursor_ask(c, got);
	assert_string_equal(got, want);
}

static void fresh(struct cursor *c, const char *epoch, uint64_t seq, uint64_t snapshot,
		  const char *reason)
{
	struct cursor_joined j = {
	    .epoch = epoch, .reason = reason, .seq = seq, .snapshot = snapshot};

	cursor_joined(c, &j);
}

static void recovered(struct cursor *c, const char *epoch, uint64_t seq)
{
	struct cursor_joined j = {.epoch = epoch, .reason = "", .seq = seq, .recovered = true};

	cursor_joined(c, &j);
}

static void test_from_now_on(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_NOW, 0);
	expect_ask(&c, "");
	fresh(&c, "e1", 7, 2, "");
	expect_ask(&c, ""); /* the state is not through: from the beginning again */
	assert_int_equal(cursor_record(&c, 3), CURSOR_REPEAT);
	assert_int_equal(cursor_record(&c, 5), CURSOR_REPEAT);
	expect_ask(&c, ",\"since\":7,\"epoch\":\"e1\"");
	assert_int_equal(cursor_record(&c, 8), CURSOR_LIVE);
	assert_int_equal(cursor_record(&c, 8), CURSOR_REPEAT);
	assert_int_equal(cursor_record(&c, 7), CURSOR_REPEAT);
	assert_int_equal(cursor_record(&c, 10), CURSOR_LIVE); /* 9 was its own */
	expect_ask(&c, ",\"since\":10,\"epoch\":\"e1\"");
	recovered(&c, "e1", 20);
	expect_ask(&c, ",\"since\":10,\"epoch\":\"e1\"");
	assert_int_equal(cursor_record(&c, 11), CURSOR_LIVE);
}

static void test_the_state_first(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_STATE, 0);
	fresh(&c, "e", 7, 2, "");
	assert_int_equal(cursor_record(&c, 3), CURSOR_OLD);
	assert_int_equal(cursor_record(&c, 7), CURSOR_OLD);
	assert_int_equal(cursor_record(&c, 8), CURSOR_LIVE);
	/* A hub that sends fewer than it said. */
	cursor_init(&c, CURSOR_STATE, 0);
	fresh(&c, "e", 7, 2, "");
	assert_int_equal(cursor_record(&c, 3), CURSOR_OLD);
	assert_int_equal(cursor_record(&c, 8), CURSOR_LIVE);
	assert_int_equal(cursor_record(&c, 7), CURSOR_REPEAT);
}

static void test_since(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_SINCE, 5);
	expect_ask(&c, ",\"since\":5");
	recovered(&c, "e", 9);
	expect_ask(&c, ",\"since\":5,\"epoch\":\"e\"");
	assert_int_equal(cursor_record(&c, 6), CURSOR_LIVE);
	expect_ask(&c, ",\"since\":6,\"epoch\":\"e\"");
}

static void test_a_resume_that_fails(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_NOW, 0);
	fresh(&c, "e1", 50, 0, "");
	fresh(&c, "e2", 9, 2, "epoch_changed");
	assert_int_equal(cursor_record(&c, 4), CURSOR_OLD);
	/* Cut here, it asks as before, and the state comes again. */
	expect_ask(&c, ",\"since\":50,\"epoch\":\"e1\"");
	fresh(&c, "e2", 9, 2, "epoch_changed");
	assert_int_equal(cursor_record(&c, 4), CURSOR_OLD);
	assert_int_equal(cursor_record(&c, 9), CURSOR_OLD);
	expect_ask(&c, ",\"since\":9,\"epoch\":\"e2\"");
	assert_int_equal(cursor_record(&c, 10), CURSOR_LIVE);
}

static void test_all_of_a_trimmed_log(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_SINCE, 0);
	fresh(&c, "e", 100, 0, "trimmed");
	cursor_gap(&c, 80);
	assert_int_equal(cursor_record(&c, 81), CURSOR_LIVE);
	assert_int_equal(cursor_record(&c, 81), CURSOR_REPEAT);
	expect_ask(&c, ",\"since\":81,\"epoch\":\"e\"");
	/* Of another seq there is no rest. */
	cursor_init(&c, CURSOR_SINCE, 3);
	fresh(&c, "e", 100, 0, "trimmed");
	expect_ask(&c, ",\"since\":100,\"epoch\":\"e\"");
}

static void test_a_gap(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_NOW, 0);
	fresh(&c, "e", 10, 0, "");
	assert_int_equal(cursor_record(&c, 11), CURSOR_LIVE);
	cursor_gap(&c, 40);
	assert_int_equal(cursor_record(&c, 5), CURSOR_OLD);
	assert_int_equal(cursor_record(&c, 30), CURSOR_OLD);
	/* What stands in for the records that are left out may not be complete. */
	expect_ask(&c, ",\"since\":11,\"epoch\":\"e\"");
	assert_int_equal(cursor_record(&c, 41), CURSOR_LIVE);
	assert_int_equal(cursor_record(&c, 40), CURSOR_REPEAT);
	expect_ask(&c, ",\"since\":41,\"epoch\":\"e\"");
	/* And a new connection begins without one. */
	cursor_gap(&c, 60);
	recovered(&c, "e", 70);
	assert_int_equal(cursor_record(&c, 42), CURSOR_LIVE);
}

static void test_own_records(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_NOW, 0);
	fresh(&c, "e", 10, 0, "");
	cursor_own(&c, 11);
	cursor_own(&c, 12);
	expect_ask(&c, ",\"since\":12,\"epoch\":\"e\"");
	/* 13 is another's, and its own acks come before it. */
	cursor_own(&c, 14);
	cursor_own(&c, 15);
	expect_ask(&c, ",\"since\":12,\"epoch\":\"e\"");
	assert_int_equal(cursor_record(&c, 13), CURSOR_LIVE);
	expect_ask(&c, ",\"since\":15,\"epoch\":\"e\"");
	/* One that was logged before. */
	cursor_own(&c, 2);
	expect_ask(&c, ",\"since\":15,\"epoch\":\"e\"");
	cursor_own(&c, 18);
	cursor_gap(&c, 17);
	expect_ask(&c, ",\"since\":15,\"epoch\":\"e\"");
}

static void test_forgetting(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_NOW, 0);
	cursor_forget(&c);
	assert_false(c.lost); /* it never knew */
	fresh(&c, "e", 10, 0, "");
	cursor_forget(&c);
	assert_true(c.lost);
	cursor_forget(&c);
	assert_true(c.lost);
	expect_ask(&c, "");
	/* The state stands in for what was missed. */
	fresh(&c, "e", 20, 1, "");
	assert_int_equal(cursor_record(&c, 3), CURSOR_OLD);
	assert_false(c.lost);
	expect_ask(&c, ",\"since\":20,\"epoch\":\"e\"");
}

static void rest(struct cursor *c, const char *epoch, uint64_t since, uint64_t snapshot)
{
	struct cursor_joined j = {.epoch = epoch,
				  .reason = "trimmed",
				  .seq = 100,
				  .snapshot = snapshot,
				  .rest = true,
				  .since = since};

	cursor_joined(c, &j);
}

static void test_what_is_left(void **state)
{
	struct cursor c;

	(void)state;
	cursor_init(&c, CURSOR_SINCE, 10);
	c.rest = true;
	assert_true(cursor_epoch(&c, "e"));
	expect_ask(&c, ",\"since\":10,\"epoch\":\"e\",\"rest\":true");
	/* A gap, the state from before its end, then the records that are kept. */
	rest(&c, "e", 10, 2);
	cursor_gap(&c, 30);
	assert_int_equal(cursor_record(&c, 4), CURSOR_OLD);
	expect_ask(&c, ",\"since\":10,\"epoch\":\"e\",\"rest\":true");
	assert_int_equal(cursor_record(&c, 28), CURSOR_OLD);
	assert_int_equal(cursor_record(&c, 31), CURSOR_LIVE);
	assert_int_equal(cursor_record(&c, 31), CURSOR_REPEAT);
	expect_ask(&c, ",\"since\":31,\"epoch\":\"e\",\"rest\":true");
	/* Of what it had, a crash has left less. */
	rest(&c, "e", 20, 0);
	assert_int_equal(cursor_record(&c, 21), CURSOR_LIVE);
	/* Another log, from its beginning. */
	rest(&c, "f", 0, 0);
	expect_ask(&c, ",\"since\":0,\"epoch\":\"f\",\"rest\":true");
	assert_int_equal(cursor_record(&c, 1), CURSOR_LIVE);
	/* It is not forgotten: the hub says what is left. */
	cursor_forget(&c);
	expect_ask(&c, ",\"since\":1,\"epoch\":\"f\",\"rest\":true");
	assert_false(c.lost);
	/* Who begins with the state forgets that it has begun. */
	cursor_init(&c, CURSOR_STATE, 0);
	c.rest = true;
	fresh(&c, "e", 7, 2, "");
	cursor_forget(&c);
	expect_ask(&c, ",\"rest\":true");
	assert_false(cursor_epoch(&c, "a b"));
}

static void test_epochs_that_cannot_be_sent_back(void **state)
{
	static const char *const bad[] = {
	    "",
	    "a\"b",
	    "a\\b",
	    "a b",
	    "\n",
	    "\x80",
	    "12345678901234567890123456789012345678901234567890123456789012345"};
	struct cursor c;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		cursor_init(&c, CURSOR_NOW, 0);
		fresh(&c, bad[i], 10, 0, "");
		expect_ask(&c, ",\"since\":10");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_from_now_on),
	    cmocka_unit_test(test_the_state_first),
	    cmocka_unit_test(test_since),
	    cmocka_unit_test(test_a_resume_that_fails),
	    cmocka_unit_test(test_all_of_a_trimmed_log),
	    cmocka_unit_test(test_a_gap),
	    cmocka_unit_test(test_own_records),
	    cmocka_unit_test(test_forgetting),
	    cmocka_unit_test(test_what_is_left),
	    cmocka_unit_test(test_epochs_that_cannot_be_sent_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
