/* What the hub answers to a recorder. */
#include "record/hub_answer.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static bool clock_of(const char *text, uint64_t *ms)
{
	return hub_answer_clock(text, strlen(text), "me", ms);
}

static void the_clock(void **state)
{
	uint64_t ms = 7;

	(void)state;
	assert_true(
	    clock_of("{\"type\":\"pong\",\"ping_id\":\"me\",\"server_time\":1700000000123}", &ms));
	assert_int_equal(ms, 1700000000123);
	ms = 7;
	assert_false(clock_of("{\"ping_id\":\"you\",\"server_time\":1}", &ms));
	assert_false(clock_of("{\"ping_id\":\"mee\",\"server_time\":1}", &ms));
	assert_false(clock_of("{\"ping_id\":\"me\"}", &ms));
	assert_false(clock_of("{\"ping_id\":\"me\",\"server_time\":\"1\"}", &ms));
	assert_false(clock_of("{\"server_time\":1}", &ms));
	assert_false(clock_of("{", &ms));
	assert_int_equal(ms, 7);
}

struct taken {
	char text[200];
	int left; /* names to take */
};

static bool take(const char *session, void *arg)
{
	struct taken *t = arg;

	strcat(strcat(t->text, session), " ");
	return --t->left > 0;
}

static bool sessions_of(struct taken *t, const char *text, int max)
{
	*t = (struct taken){.left = max};
	return hub_answer_sessions(text, strlen(text), take, t);
}

static void the_sessions(void **state)
{
	struct taken t;

	(void)state;
	assert_true(sessions_of(&t, "{\"sessions\":[\"a\",\"b:1\"],\"more\":false}", 9));
	assert_string_equal(t.text, "a b:1 ");
	assert_false(sessions_of(&t, "{\"sessions\":[\"a\"],\"more\":true}", 9));
	assert_string_equal(t.text, "a ");
	assert_false(sessions_of(&t, "{\"sessions\":[\"a\"]}", 9)); /* of one that came */
	assert_true(sessions_of(&t, "{\"more\":false,\"sessions\":[]}", 9));
	assert_string_equal(t.text, "");
	/* One that cannot be taken ends it: they were not all taken. */
	assert_false(sessions_of(&t, "{\"sessions\":[\"a\",\"b\"],\"more\":false}", 1));
	assert_string_equal(t.text, "a ");
}

/* A name becomes that of a file. */
static void no_names(void **state)
{
	struct taken t;

	(void)state;
	assert_true(
	    sessions_of(&t, "{\"sessions\":[\"../x\",\"\",\"a b\",\"c\"],\"more\":false}", 9));
	assert_string_equal(t.text, "c ");
	assert_true(sessions_of(&t, "{\"sessions\":\"a\",\"more\":false}", 9));
	assert_string_equal(t.text, "");
	assert_false(sessions_of(&t, "[\"a\"]", 9));
	assert_false(sessions_of(&t, "{\"sessions\":[\"a\"", 9));
	assert_string_equal(t.text, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_clock),
	    cmocka_unit_test(the_sessions),
	    cmocka_unit_test(no_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hub_answer", tests, NULL, NULL);
}
