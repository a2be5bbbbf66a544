/* When a recording is split: after a size, or after a time. */
#include "record/record_options.h"

#include "unit.h"

static void sizes_and_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes, ns;
	} cases[] = {{"4096", 4096, 0},
		     {"1.5k", 1536, 0},
		     {"100M", UINT64_C(100) << 20, 0},
		     {"2G", UINT64_C(2) << 30, 0},
		     {"500ms", 0, 500000000},
		     {"90s", 0, UINT64_C(90000000000)},
		     {"1h", 0, UINT64_C(3600000000000)},
		     {"1d", 0, UINT64_C(86400000000000)}};
	static const char *const bad[] = {"", "k", "0", "-1", "1kB", "1 k", "nan", "0.1", "1e16"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct record_options o = {0};

		assert_true(record_options_split(&o, cases[i].text));
		assert_int_equal(o.split_bytes, cases[i].bytes);
		assert_int_equal(o.split_ns, cases[i].ns);
	}
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		struct record_options o = {0};

		assert_false(record_options_split(&o, bad[i]));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_and_times)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("record_options", tests, NULL, NULL);
}
