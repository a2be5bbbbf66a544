/* Times as people write them. */
#include "files/time_text.h"

#include <errno.h>

#include "unit.h"

static void what_is_a_time(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} cases[] = {{"0", 0},
		     {"90", 90000000},
		     {"12.5", 12500000},
		     {"500ms", 500000},
		     {"90s", 90000000},
		     {"3m", 180000000},
		     {"1.5h", 5400000000},
		     {"1d", 86400000000},
		     {"0.0000014", 1},
		     {"1:02", 62000000},
		     {"1:02:03.5", 3723500000},
		     {"1000000000", 1000000000000000}};
	uint64_t us;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_int_equal(time_text_read(cases[i].text, &us), 0);
		assert_int_equal(us, cases[i].us);
	}
}

static void what_is_none(void **state)
{
	static const char *const cases[] = {
	    "",	  "x",	  "-1",	     "+1",   " 1",     ".5",	  "1e3", "1 s",	 "1us",	      "1:",
	    ":1", "1:60", "1:02:60", "1:2s", "1.5:00", "1:2:3:4", "inf", "2d1h", "1000000001"};
	uint64_t us = 7;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_int_equal(time_text_read(cases[i], &us), -EINVAL);
		assert_int_equal(us, 7);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_a_time),
	    cmocka_unit_test(what_is_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("time_text", tests, NULL, NULL);
}
