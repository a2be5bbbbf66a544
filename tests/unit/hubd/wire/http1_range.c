/* Conditions and ranges: what is asked for, or nothing. */
#include "wire/http1_range.h"

#include "unit.h"

static struct http1_span span(const char *text)
{
	return (struct http1_span){text, strlen(text)};
}

static void tags_are_found(void **state)
{
	static const struct {
		const char *list;
		bool in;
	} cases[] = {
	    {"\"a\"", true},
	    {"W/\"a\"", true},
	    {"*", true},
	    {" * ", true},
	    {"\"b\", \"a\"", true},
	    {",,\"b\" ,W/\"a\" ,", true},
	    {"\"x,y\",\"a\"", true},
	    {"\"b\"\"a\"", true},
	    {"", false},
	    {"a", false},
	    {"\"a", false},
	    {"\"", false},
	    {"w/\"a\"", false},
	    {"W/", false},
	    {"W", false},
	    {"\"A\"", false},
	    {"\"aa\"", false},
	    {"\"\"", false},
	    {"*, \"a\"", false},
	    {"x, \"a\"", false},
	    {"\"x, \"a\"", false},
	    {"**", false},
	    {"\"x\" a \"a\"", false},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		if (http1_tag_in(span(cases[i].list), span("\"a\""), HTTP1_WEAK) != cases[i].in)
			fail_msg("%s", cases[i].list);
}

static void a_weak_tag_is_not_strong(void **state)
{
	static const struct {
		const char *list;
		bool in;
	} cases[] = {
	    {"\"a\"", true},
	    {"*", true},
	    {"W/\"a\"", false},
	    {"W/\"a\", \"a\"", true},
	    {"\"b\" ,\"a\"", true},
	    {"\"b\", W/\"a\"", false},
	    {"", false},
	    {"a", false},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		if (http1_tag_in(span(cases[i].list), span("\"a\""), HTTP1_STRONG) != cases[i].in)
			fail_msg("%s", cases[i].list);
}

static void a_range_is_one_part(void **state)
{
	static const struct {
		const char *value;
		uint64_t size;
		enum http1_range want;
		uint64_t from, len;
	} cases[] = {
	    {"bytes=0-0", 10, HTTP1_PART, 0, 1},
	    {"bytes=2-5", 10, HTTP1_PART, 2, 4},
	    {"bytes=2-", 10, HTTP1_PART, 2, 8},
	    {"bytes=-3", 10, HTTP1_PART, 7, 3},
	    {"bytes=-30", 10, HTTP1_PART, 0, 10},
	    {"bytes=9-9", 10, HTTP1_PART, 9, 1},
	    {"bytes=9-10", 10, HTTP1_PART, 9, 1},
	    {"Bytes=0-18446744073709551615", 10, HTTP1_PART, 0, 10},
	    {"bytes=0-18446744073709551616", 10, HTTP1_PART, 0, 10},
	    {"bytes=-18446744073709551616", 10, HTTP1_PART, 0, 10},
	    {"bytes=\t0-1\t,", 10, HTTP1_PART, 0, 2},
	    {"bytes=0-", UINT64_MAX, HTTP1_PART, 0, UINT64_MAX},
	    {"bytes=1-18446744073709551615", UINT64_MAX, HTTP1_PART, 1, UINT64_MAX - 1},
	    {"bytes=10-", 10, HTTP1_BEYOND, 0, 0},
	    {"bytes=10-20", 10, HTTP1_BEYOND, 0, 0},
	    {"bytes=99999999999999999999-", 10, HTTP1_BEYOND, 0, 0},
	    {"bytes=-0", 10, HTTP1_BEYOND, 0, 0},
	    {"bytes=0-", 0, HTTP1_BEYOND, 0, 0},
	    {"bytes=-1", 0, HTTP1_ALL, 0, 0},
	    {"bytes=5-4", 10, HTTP1_ALL, 0, 0},
	    {"bytes=0-1,2-3", 10, HTTP1_ALL, 0, 0},
	    {"bytes=", 10, HTTP1_ALL, 0, 0},
	    {"bytes=,", 10, HTTP1_ALL, 0, 0},
	    {"bytes=-", 10, HTTP1_ALL, 0, 0},
	    {"bytes=1", 10, HTTP1_ALL, 0, 0},
	    {"bytes=1-x", 10, HTTP1_ALL, 0, 0},
	    {"bytes=1-2-3", 10, HTTP1_ALL, 0, 0},
	    {"bytes=--1", 10, HTTP1_ALL, 0, 0},
	    {"bytes =0-1", 10, HTTP1_ALL, 0, 0},
	    {"lines=0-1", 10, HTTP1_ALL, 0, 0},
	    {"0-1", 10, HTTP1_ALL, 0, 0},
	    {"", 10, HTTP1_ALL, 0, 0},
	};
	uint64_t from, len;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		from = len = 0;
		if (http1_range(span(cases[i].value), cases[i].size, &from, &len) !=
			cases[i].want ||
		    (cases[i].want == HTTP1_PART && (from != cases[i].from || len != cases[i].len)))
			fail_msg("%s of %ju", cases[i].value, (uintmax_t)cases[i].size);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_are_found),
	    cmocka_unit_test(a_weak_tag_is_not_strong),
	    cmocka_unit_test(a_range_is_one_part),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("http1_range", tests, NULL, NULL);
}
