/* Clients that were sent away: what they were given before is worth nothing, as long as it would
 * have been worth something, however many they are. */
#include "auth/ended.h"

#include <sodium.h>
#include <stdlib.h>

#include "unit.h"

#define NOBODY ((struct span){0})

static const struct span ann = {"ann", 3}, bob = {"bob", 3};

static void what_was_given_before_is_worth_nothing(void **state)
{
	struct ended *e = ended_new();

	(void)state;
	assert_false(ended_is(NULL, 7, ann, 1));
	assert_false(ended_is(e, 7, ann, 1));
	ended_client(e, 7, 1000, 0);
	assert_true(ended_is(e, 7, NOBODY, 1000));
	assert_true(ended_is(e, 7, NOBODY, 5000)); /* whatever the clock says */
	assert_false(ended_is(e, 8, NOBODY, 1000));
	ended_user(e, ann, 2000, 0);
	assert_true(ended_is(e, 8, ann, 2000));
	assert_false(ended_is(e, 8, ann, 2001));
	assert_false(ended_is(e, 8, bob, 2000));
	assert_false(ended_is(e, 8, NOBODY, 2000));
	ended_client(e, 7, 3000, 0);
	assert_true(ended_is(e, 7, NOBODY, 3000));
	ended_free(e);
}

static void thousands_are_remembered(void **state)
{
	struct ended *e = ended_new();

	(void)state;
	for (uint64_t id = 1; id <= ENDED_MAX; id++)
		ended_client(e, id, 1000 + id, 0);
	for (uint64_t id = 1; id <= ENDED_MAX; id++) {
		assert_true(ended_is(e, id, NOBODY, 1000 + id));
		assert_false(ended_is(e, id + ENDED_MAX, NOBODY, 1000 + id));
	}
	assert_false(ended_is(e, ENDED_MAX + 1, NOBODY, 1001));
	/* One more: nobody is let off, though others pay for it. */
	ended_client(e, ENDED_MAX + 1, 500000, 0);
	assert_true(ended_is(e, 1, NOBODY, 500000));
	assert_true(ended_is(e, ENDED_MAX + 1, NOBODY, 500000));
	assert_true(ended_is(e, 12345678, ann, 500000));
	assert_false(ended_is(e, 12345678, ann, 500001));
	ended_client(e, 5, 600000, 0);
	assert_true(ended_is(e, 5, NOBODY, 600000));
	assert_false(ended_is(e, 6, NOBODY, 600000));
	ended_free(e);
}

static void they_are_forgotten_in_time(void **state)
{
	struct ended *e = ended_new();

	(void)state;
	/* Those of a second ago make room for as many. */
	for (uint64_t round = 0; round < 5; round++)
		for (uint64_t id = 0; id < ENDED_MAX / 2; id++)
			ended_client(e, round * ENDED_MAX + id, 1000 * (round + 1), 500);
	assert_true(ended_is(e, (uint64_t)4 * ENDED_MAX, NOBODY, 5000));
	assert_false(ended_is(e, 999999999, NOBODY, 5000));
	ended_free(e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_given_before_is_worth_nothing),
	    cmocka_unit_test(thousands_are_remembered),
	    cmocka_unit_test(they_are_forgotten_in_time),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ended", tests, NULL, NULL);
}
