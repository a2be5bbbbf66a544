/* What a client sends, and what counts as an answer to it. */
#include "lib/client/fake_hub.h"

static void test_joins_sends_drains_leaves(void **state)
{
	struct fake *f = begin();

	(void)state;
	start(f);
	run_until(f, CLIENT_JOINED);
	assert_string_equal(f->states, "connecting open joined ");
	assert_string_equal(f->last.client_id, "me");
	assert_int_equal(f->last.seq, 7);
	assert_int_equal(f->last.user_count, 2);
	send_text(f, "{\"type\":\"a\"}\n");
	send_text(f, "{\"type\":\"b\"} ");
	assert_int_equal(client_unconfirmed(f->client), 2);
	client_drain(f->client);
	run_until_drained(f);
	assert_int_equal(client_unconfirmed(f->client), 0);
	client_stop(f->client);
	assert_int_equal(client_send(f->client, "{}", 2), -EPIPE);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_LEFT);
	assert_string_equal(f->said, JOIN "{\"type\":\"a\",\"msg_id\":\"0\"}|"
					  "{\"type\":\"b\",\"msg_id\":\"1\"}|"
					  "{\"type\":\"session_leave\",\"session_id\":\"room\"}|");
	/* Pongs of its own are kept back. */
	assert_string_equal(f->got, "hub:session_associated hub:session_left ");
	assert_true(f->batches >= 1);
	end(f);
}

static void test_what_is_no_message(void **state)
{
	static const char *const bad[] = {
	    "", "[]", "{\"type\":\"a\"} x", "1", "\n{}", "{\"a\":1,\n\"b\":2}", "{\"type\":"};
	struct fake *f = begin();

	(void)state;
	start(f);
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		assert_int_equal(client_send(f->client, bad[i], strlen(bad[i])), -EINVAL);
	/* What the hub gives no ack for is done all the same. */
	send_text(f, "{\"type\":\"presence\",\"msg_id\":\"p\"}");
	send_text(f, "{\"type\":\"\\u0070resence\"}");
	send_text(f, "{\"type\":7}");
	send_text(f, "{\"no\":\"type\"}");
	send_text(f, "{\"type\":\"m\",\"msg_id\":7}");
	assert_int_equal(client_unconfirmed(f->client), 5);
	client_drain(f->client);
	run_until_drained(f);
	assert_int_equal(f->pings, 1);
	assert_int_equal(client_acked(f->client), 0);
	end(f);
}

/* Answers "a" with an error, and the rest as a good one. */
static void hub_that_errs(struct fake *f, const char *line)
{
	char answer[300];
	const char *id = strstr(line, "\"msg_id\":\"");

	if (strstr(line, "\"a\"") && id) {
		snprintf(
		    answer, sizeof(answer),
		    "{\"type\":\"error\",\"data\":{\"code\":\"not_member\",\"message\":\"no\"},"
		    "\"msg_id\":\"%.*s\"}",
		    (int)strcspn(id + 10, "\""), id + 10);
		say(f, answer);
	}
	if (strstr(line, "\"long\"")) {
		say(f, "{\"type\":\"error\",\"data\":{\"code\":\"too_large\",\"message\":\"no\"}}");
		return;
	}
	good_hub(f, line);
}

static void test_errors_are_answers(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_errs;
	f->options.acks = true;
	start(f);
	run_until(f, CLIENT_JOINED);
	f->got[0] = '\0';
	send_text(f, "{\"type\":\"a\"}"); /* with an ack behind it, as of a direct message */
	send_text(f, "{\"type\":\"b\"}");
	send_text(f, "{\"type\":\"long\",\"much\":\"text\"}");
	send_text(f, "{\"type\":\"c\",\"msg_id\":\"mine\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->got, "hub:errornot_memberno hub:ack "
				    "hub:errortoo_largeno hub:ack ");
	assert_int_equal(client_acked(f->client), 2);
	end(f);
}

static void test_without_a_session(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->no_session = true;
	start(f);
	run_until(f, CLIENT_JOINED);
	send_text(f, "{\"type\":\"session_list\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->said, "{\"type\":\"session_list\"}|");
	client_stop(f->client);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_LEFT);
	end(f);
}

static void test_a_full_queue_and_room_again(void **state)
{
	struct fake *f = begin();
	char line[100];
	int sent = 0;

	(void)state;
	start(f);
	memset(line, 'x', sizeof(line));
	memcpy(line, "{\"type\":\"t\",\"x\":\"", 17);
	memcpy(line + sizeof(line) - 3, "\"}\n", 3);
	while (client_send(f->client, line, sizeof(line)) == 0)
		sent++;
	assert_in_range(sent, 14, 17); /* each is longer by its msg_id */
	assert_int_equal(client_send(f->client, line, sizeof(line)), -EAGAIN);
	client_drain(f->client);
	run_until_drained(f);
	while (!f->writable)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->writable, 1);
	assert_int_equal(client_send(f->client, line, sizeof(line)), 0);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_joins_sends_drains_leaves),
	    cmocka_unit_test(test_what_is_no_message),
	    cmocka_unit_test(test_errors_are_answers),
	    cmocka_unit_test(test_without_a_session),
	    cmocka_unit_test(test_a_full_queue_and_room_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
