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

	assert_true(convert_needed(c));
	if (convert_line(c, line, strlen(line), &out, why, sizeof(why)))
		snprintf(text, sizeof(text), "%.*s", (int)out.len, out.len ? out.data : "");
	else
		snprintf(text, sizeof(text), "%zu %s", out.len, why);
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
	char why[300] = "";

	(void)state;
	assert_false(convert_needed(&plain));
	assert_true(convert_check("{\"type\":\"a\"}", 12, why, sizeof(why)));
	assert_false(convert_check("[]", 2, why, sizeof(why)));
	assert_true(why[0] != '\0');
	assert_true(convert_blank(" \t\r\n", 4));
	assert_true(convert_blank("", 0));
	assert_false(convert_blank(" x", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrapping),
	    cmocka_unit_test(test_a_program_makes_all_or_nothing),
	    cmocka_unit_test(test_text_for_a_program),
	    cmocka_unit_test(test_what_needs_no_program),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
