/* The messages that a line makes, by -t and by -m. */
#include "convert.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/* What a line makes, or the reason why it makes nothing. */
static const char *made(const struct convert *c, const char *line)
{
	static char text[1000];
	struct buf out = {0};
	char why[300] = "";

	switch (convert_line(c, line, strlen(line), &out, why, sizeof(why))) {
	case CONVERT_MADE:
		snprintf(text, sizeof(text), "%.*s", (int)out.len, out.len ? out.data : "");
		break;
	case CONVERT_AS_IS:
		snprintf(text, sizeof(text), "%zu as it is", out.len);
		break;
	case CONVERT_HALT:
		snprintf(text, sizeof(text), "%.*s, halt", (int)out.len, out.len ? out.data : "");
		break;
	case CONVERT_BAD:
		snprintf(text, sizeof(text), "%zu %s", out.len, why);
		break;
	}
	buf_free(&out);
	return text;
}

static void test_wrapping(void **state)
{
	const struct convert c = {.type = "a\"b"};

	(void)state;
	assert_string_equal(made(&c, "x\ty"),
			    "{\"type\":\"a\\\"b\",\"data\":{\"text\":\"x\\u0009y\"}}\n");
	assert_string_equal(made(&c, ""), "{\"type\":\"a\\\"b\",\"data\":{\"text\":\"\"}}\n");
}

static struct convert with_map(const char *program, bool raw)
{
	char why[300];
	struct convert c = {.raw = raw, .map = filter_new(program, why, sizeof(why))};

	assert_non_null(c.map);
	return c;
}

static void test_a_program_makes_all_or_nothing(void **state)
{
	struct convert c = with_map(".[] | {type: .}", false);

	(void)state;
	assert_string_equal(made(&c, "[\"a\",\"b\"]"), "{\"type\":\"a\"}\n{\"type\":\"b\"}\n");
	assert_string_equal(made(&c, "[]"), "");
	assert_non_null(strstr(made(&c, "[\"a\",7]"), "0 "));
	assert_non_null(strstr(made(&c, "[\"a\",]"), "0 bad_json: "));
	filter_free(c.map);
}

static void test_a_program_that_halts(void **state)
{
	struct convert c =
	    with_map("{type: \"a\"}, (select(.n == 2) | halt), {type: \"b\"}", false);

	(void)state;
	assert_string_equal(made(&c, "{\"n\":1}"), "{\"type\":\"a\"}\n{\"type\":\"b\"}\n");
	assert_string_equal(made(&c, "{\"n\":2}"), "{\"type\":\"a\"}\n, halt");
	filter_free(c.map);
}

static void test_text_for_a_program(void **state)
{
	struct convert c = with_map("{type: \"t\", x: .}", true);

	(void)state;
	assert_string_equal(made(&c, "no \"JSON"), "{\"type\":\"t\",\"x\":\"no \\\"JSON\"}\n");
	filter_free(c.map);
}

static void test_what_needs_no_program(void **state)
{
	const struct convert plain = {0};

	(void)state;
	assert_string_equal(made(&plain, "{\"type\":\"ping\",\"from\":1}"), "0 as it is");
	assert_non_null(strstr(made(&plain, "[]"), "0 bad_json: "));
	assert_non_null(strstr(made(&plain, "{\"type\":\"a\",\"key\":1}"), "0 bad_field: "));
	assert_true(convert_blank(" \t\r\n", 4));
	assert_true(convert_blank("", 0));
	assert_false(convert_blank(" x", 2));
}

/* Data is in the record as a whole, whatever the hub makes of fields of these names. */
static void test_data(void **state)
{
	static const struct {
		const char *line, *made;
	} cases[] = {
	    {"{\"type\":\"a\",\"x\":1,\"key\":\"k\",\"session_id\":\"s\"}", NULL},
	    {"{\"type\":\"ping\"}", "{\"type\":\"ping\",\"record\":{\"type\":\"ping\"}}\n"},
	    {" {\"type\":\"m\",\"from\":\"e2\",\"to\":\"e4\"}\r",
	     "{\"type\":\"m\",\"record\":{\"type\":\"m\",\"from\":\"e2\",\"to\":\"e4\"}}\n"},
	    {"{\"seq\":7,\"type\":\"m\",\"msg_id\":\"i\",\"key\":\"k\",\"timestamp\":-1}",
	     "{\"type\":\"m\",\"msg_id\":\"i\",\"key\":\"k\",\"timestamp\":-1,"
	     "\"record\":{\"seq\":7,\"type\":\"m\",\"msg_id\":\"i\",\"key\":\"k\",\"timestamp\":-1}"
	     "}\n"},
	    {"{\"type\":\"m\",\"timestamp\":\"now\",\"msg_id\":7,\"key\":\"k\"}",
	     "{\"type\":\"m\",\"key\":\"k\",\"record\":"
	     "{\"type\":\"m\",\"timestamp\":\"now\",\"msg_id\":7,\"key\":\"k\"}}\n"},
	    {"{\"type\":\"m\",\"session_id\":\"other\"}",
	     "{\"type\":\"m\",\"record\":{\"type\":\"m\",\"session_id\":\"other\"}}\n"},
	    {"{\"type\":\"m\",\"session_id\":5,\"key\":{}}",
	     "{\"type\":\"m\",\"record\":{\"type\":\"m\",\"session_id\":5,\"key\":{}}}\n"},
	};
	const struct convert data = {.session = "s"};
	const struct convert ping = {.session = "s", .type = "ping"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(made(&data, cases[i].line),
				    cases[i].made ? cases[i].made : "0 as it is");
	assert_non_null(strstr(made(&data, "{\"from\":1}"), "0 bad_type: "));
	assert_non_null(
	    strstr(made(&data, "{\"type\":\"a\",\"seq\":1,\"seq\":2}"), "0 bad_field: "));
	assert_non_null(strstr(made(&data, "{\"type\":\"ping\",}"), "0 bad_json: "));
	assert_string_equal(
	    made(&ping, "x"),
	    "{\"type\":\"ping\",\"record\":{\"type\":\"ping\",\"data\":{\"text\":\"x\"}}}\n");
}

static void test_text(void **state)
{
	const struct convert text = {.type = "t"};

	(void)state;
	assert_string_equal(made(&text, "a\r"), "{\"type\":\"t\",\"data\":{\"text\":\"a\"}}\n");
	assert_string_equal(made(&text, "ab\xff"),
			    "0 bad_json: byte 0xff at offset 2 is not UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrapping),
	    cmocka_unit_test(test_a_program_makes_all_or_nothing),
	    cmocka_unit_test(test_a_program_that_halts),
	    cmocka_unit_test(test_text_for_a_program),
	    cmocka_unit_test(test_what_needs_no_program),
	    cmocka_unit_test(test_data),
	    cmocka_unit_test(test_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
