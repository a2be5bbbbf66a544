/* Base64: the vectors of RFC 4648 section 10, and bytes that are no text. */
#include "base/base64.h"

#include <string.h>

#include "unit.h"

static void test_vectors(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} cases[] = {
	    {"", 0, ""},
	    {"f", 1, "Zg=="},
	    {"fo", 2, "Zm8="},
	    {"foo", 3, "Zm9v"},
	    {"foob", 4, "Zm9vYg=="},
	    {"fooba", 5, "Zm9vYmE="},
	    {"foobar", 6, "Zm9vYmFy"},
	    {"\xff\xfe\xfd", 3, "//79"},
	    {"\0\0", 2, "AAA="},
	    {"\xfb\xf0", 2, "+/A="},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct buf out = {0};

		assert_int_equal(base64_append(&out, cases[i].bytes, cases[i].n), 0);
		assert_int_equal(out.len, strlen(cases[i].text));
		if (out.len)
			assert_memory_equal(out.data, cases[i].text, out.len);
		assert_true(base64_valid(cases[i].text, out.len));
		assert_int_equal(base64_size(cases[i].text, out.len), cases[i].n);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
