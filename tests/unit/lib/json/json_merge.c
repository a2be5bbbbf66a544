/* Merge patches: those of RFC 7396, and that what was made by comparing makes what it was made of.
 */
#include "json/json_merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"
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

static const char *apply(const char *target, const char *patch, const char *const *last)
{
	static struct buf b;
	int r;

	b.len = 0;
	r = json_merge_apply(&b, target, strlen(target), patch, strlen(patch), last);
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

/* RFC 7396, Appendix A, as far as it is about objects; and what else there is. */
static void patches_are_applied(void **state)
{
	static const char *const cases[][3] = {
	    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
	    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
	    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
	    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
	    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
	    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
	    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
	    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
	    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
	    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	    {"{\"a\":1,\"b\":2}", "{\"a\":null,\"b\":null,\"c\":3}", "{\"c\":3}"},
	    {"{\"a\":1}", "{\"a\":{\"x\":null,\"y\":1}}", "{\"a\":{\"y\":1}}"},
	    {"{\"a\":1,\"a\":1}", "{}", "?"},
	    {"{}", "{\"a\":1,\"a\":1}", "?"},
	    {"{}", "{\"\\u0061\":1}", "?"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		assert_string_equal(apply(cases[i][0], cases[i][1], NULL), cases[i][2]);
}

static void what_is_new_stands_before_what_is_last(void **state)
{
	static const char *const last[] = {"from", "seq", NULL};

	(void)state;
	assert_string_equal(apply("{\"a\":1,\"seq\":1}", "{\"seq\":2,\"b\":3,\"a\":2}", last),
			    "{\"a\":2,\"b\":3,\"seq\":2}");
	assert_string_equal(
	    apply("{\"a\":1,\"from\":2,\"seq\":1}", "{\"from\":null,\"b\":3,\"c\":4}", last),
	    "{\"a\":1,\"b\":3,\"c\":4,\"seq\":1}");
	assert_string_equal(apply("{\"from\":2}", "{\"b\":3}", last), "{\"b\":3,\"from\":2}");
	assert_string_equal(apply("{\"a\":{\"seq\":1}}", "{\"a\":{\"b\":3}}", last),
			    "{\"a\":{\"seq\":1,\"b\":3}}");
	assert_string_equal(apply("{}", "{\"seq\":3}", last), "{\"seq\":3}");
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
	struct buf before = {0}, now = {0}, patch = {0}, made = {0}, rest = {0};
	unsigned patches = 0;

	(void)state;
	srand(7396);
	for (int i = 0; i < 20000; i++) {
		before.len = now.len = patch.len = made.len = rest.len = 0;
		random_object(&before, 0);
		random_object(&now, 0);
		buf_puts(&patch, "{");
		if (json_merge_diff(&patch, before.data, before.len, now.data, now.len, NULL) < 0)
			continue;
		buf_puts(&patch, "}");
		patches++;
		assert_int_equal(
		    json_merge_apply(&made, before.data, before.len, patch.data, patch.len, NULL),
		    0);
		/* The same but for its order: nothing is left to change. */
		assert_int_equal(
		    json_merge_diff(&rest, made.data, made.len, now.data, now.len, NULL), 0);
		assert_int_equal(rest.len, 0);
		assert_int_equal(made.len, now.len);
	}
	assert_true(patches > 10000);
	buf_free(&before);
	buf_free(&now);
	buf_free(&patch);
	buf_free(&made);
	buf_free(&rest);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_has_changed_is_told),
	    cmocka_unit_test(what_has_no_patch_is_told),
	    cmocka_unit_test(patches_are_applied),
	    cmocka_unit_test(what_is_new_stands_before_what_is_last),
	    cmocka_unit_test(what_is_compared_is_made_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("json_merge", tests, NULL, NULL);
}
