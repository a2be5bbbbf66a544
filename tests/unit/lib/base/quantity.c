/* Quantities as people write them. */
#include "base/quantity.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "unit.h"

static void what_is_a_time(void **state)
{
	static const struct {
		const char *text;
		double seconds;
	} cases[] = {{"0", 0},	      {"90", 90},  {"12.5", 12.5}, {"500ms", 0.5},
		     {"90s", 90},     {"3m", 180}, {"1.5h", 5400}, {"1d", 86400},
		     {"1:02", 62},    {".5", 0.5}, {"5.", 5},	   {"1:02:03.5", 3723.5},
		     {"100:00", 6000}};
	double seconds;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_int_equal(quantity_seconds(cases[i].text, &seconds), 0);
		assert_true(seconds > cases[i].seconds - 1e-9 && seconds < cases[i].seconds + 1e-9);
	}
}

static void what_is_none(void **state)
{
	static const char *const cases[] = {
	    "",	    "x",    "-1",    "+1",    " 1",	 "1 ",	 ".",	   "1e3",     "1e3s", "1 s",
	    "1us",  "1:",   ":1",    "1:60",  "1:02:60", "1:2s", "1.5:00", "1:2:3:4", "inf",  "nan",
	    "2d1h", "0x10", "0x10s", "0X1p3", "1.2.3",	 "1,5",	 "1_000",  "1ss"};
	double seconds = 7;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_int_equal(quantity_seconds(cases[i], &seconds), -EINVAL);
		assert_true(seconds > 6.9 && seconds < 7.1);
	}
}

static void what_is_real(void **state)
{
	static const struct {
		const char *text, *behind;
		double n;
	} cases[] = {{"1e3", "", 1000}, {"1.5E+1x", "x", 15}, {"20e-1", "", 2},	 {"5e", "e", 5},
		     {"5em", "em", 5},	{"7", "", 7},	      {"0x10", "x10", 0}};
	double n;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_string_equal(quantity_real(cases[i].text, &n), cases[i].behind);
		assert_true(n > cases[i].n - 1e-9 && n < cases[i].n + 1e-9);
	}
	assert_null(quantity_real("e3", &n));
	assert_null(quantity_real("-1", &n));
}

static void what_is_a_size(void **state)
{
	static const char *const bad[] = {"",	"k",   "1.5", "0.3k", "0x10",
					  "1T", "1kk", "-1",  "1 k",  "1e3"};
	double bytes;

	(void)state;
	assert_int_equal(quantity_bytes("64k", &bytes), 0);
	assert_int_equal((int)bytes, 65536);
	assert_int_equal(quantity_bytes("1.5k", &bytes), 0);
	assert_int_equal((int)bytes, 1536);
	assert_int_equal(quantity_bytes("3", &bytes), 0);
	assert_int_equal((int)bytes, 3);
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		assert_int_equal(quantity_bytes(bad[i], &bytes), -EINVAL);
}

static void what_is_a_moment(void **state)
{
	static const struct {
		const char *text;
		int kind;
		uint64_t us;
	} cases[] = {
	    {"12.5", MOMENT_SINCE, 12500000},
	    {"0.0000014", MOMENT_SINCE, 1},
	    {"1000000000", MOMENT_SINCE, 1000000000000000},
	    {"+5m", MOMENT_AFTER, 300000000},
	    {"@0", MOMENT_WALL, 0},
	    {"@1795193593.5", MOMENT_WALL, 1795193593500000},
	    {"@2026-11-29T20:15:03Z", MOMENT_WALL, 1795983303000000},
	    {"@2026-11-29T20:15:03.25Z", MOMENT_WALL, 1795983303250000},
	    {"@2026-11-29 20:15Z", MOMENT_WALL, 1795983300000000},
	    {"@2026-11-29T20:15+01:30", MOMENT_WALL, 1795977900000000},
	    {"@2026-11-29T20:15-01:30", MOMENT_WALL, 1795988700000000},
	    /* The zone that the test sets is 2 hours ahead. */
	    {"@2026-11-29T20:15", MOMENT_WALL, 1795976100000000},
	    {"@2026-11-29", MOMENT_WALL, 1795903200000000},
	    {"@2028-02-29Z", MOMENT_WALL, 1835395200000000},
	};
	struct quantity_moment at;

	(void)state;
	setenv("TZ", "TST-2", 1);
	tzset();
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		if (quantity_moment(cases[i].text, &at) != 0)
			fail_msg("%s", cases[i].text);
		assert_int_equal(at.kind, cases[i].kind);
		assert_int_equal(at.us, cases[i].us);
	}
}

static void what_is_no_moment(void **state)
{
	static const char *const cases[] = {"",
					    "+",
					    "++5",
					    "+-5",
					    "-5",
					    "0x10",
					    "+0x10",
					    "@",
					    "@x",
					    "@0x10",
					    "@-5",
					    "@+5",
					    "1000000001",
					    "@2026",
					    "@2026-11",
					    "@2026-1-2",
					    "@2026-13-01Z",
					    "@2026-02-30Z",
					    "@2026-11-31",
					    "@2026-11-29T",
					    "@2026-11-29T20",
					    "@2026-11-29T24:00",
					    "@2026-11-29T20:60",
					    "@2026-11-29T20:15:61",
					    "@1969-12-31Z",
					    "@2026-11-29T20:15z",
					    "@2026-11-29T20:15+1",
					    "@2026-11-29T20:15 Z",
					    "@2026-11-29T20:15Z ",
					    "@99999999999999999999"};
	struct quantity_moment at = {.us = 7};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		if (quantity_moment(cases[i], &at) != -EINVAL)
			fail_msg("%s", cases[i]);
		assert_int_equal(at.us, 7);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_a_time),	 cmocka_unit_test(what_is_none),
	    cmocka_unit_test(what_is_a_size),	 cmocka_unit_test(what_is_a_moment),
	    cmocka_unit_test(what_is_no_moment), cmocka_unit_test(what_is_real),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
