/* A table of names: each once, in the order of their coming, where they were first. */
#include "files/tally.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { N = 10000 };

static struct span name(char room[16], int i)
{
	return (struct span){room, (size_t)snprintf(room, 16, "name-%d", i)};
}

static void finds_and_keeps(void **state)
{
	struct tally t = {.extra = sizeof(int), .limit = N};
	struct tally_entry *entry[N], *e;
	char room[16];
	int i;

	(void)state;
	for (i = 0; i < N; i++) {
		entry[i] = tally_find(&t, name(room, i));
		assert_int_equal(*(int *)entry[i]->extra, 0);
		*(int *)entry[i]->extra = i;
	}
	assert_int_equal(t.n, N);
	for (i = 0; i < N; i++)
		assert_ptr_equal(tally_find(&t, name(room, i)), entry[i]);
	assert_int_equal(t.n, N);
	for (i = 0, e = t.first; e; e = e->next, i++) {
		assert_string_equal(e->name, (name(room, i), room));
		assert_int_equal(*(int *)e->extra, i);
	}
	assert_int_equal(i, N);
	tally_free(&t);
	assert_null(t.first);
	assert_int_equal(t.limit, N); /* it can be used again */
}

static void is_full(void **state)
{
	struct tally t = {.limit = 2};
	char room[16];

	(void)state;
	assert_non_null(tally_find(&t, name(room, 1)));
	assert_non_null(tally_find(&t, name(room, 2)));
	assert_false(t.full);
	assert_null(tally_find(&t, name(room, 3)));
	assert_true(t.full);
	assert_non_null(tally_find(&t, name(room, 1)));
	assert_null(t.first->extra);
	tally_free(&t);
}

/* Bytes are compared, not strings; no name is a name. */
static void names_of_any_bytes(void **state)
{
	struct tally t = {.limit = 9};
	struct tally_entry *e = tally_find(&t, (struct span){"a\0b", 3});

	(void)state;
	assert_ptr_not_equal(tally_find(&t, (struct span){"a\0c", 3}), e);
	assert_ptr_not_equal(tally_find(&t, (struct span){"a", 1}), e);
	assert_ptr_equal(tally_find(&t, (struct span){"a\0b", 3}), e);
	e = tally_find(&t, (struct span){NULL, 0});
	assert_string_equal(e->name, "");
	assert_ptr_equal(tally_find(&t, (struct span){"x", 0}), e);
	tally_free(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_and_keeps),
	    cmocka_unit_test(is_full),
	    cmocka_unit_test(names_of_any_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
