/* Connections that take each other's place: as long as nobody makes a habit of it, and then not. */
#include "session/contest.h"

#include "unit.h"

/* Comes CONTEST_TURNS times at once, which goes well. */
static void take_turns(struct contests *all, uint64_t client, uint32_t now_s)
{
	for (int i = 0; i < CONTEST_TURNS; i++)
		assert_int_equal(contest_come(all, client, now_s), 0);
}

static void a_row_ends(void **state)
{
	struct contests all = {0};
	uint32_t want = 1, wait, now_s = 100;

	(void)state;
	take_turns(&all, 7, now_s);
	/* Who asks when it was told to waits longer and longer, and never gets in by that. */
	for (int i = 0; i < 300; i++) {
		wait = contest_come(&all, 7, now_s);
		assert_int_equal(wait, want);
		now_s += wait;
		want = 2 * want < CONTEST_WAIT_S ? 2 * want : CONTEST_WAIT_S;
	}
	/* Another client has nothing to do with it. */
	assert_int_equal(contest_come(&all, 8, now_s), 0);
	/* After a silence it is no row any more. */
	now_s += 2 * CONTEST_WAIT_S + 1;
	take_turns(&all, 7, now_s);
	assert_int_equal(contest_come(&all, 7, now_s), 1);
}

static void who_comes_now_and_then_is_not_told(void **state)
{
	struct contests all = {0};
	uint32_t now_s = UINT32_MAX - 100; /* the clock may come round */

	(void)state;
	for (int i = 0; i < 100; i++, now_s += CONTEST_ROW_S + 1)
		assert_int_equal(contest_come(&all, 7, now_s), 0);
	take_turns(&all, 7, now_s);
	assert_int_equal(contest_come(&all, 7, now_s + CONTEST_ROW_S), 1);
}

static void of_many_the_oldest_is_forgotten(void **state)
{
	struct contests all = {0};

	(void)state;
	for (unsigned i = 0; i < CONTESTS; i++)
		take_turns(&all, i, 100 + i);
	assert_int_equal(contest_come(&all, 0, 110), 1);
	assert_int_equal(contest_come(&all, 99, 110), 0); /* in the place of 1 */
	for (unsigned i = 2; i < CONTESTS; i++)
		assert_int_equal(contest_come(&all, i, 110), 1);
	assert_int_equal(contest_come(&all, 0, 110), 2);
	assert_int_equal(contest_come(&all, 1, 110), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_row_ends),
	    cmocka_unit_test(who_comes_now_and_then_is_not_told),
	    cmocka_unit_test(of_many_the_oldest_is_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("contest", tests, NULL, NULL);
}
