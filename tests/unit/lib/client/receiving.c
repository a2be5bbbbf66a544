/* What a client gives its caller of all that comes. */
#include "lib/client/fake_hub.h"

static void test_kinds_of_messages(void **state)
{
	struct fake *f = begin();

	(void)state;
	start(f);
	run_until(f, CLIENT_JOINED);
	f->got[0] = '\0';
	say(f, "{\"type\":\"pong\",\"session_id\":\"room\",\"timestamp\":1,\"from\":\"abc\","
	       "\"seq\":12}");
	say(f, "{\"type\":\"error\",\"to\":\"me\",\"session_id\":\"room\",\"timestamp\":1,\"from\":"
	       "\"abc\"}");
	say(f, "{\"type\":\"r\",\"session_id\":\"room\",\"from\":\"def\",\"user\":\"ann\",\"seq\":"
	       "13}");
	say(f, "{\"type\":\"r\",\"to\":\"me\",\"from\":\"ghi\",\"user\":\"a\\\",\\\"from\\\":"
	       "\\\"b\\\\\"}");
	say(f, "{\"type\":\"authenticated\",\"a\":\"from\",\"user\":\"ann\"}");
	say(f, "{\"type\":\"error\",\"data\":{\"code\":\"not_member\",\"message\":\"who\\\"\"}}");
	say(f, "{\"type\":\"gap\",\"session_id\":\"room\",\"from_seq\":1,\"to_seq\":2}");
	say(f, "{\"type\":\"ack\",\"msg_id\":\"m\",\"session_id\":\"from\",\"seq\":3}");
	say(f, "{\"type\":\"pong\",\"ping_id\":\"user\",\"server_time\":1}");
	say(f, "nonsense");
	say(f, "");
	assert_int_equal(client_send(f->client, "{\"type\":\"a\"}", 12), 0);
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->got, "record:abc direct:abc record:def direct:ghi hub:authenticated "
				    "hub:errornot_memberwho\" hub:gap hub:pong ");
	end(f);
}

static void test_pausing(void **state)
{
	struct fake *f = begin();

	(void)state;
	start(f);
	run_until(f, CLIENT_JOINED);
	client_pause(f->client);
	f->got[0] = '\0';
	say(f, "{\"type\":\"gap\"}");
	for (int i = 0; i < 5; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_string_equal(f->got, "");
	client_resume(f->client);
	client_drain(f->client);
	send_text(f, "{}");
	run_until_drained(f);
	assert_string_equal(f->got, "hub:gap ");
	end(f);
}

static void test_several_sessions(void **state)
{
	static const struct client_place quiet = {.no_echo = true};
	struct fake *f = begin();

	(void)state;
	start(f);
	assert_int_equal(client_join(f->client, "quiet", &quiet), 0);
	assert_int_equal(client_join(f->client, "bad name", NULL), -EINVAL);
	run_until(f, CLIENT_JOINED);
	assert_string_equal(
	    f->said,
	    JOIN "{\"type\":\"session_associate\",\"session_id\":\"quiet\",\"echo\":false}|");
	/* Each counts its own; a record of a third one passes. */
	f->got[0] = '\0';
	record(f, 8);
	record(f, 7);
	say(f, "{\"type\":\"r\",\"session_id\":\"quiet\",\"from\":\"q\",\"seq\":8}");
	say(f, "{\"type\":\"r\",\"session_id\":\"quiet\",\"from\":\"q\",\"seq\":8}");
	say(f, "{\"type\":\"r\",\"session_id\":\"third\",\"from\":\"t\",\"seq\":1}");
	send_text(f, "{\"type\":\"a\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(strstr(f->got, "record"), "record:8 record:q record:t ");
	client_stop(f->client);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_LEFT);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds_of_messages),
	    cmocka_unit_test(test_pausing),
	    cmocka_unit_test(test_several_sessions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
