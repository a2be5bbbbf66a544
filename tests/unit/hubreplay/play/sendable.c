/* What is sent for a recorded line: the message as its member sent it, or what a filter makes. */
#include "play/sendable.h"

#include <string.h>

#include "json/keys.h"
#include "unit.h"

/* A line with its t, which is its last member, as a reader gives it. */
static struct recording_line line_of(const char *text)
{
	const char *t = strstr(text, ",\"t\":");

	assert_non_null(t);
	return (struct recording_line){
	    .text = text, .len = strlen(text), .body = (size_t)(t - text), .seq = 7};
}

static void check(struct sendable *s, const char *text, const char *want)
{
	struct recording_line line = line_of(text);

	sendable_make(s, &line);
	assert_int_equal(s->made.len, strlen(want));
	if (*want)
		assert_memory_equal(s->made.data, want, strlen(want));
}

static void as_it_was_sent(void **state)
{
	struct progress progress = {0};
	struct losses losses = {&progress, 0};
	struct sendable s;

	(void)state;
	sendable_init(&s, NULL, NULL, false, &losses);
	check(&s,
	      "{\"type\":\"x\",\"session_id\":\"s\",\"msg_id\":\"m\",\"n\":1.50,\"from\":\"c\","
	      "\"seq\":7,\"t\":12.5}",
	      "{\"type\":\"x\",\"session_id\":\"s\",\"n\":1.50}\n");
	/* In front, with blanks, and only at the top. */
	check(&s, "{ \"seq\" : 1 , \"a\" : {\"seq\":2,\"from\":3} , \"from\":\"c\" ,\"t\":1}",
	      "{  \"a\" : {\"seq\":2,\"from\":3} }\n");
	check(&s, "{\"from\":\"c\",\"seq\":7,\"t\":1}", "{}\n");
	/* A t of the sender's own is not that of the recording. */
	check(&s, "{\"type\":\"x\",\"from\":\"c\",\"T\":1,\"t\":1}", "{\"type\":\"x\",\"T\":1}\n");
	assert_int_equal(losses.n, 0);
	sendable_free(&s);
}

static void without_a_session(void **state)
{
	struct progress progress = {0};
	struct losses losses = {&progress, 0};
	struct sendable s;

	(void)state;
	sendable_init(&s, NULL, NULL, true, &losses);
	check(&s, "{\"session_id\":\"s\",\"type\":\"x\",\"t\":1}", "{\"type\":\"x\"}\n");
	check(&s, "{\"type\":\"x\",\"session_id\":\"s\",\"t\":1}", "{\"type\":\"x\"}\n");
	sendable_free(&s);
}

/* The hub's numbers are others now; what is no state is the application's. */
static void conditions_are_left_out(void **state)
{
	struct progress progress = {0};
	struct losses losses = {&progress, 0};
	struct keys *keys = keys_default();
	struct sendable s;

	(void)state;
	assert_non_null(keys);
	sendable_init(&s, NULL, keys, false, &losses);
	check(&s,
	      "{\"newer\":true,\"type\":\"x\",\"key\":\"k\",\"if_seq\":3,\"own\":true,\"ttl\":5,"
	      "\"from\":\"c\",\"seq\":7,\"t\":1}",
	      "{\"type\":\"x\",\"key\":\"k\",\"own\":true,\"ttl\":5}\n");
	check(&s, "{\"type\":\"game_state\",\"if_seq\":3,\"t\":1}", "{\"type\":\"game_state\"}\n");
	check(&s, "{\"type\":\"x\",\"if_seq\":3,\"newer\":7,\"t\":1}",
	      "{\"type\":\"x\",\"if_seq\":3,\"newer\":7}\n");
	sendable_free(&s);
	keys_free(keys);
}

static struct filter *compile(const char *program)
{
	char why[300];
	struct filter *f = filter_new(program, why, sizeof(why));

	assert_non_null(f);
	return f;
}

static void what_a_filter_makes(void **state)
{
	struct progress progress = {0};
	struct losses losses = {&progress, 0};
	struct sendable s;

	(void)state;
	sendable_init(&s,
		      compile("if .n == 0 then empty elif .n == 1 then null elif .n == 2 then 7 "
			      "elif .n == 3 then error(\"no\") else ., {n} end"),
		      NULL, false, &losses);
	check(&s, "{\"n\":0,\"from\":\"c\",\"t\":1}", "");
	check(&s, "{\"n\":1,\"from\":\"c\",\"t\":1}", "");
	assert_int_equal(losses.n, 0);
	check(&s, "{\"n\":2,\"from\":\"c\",\"t\":1}", "");
	assert_int_equal(losses.n, 1);
	check(&s, "{\"n\":3,\"from\":\"c\",\"t\":1}", "");
	assert_int_equal(losses.n, 2);
	/* t goes here, since the filter was given it. */
	check(&s, "{\"n\":4,\"from\":\"c\",\"seq\":2,\"t\":1}", "{\"n\":4}\n{\"n\":4}\n");
	assert_int_equal(losses.n, 2);
	sendable_free(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_it_was_sent),
	    cmocka_unit_test(without_a_session),
	    cmocka_unit_test(conditions_are_left_out),
	    cmocka_unit_test(what_a_filter_makes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sendable", tests, NULL, NULL);
}
