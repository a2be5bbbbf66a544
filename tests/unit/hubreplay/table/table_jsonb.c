/* Which JSON jsonb takes. */
#include "table/table_jsonb.h"

#include <string.h>

#include "unit.h"

static void takes(void **state)
{
	static const char *const texts[] = {
	    "{}",
	    "{\"a\":[1,-2.5e+3,true,null,\"x\"]}",
	    "{\"a\":\"\\ud83d\\ude00\\uD83D\\uDE00\"}",
	    "{\"a\":\"\\\\u0000 \\\\ud800 \\\"\\u0001\"}",
	    "{\"\\u00e9\":1E999}",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		assert_true(table_jsonb_takes(texts[i], strlen(texts[i])));
}

static void refuses(void **state)
{
	static const char *const texts[] = {
	    "{\"a\":\"\\u0000\"}",	   "{\"\\u0000\":1}",	     "{\"a\":\"\\ud83d\"}",
	    "{\"a\":\"\\ud83dx\\ude00\"}", "{\"a\":\"\\ude00\"}",    "{\"a\":\"\\ud83d\\ud83d\"}",
	    "{\"a\":\"\\uDBFF\\u0041\"}",  "{\"a\":[\"b\",1e1000]}", "{\"a\":1E-1000}",
	    "{\"a\":\"\\ud83d\\n12345\"}",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		assert_false(table_jsonb_takes(texts[i], strlen(texts[i])));
}

/* What is cut off behind the text is not looked at: it has no closing brace there. */
static void ends(void **state)
{
	static const char text[] = "{\"a\":\"b\",\"t\":1e9999}";
	char digits[1100];

	(void)state;
	assert_true(table_jsonb_takes(text, 8));
	assert_false(table_jsonb_takes(text, sizeof(text) - 1));
	memset(digits, '7', sizeof(digits));
	assert_true(table_jsonb_takes(digits, 1000));
	assert_false(table_jsonb_takes(digits, 1001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
