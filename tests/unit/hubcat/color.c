/* Colours around the tokens, and nothing else changed. */
#include "color.h"

#include <string.h>

#include "unit.h"

#define OFF "\033[0m"
#define KEY "\033[34;1m"
#define STRING "\033[32m"
#define NUMBER "\033[36m"
#define BOOL "\033[33m"
#define NONE "\033[90m"

static void assert_colored(const char *text, const char *expected)
{
	struct buf out = {0};

	assert_int_equal(color_json(&out, text, strlen(text), (struct color_style){.color = true}),
			 0);
	assert_int_equal(out.len, strlen(expected));
	assert_memory_equal(out.data, expected, out.len);
	buf_free(&out);
}

static void test_each_kind_has_its_own(void **state)
{
	(void)state;
	assert_colored("{\"a\" : [1,true,null,\"b\"]}",
		       "{" KEY "\"a\"" OFF " : [" NUMBER "1" OFF "," BOOL "true" OFF "," NONE
		       "null" OFF "," STRING "\"b\"" OFF "]}");
}

static void test_one_line_byte_for_byte(void **state)
{
	(void)state;
	assert_colored("[\n1]", "[ " NUMBER "1" OFF "]");
	assert_colored("\"a\\\"b", STRING "\"a\\\"b" OFF);
}

static void assert_spread(const char *text, const char *expected)
{
	struct buf out = {0};

	assert_int_equal(color_json(&out, text, strlen(text), (struct color_style){.spread = true}),
			 0);
	assert_int_equal(buf_put(&out, "", 1), 0);
	assert_string_equal(out.data, expected);
	buf_free(&out);
}

/* What jq 1.6 prints, but for the tokens, which stay. */
static void test_spread(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_spread(" 1.50e2 ", "1.50e2");
	assert_spread("{ }", "{}");
	assert_spread("[[ ],{}]", "[\n  [],\n  {}\n]");
	assert_spread("{\"a\":[1, 2],\"b,{\" : \"x:[\"}",
		      "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b,{\": \"x:[\"\n}");
	assert_int_equal(color_json(&out, "[null]", 6, (struct color_style){true, true}), 0);
	assert_int_equal(buf_put(&out, "", 1), 0);
	assert_string_equal(out.data, "[\n  " NONE "null" OFF "\n]");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_kind_has_its_own),
	    cmocka_unit_test(test_one_line_byte_for_byte),
	    cmocka_unit_test(test_spread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
