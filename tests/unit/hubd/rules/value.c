/* Values: read and written as libjq itself does it, but for what it does badly. */
#include "rules/value.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static struct span span(const char *text)
{
	return (struct span){text, strlen(text)};
}

static const char *const texts[] = {
    "null",
    "true",
    " false ",
    "0",
    "-0.5e-3",
    "123456789012345",
    "1234567890123456",
    "9007199254740993",
    "1.5",
    "100000000000000000000000000000000000000000000000000000000000000000000000000",
    "\"\"",
    "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"",
    "\"\xc3\xa9\xf0\x9f\x98\x80\"",
    "[]",
    "{}",
    " [ 1 , [ ] , { } , \"x\" ] ",
    "{\"a\":{\"b\":[{\"c\":null}]},\"\":0,\"a\\nb\":true}",
    "{ \"a\" : 1 , \"a\" : 2 }",
};

static void texts_are_read_as_libjq_reads_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		assert_true(jv_equal(value_read(span(texts[i])), jv_parse(texts[i])));
	assert_int_equal(jv_get_kind(value_read((struct span){NULL, 0})), JV_KIND_NULL);
}

static void values_are_written_as_libjq_writes_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		jv v = jv_parse(texts[i]), want = jv_dump_string(jv_copy(v), 0);
		struct buf b = {0};

		assert_int_equal(value_put(&b, v, 1000), 0);
		/* Whole numbers have all digits that they had. */
		if (strcmp(texts[i], "9007199254740993") != 0) {
			jv got = jv_parse_sized(b.data, (int)b.len);

			assert_true(jv_equal(got, jv_parse(jv_string_value(want))));
		}
		buf_free(&b);
		jv_free(v);
		jv_free(want);
	}
}

static void expect_text(const char *text, const char *want, size_t len)
{
	jv v = value_read(span(text));

	assert_int_equal(jv_get_kind(v), JV_KIND_STRING);
	assert_int_equal(jv_string_length_bytes(jv_copy(v)), len);
	assert_memory_equal(jv_string_value(v), want, len);
	jv_free(v);
}

static void halves_of_pairs_are_replaced(void **state)
{
	(void)state;
	expect_text("\"\\ud800\"", "\xef\xbf\xbd", 3);
	expect_text("\"\\ud800\\u0000\"", "\xef\xbf\xbd\0", 4);
	expect_text("\"\\udc00x\"", "\xef\xbf\xbdx", 4);
	expect_text("\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7);
	expect_text("\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80", 4);
}

static jv nested(unsigned n)
{
	jv v = jv_null();

	while (n--)
		v = jv_array_append(jv_array(), v);
	return v;
}

static void what_is_written_is_bounded(void **state)
{
	struct buf b = {0};
	jv v = nested(64);

	(void)state;
	assert_int_equal(value_put(&b, v, 1000), 0);
	assert_int_equal(b.len, 64 + 4 + 64);
	jv_free(v);
	v = nested(65);
	assert_int_equal(value_put(&b, v, 1000), -EDOM);
	jv_free(v);
	b.len = 0;
	v = jv_parse("[1,2,3]");
	assert_int_equal(value_put(&b, v, 7), 0);
	b.len = 0;
	assert_int_equal(value_put(&b, v, 6), -E2BIG);
	jv_free(v);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_read_as_libjq_reads_them),
	    cmocka_unit_test(values_are_written_as_libjq_writes_them),
	    cmocka_unit_test(halves_of_pairs_are_replaced),
	    cmocka_unit_test(what_is_written_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
