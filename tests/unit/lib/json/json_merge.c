/* Merge patches: what is in them, and that they make what they were made of. */
#include "json/json_merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge_patch.h"
#include "unit.h"

/* What of two objects; one that begins with '?' has no patch. */
static const char *diff(const char *before, const char *now, const char *const *skip)
{
	static struct buf b;
	int r;

	b.len = 0;
	r = json_merge_diff(&b, before, strlen(before), now, strlen(now), skip);
	if (r < 0) {
		assert_int_equal(r, -EINVAL);
		return "?";
	}
	assert_int_equal(buf_put(&b, "", 1), 0);
	return b.data;
}

static void what_has_changed_is_told(void **state)
{
	static const char *const skip[] = {"seq", NULL};

	(void)state;
	assert_string_equal(diff("{}", "{}", NULL), "");
	assert_string_equal(diff("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", NULL), "");
	assert_string_equal(diff("{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}", NULL), "\"b\":3");
	assert_string_equal(diff("{\"a\":1}", "{\"b\":[null]}", NULL), "\"b\":[null],\"a\":null");
	assert_string_equal(diff("{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":1,\"y\":3}}", NULL),
			    "\"a\":{\"y\":3}");
	assert_string_equal(diff("{\"a\":{\"x\":1}}", "{\"a\":{ \"x\":1}}", NULL), "");
	assert_string_equal(diff("{\"a\":{\"x\":1}}", "{\"a\":5}", NULL), "\"a\":5");
	assert_string_equal(diff("{\"a\":5}", "{\"a\":{\"x\":1}}", NULL), "\"a\":{\"x\":1}");
	assert_string_equal(diff("{\"seq\":1,\"a\":1}", "{\"a\":2,\"seq\":2}", skip), "\"a\":2");
	/* Only at the top. */
	assert_string_equal(diff("{\"a\":{\"seq\":1}}", "{\"a\":{\"seq\":2}}", skip),
			    "\"a\":{\"seq\":2}");
}

static void what_has_no_patch_is_told(void **state)
{
	char many[JSON_MERGE_MEMBERS * 10 + 20] = "{\"a\":0";

	(void)state;
	assert_string_equal(diff("{\"a\":1}", "{\"a\":null}", NULL), "?");
	assert_string_equal(diff("{\"a\":1}", "{\"a\":{\"x\":null}}", NULL), "?");
	assert_string_equal(diff("{\"a\":{}}", "{\"a\":{\"x\":null}}", NULL), "?");
	assert_string_equal(diff("{}", "{\"a\":1,\"a\":2}", NULL), "?");
	assert_string_equal(diff("{\"a\":1,\"a\":2}", "{}", NULL), "?");
	assert_string_equal(diff("{}", "{\"\\u0061\":1}", NULL), "?");
	/* A null that was there before, and is not to be made. */
	assert_string_equal(diff("{\"a\":null}", "{\"a\":null,\"b\":1}", NULL), "\"b\":1");
	for (unsigned i = 1; i < JSON_MERGE_MEMBERS; i++)
		snprintf(many + strlen(many), 12, ",\"m%u\":1", i);
	strcat(many, "}");
	assert_string_not_equal(diff("{}", many, NULL), "?");
	strcpy(many + strlen(many) - 1, ",\"b\":1}");
	assert_string_equal(diff("{}", many, NULL), "?");
	assert_string_equal(diff(many, "{}", NULL), "?");
}

/* --- by chance */

static void random_value(struct buf *b, unsigned depth);

static void random_object(struct buf *b, unsigned depth)
{
	bool first = true;

	buf_puts(b, "{");
	for (char name = 'a'; name < 'f'; name++) {
		if (rand() % 2)
			continue;
		buf_printf(b, "%s\"%c\":", first ? "" : ",", name);
		random_value(b, depth);
		first = false;
	}
	buf_puts(b, "}");
}

static void random_value(struct buf *b, unsigned depth)
{
	static const char *const plain[] = {"1", "2", "\"null\"", "[null,{}]", "true", "-1e5"};

	if (depth < 3 && rand() % 3 == 0)
		random_object(b, depth + 1);
	else
		buf_puts(b, plain[rand() % (int)UNIT_COUNT(plain)]);
}

static void what_is_compared_is_made_again(void **state)
{
	struct buf before = {0}, now = {0}, patch = {0};
	unsigned patches = 0;

	(void)state;
	srand(7396);
	for (int i = 0; i < 20000; i++) {
		before.len = now.len = patch.len = 0;
		random_object(&before, 0);
		random_object(&now, 0);
		buf_puts(&patch, "{");
		if (json_merge_diff(&patch, before.data, before.len, now.data, now.len, NULL) < 0)
			continue;
		buf_puts(&patch, "}");
		patches++;
		assert_true(merge_patch_makes(&before, &patch, now.data, now.len, NULL));
	}
	assert_true(patches > 10000);
	buf_free(&before);
	buf_free(&now);
	buf_free(&patch);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_has_changed_is_told),
	    cmocka_unit_test(what_has_no_patch_is_told),
	    cmocka_unit_test(what_is_compared_is_made_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("json_merge", tests, NULL, NULL);
}
