/* What libhub reads of JSON and writes as such: any text comes back as it was; what does not fit is
 * said, and nothing is written behind the room there is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/hub.h"
#include "unit.h"

static void expect_member(const char *text, const char *name, const char *want)
{
	size_t len;
	const char *value = hub_member(text, strlen(text), name, &len);

	if (!want) {
		assert_null(value);
		assert_int_equal(len, 0);
		return;
	}
	assert_non_null(value);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(value, want, len);
}

static void members_are_found(void **state)
{
	static const char text[] =
	    " {\"a\" : 1, \"b\\u0041\":\"x\\\"y\",\"c\":{\"a\":[1,{\"a\":2}]}, \"n\":null}";
	const char *inner;
	size_t len;

	(void)state;
	expect_member(text, "a", "1");
	expect_member(text, "bA", "\"x\\\"y\"");
	expect_member(text, "c", "{\"a\":[1,{\"a\":2}]}");
	expect_member(text, "n", "null");
	expect_member(text, "x", NULL);
	expect_member(text, "", NULL);
	inner = hub_member(text, strlen(text), "c", &len);
	inner = hub_member(inner, len, "a", &len);
	assert_int_equal(len, strlen("[1,{\"a\":2}]"));
	assert_memory_equal(inner, "[1,{\"a\":2}]", len);
	assert_null(hub_member(inner, len, "a", &len));
	expect_member("", "a", NULL);
	expect_member("{\"a\":1", "a", NULL);
	expect_member("{\"a\":1}}", "a", NULL);
	expect_member("\"a\"", "a", NULL);
	expect_member("{", "a", NULL);
}

static void strings_are_read(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(hub_text("\"\"", 2, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(hub_text("\"a\\n\\u00e9\"", 11, out, sizeof(out)), 4);
	assert_string_equal(out, "a\n\xc3\xa9");
	assert_int_equal(hub_text("\"1234567\"", 9, out, sizeof(out)), 7);
	assert_int_equal(hub_text("\"12345678\"", 10, out, sizeof(out)), -ENOSPC);
	assert_string_equal(out, "");
	assert_int_equal(hub_text("\"\"", 2, out, 0), -ENOSPC);
	assert_int_equal(hub_text("7", 1, out, sizeof(out)), -EINVAL);
	assert_int_equal(hub_text("\"a", 2, out, sizeof(out)), -EINVAL);
	assert_int_equal(hub_text("", 0, out, sizeof(out)), -EINVAL);
	assert_int_equal(hub_text("\"\\ud800\"", 8, out, sizeof(out)), -EILSEQ);
	assert_string_equal(out, "");
}

/* In memory of exactly that size, so that a sanitizer sees what is behind it. */
static void any_text_comes_back(void **state)
{
	static const char *const texts[] = {"",
					    "a",
					    "\"",
					    "\\",
					    "\n\t\x01",
					    "\xc3\xa9",
					    "\xe2\x82\xac",
					    "\xf0\x9f\x98\x80",
					    "x\"y\\z\x1f\xc3\xa9\xf0\x9f\x98\x80",
					    "\x7f"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		size_t len = strlen(texts[i]), need = 0;
		char back[64];

		for (size_t cap = 0; cap <= 6 * len + 3; cap++) {
			char *out = malloc(cap ? cap : 1);
			int n = hub_quote(texts[i], len, out, cap);

			assert_non_null(out);
			if (n < 0) {
				assert_int_equal(n, -ENOSPC);
				assert_int_equal(need, 0);
			} else {
				need = need ? need : cap;
				assert_int_equal(strlen(out), n);
				assert_true((size_t)n < cap);
				assert_int_equal((size_t)n + 1, need);
				assert_int_equal(hub_text(out, (size_t)n, back, sizeof(back)), len);
				assert_string_equal(back, texts[i]);
			}
			free(out);
		}
		assert_true(need > 0);
	}
}

static void what_is_no_text_is_replaced(void **state)
{
	char out[32];

	(void)state;
	assert_int_equal(hub_quote("a\xff\xc3", 3, out, sizeof(out)), 9);
	assert_string_equal(out, "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_are_found),
	    cmocka_unit_test(strings_are_read),
	    cmocka_unit_test(any_text_comes_back),
	    cmocka_unit_test(what_is_no_text_is_replaced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hub_json", tests, NULL, NULL);
}
