/* What a string says, without its escapes. */
#include <errno.h>
#include <string.h>

#include "json/json.h"
#include "unit.h"

static void strings_are_unescaped(void **state)
{
	static const struct {
		const char *in;
		int r;
		const char *out;
	} cases[] = {
	    {"", 0, ""},
	    {"plain", 5, "plain"},
	    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", 8, "\"\\/\b\f\n\r\t"},
	    {"a\\u0062c", 3, "abc"},
	    {"\\u007f\\u0080\\u07ff\\u0800\\uffff", 11,
	     "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
	    {"\\ud7ff\\uE000", 6, "\xed\x9f\xbf\xee\x80\x80"},
	    {"\\ud800\\udc00\\uDBFF\\uDFFF", 8, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
	    {"\\ud83d", -EILSEQ, ""},
	    {"\\ude00", -EILSEQ, ""},
	    {"\\ude00\\ud83d", -EILSEQ, ""},
	    {"\\ud83dxxxxxx", -EILSEQ, ""},
	    {"\\ud83d\\n12345", -EILSEQ, ""},
	    {"\\ud83d\\u0061", -EILSEQ, ""},
	    {"\\ud83d\\ue000", -EILSEQ, ""},
	    {"0123456789abcde", 15, "0123456789abcde"},
	    {"0123456789abcdefg", -ENOSPC, ""},
	    {"0123456789abcd\\u00e9", 16, "0123456789abcd\xc3\xa9"},
	    {"0123456789abcde\\u00e9", -ENOSPC, ""},
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		int r = json_unescape(cases[i].in, strlen(cases[i].in), out, sizeof(out));

		if (r != cases[i].r)
			fail_msg("%s: %d", cases[i].in, r);
		if (r > 0)
			assert_memory_equal(out, cases[i].out, (size_t)r);
	}
	assert_int_equal(json_unescape("\\u0000", 6, out, sizeof(out)), 1);
	assert_int_equal(out[0], '\0');
	assert_int_equal(json_unescape("", 0, NULL, 0), 0);
	assert_int_equal(json_unescape("a", 1, NULL, 0), -ENOSPC);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strings_are_unescaped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("json_escape", tests, NULL, NULL);
}
