/* Globs: what they match, that a user's name is never one, and what bounds them. */
#include "auth/globs.h"

#include <string.h>

#include "unit.h"

static bool matches(const char *glob, const char *user, const char *text)
{
	struct globs list = {0};
	struct buf memory = {0};
	bool is;

	assert_int_equal(globs_add(&list, &memory, (struct span){glob, strlen(glob)},
				   (struct span){user, strlen(user)}),
			 0);
	is = globs_match(&list, memory.data, (struct span){text, strlen(text)});
	buf_free(&memory);
	return is;
}

static void test_matches(void **state)
{
	static const struct {
		const char *glob, *user, *text;
		bool is;
	} v[] = {
	    {"", "u", "", true},
	    {"", "u", "a", false},
	    {"a", "u", "a", true},
	    {"a", "u", "ab", false},
	    {"ab", "u", "a", false},
	    {"A", "u", "a", false},
	    {"*", "u", "", true},
	    {"*", "u", "anything", true},
	    {"world_*", "u", "world_1", true},
	    {"world_*", "u", "world_", true},
	    {"world_*", "u", "world", false},
	    {"world_*", "u", "my_world_1", false},
	    {"*_1", "u", "world_1", true},
	    {"*_1", "u", "world_1_2", false},
	    {"*a*b*", "u", "xaxxbx", true},
	    {"*a*b*", "u", "xbxxax", false},
	    {"a**b", "u", "ab", true},
	    {"a?c", "u", "abc", true},
	    {"a?c", "u", "ac", false},
	    {"?*", "u", "", false},
	    {"*aab", "u", "aaaaab", true},
	    {"[a-z]", "u", "b", false},
	    {"[a-z]", "u", "[a-z]", true},
	    {"\\*", "u", "\\x", true},
	    {"$user", "ann", "ann", true},
	    {"$user", "ann", "$user", false},
	    {"of_$user_*", "ann", "of_ann_1", true},
	    {"$user$user", "ab", "abab", true},
	    {"$user", "*", "x", false},
	    {"$user", "*", "*", true},
	    {"$user", "a?c", "abc", false},
	    {"$user*", "ann", "anna", true},
	    {"$user", "", "", false},
	    {"$user", "", "x", false},
	    {"x$user", "", "x", false},
	    {"$user", "a\x01", "ab", false},
	    {"$user", "\x02", "b", false},
	    {"a\x01", "u", "ab", false},
	    {"$use", "u", "$use", true},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(v); i++)
		if (matches(v[i].glob, v[i].user, v[i].text) != v[i].is)
			fail_msg("%s, %s: %s", v[i].glob, v[i].user, v[i].text);
}

static void test_lists(void **state)
{
	struct globs none = {0}, one = {0}, all = {0};
	struct span user = {"*", 1};
	struct buf memory = {0};

	(void)state;
	assert_false(globs_match(&none, NULL, (struct span){"a", 1}));
	assert_int_equal(globs_add(&one, &memory, (struct span){"a", 1}, user), 0);
	assert_int_equal(globs_add(&one, &memory, (struct span){"b*", 2}, user), 0);
	assert_int_equal(globs_add(&one, &memory, (struct span){"$user", 5}, user), 0);
	assert_false(one.all);
	assert_int_equal(globs_add(&all, &memory, (struct span){"x", 1}, user), 0);
	assert_int_equal(globs_add(&all, &memory, (struct span){"**", 2}, user), 0);
	assert_true(all.all);
	assert_true(globs_match(&one, memory.data, (struct span){"a", 1}));
	assert_true(globs_match(&one, memory.data, (struct span){"bc", 2}));
	assert_false(globs_match(&one, memory.data, (struct span){"x", 1}));
	assert_false(globs_match(&none, memory.data, (struct span){"a", 1}));
	while (one.n < GLOBS_MAX)
		one.n++;
	assert_int_equal(globs_add(&one, &memory, (struct span){"a", 1}, user), -7);
	buf_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_matches),
	    cmocka_unit_test(test_lists),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
