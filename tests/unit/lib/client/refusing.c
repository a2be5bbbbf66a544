/* Messages that the hub does not take: for now, and for good. */
#include "lib/client/fake_hub.h"

/* The hub's error for a line. */
static void refuse(struct fake *f, const char *line, const char *code)
{
	const char *id = strstr(line, "\"msg_id\":\"") + 10;
	char answer[300];

	snprintf(answer, sizeof(answer),
		 "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":\"no\"},\"msg_id\":\"%."
		 "*s\"}",
		 code, (int)strcspn(id, "\""), id);
	say(f, answer);
}

static unsigned refusals;
static bool held;

/* Refuses "b" for now, twice, and what is behind it; for good "c". */
static void hub_that_is_full(struct fake *f, const char *line)
{
	if (strstr(line, "session_associate"))
		held = false;
	if (!strstr(line, "msg_id")) {
		good_hub(f, line);
	} else if (held) {
		refuse(f, line, "held");
	} else if (strstr(line, "\"b\"") && refusals < 2) {
		refusals++;
		held = true;
		refuse(f, line, "internal");
	} else if (strstr(line, "\"c\"")) {
		refuse(f, line, "session_full");
	} else {
		good_hub(f, line);
	}
}

static void send_as(struct fake *f, const char *text, uint64_t tag)
{
	assert_int_equal(client_send_as(f->client, text, strlen(text), tag), 0);
}

static void test_for_now(void **state)
{
	static const char again[] =
	    "{\"type\":\"session_associate\",\"session_id\":\"room\",\"ordered\":true}|"
	    "{\"type\":\"b\",\"msg_id\":\"1\"}|{\"type\":\"c\",\"msg_id\":\"mine\"}|"
	    "{\"type\":\"d\",\"msg_id\":\"3\"}|";
	struct fake *f = begin();
	char said[2000];

	(void)state;
	refusals = 0;
	held = false;
	f->options.resend = true;
	f->answer = hub_that_is_full;
	start(f);
	run_until(f, CLIENT_JOINED);
	send_as(f, "{\"type\":\"a\"}", 1);
	send_as(f, "{\"type\":\"b\"}", 2);
	send_as(f, "{\"type\":\"c\",\"msg_id\":\"mine\"}", 3);
	send_as(f, "{\"type\":\"d\"}", 4);
	assert_int_equal(client_oldest(f->client), 1);
	client_drain(f->client);
	run_until_drained(f);
	/* Told once for each time; in order; on the same connection. */
	assert_string_equal(f->refused, "2:internal!:{\"type\":\"b\"+ 2:internal!:{\"type\":\"b\"+ "
					"3:session_full:{\"type\":\"c\",\"msg_id\":\"mine\"} ");
	snprintf(said, sizeof(said),
		 "{\"type\":\"session_associate\",\"session_id\":\"room\",\"ordered\":true}|"
		 "{\"type\":\"a\",\"msg_id\":\"0\"}|{\"type\":\"b\",\"msg_id\":\"1\"}|"
		 "{\"type\":\"c\",\"msg_id\":\"mine\"}|{\"type\":\"d\",\"msg_id\":\"3\"}|%s%s",
		 again, again);
	assert_string_equal(f->said, said);
	assert_int_equal(f->connections, 1);
	assert_int_equal(client_oldest(f->client), UINT64_MAX);
	assert_int_equal(client_acked(f->client), 3);
	end(f);
}

static void hub_that_stays_full(struct fake *f, const char *line)
{
	if (strstr(line, "msg_id"))
		refuse(f, line, "internal");
	else
		good_hub(f, line);
}

static void test_for_ever(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->options.resend = true;
	f->options.give_up_ms = 100;
	f->answer = hub_that_stays_full;
	start(f);
	run_until(f, CLIENT_JOINED);
	send_as(f, "{\"type\":\"a\"}", 1);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_UNREACHABLE);
	assert_int_equal(client_unconfirmed(f->client), 1);
	assert_int_equal(client_oldest(f->client), 1);
	end(f);
}

static void test_nobody_asks_for_it(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_stays_full;
	start(f);
	run_until(f, CLIENT_JOINED);
	send_text(f, "{\"type\":\"a\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->got, "hub:session_associated hub:errorinternalno ");
	end(f);
}

static void test_no_hub(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->refuses = true;
	f->options.first_ms = 3600000;
	start(f);
	run_until(f, CLIENT_WAITING);
	run_until(f, CLIENT_WAITING);
	assert_non_null(strstr(f->waits, "2 "));
	f->client->options.first_ms = 1; /* which have passed */
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_UNREACHABLE);
	end(f);
}

static void test_what_the_hub_takes(void **state)
{
	struct fake *f = begin();
	char big[200];

	(void)state;
	snprintf(big, sizeof(big), "{\"type\":\"a\",\"x\":\"%0100d\"}", 1);
	f->options.resend = true;
	f->extra = "\"max_message\":64,";
	start(f);
	send_as(f, big, 1); /* before it has said so */
	send_as(f, "{\"type\":\"b\"}", 2);
	run_until(f, CLIENT_JOINED);
	assert_int_equal(client_largest(f->client), 64);
	assert_int_equal(client_send_as(f->client, big, strlen(big), 3), -EMSGSIZE);
	client_drain(f->client);
	run_until_drained(f);
	assert_non_null(strstr(f->refused, "1:too_large:{\"type\":\"a\","));
	assert_null(strstr(f->said, "0001"));
	assert_non_null(strstr(f->said, "{\"type\":\"b\""));
	end(f);
}

/* The client is there on another connection, which stays. */
static void hub_with_a_twin(struct fake *f, const char *line)
{
	if (f->connections == 1)
		say(f, "{\"type\":\"error\",\"data\":{\"code\":\"in_use\",\"message\":\"no\","
		       "\"retry_after\":1}}");
	else
		good_hub(f, line);
}

static void test_the_hub_says_when(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_with_a_twin;
	start(f);
	run_until(f, CLIENT_OPEN);
	run_until(f, CLIENT_WAITING);
	assert_string_equal(f->last.code, "in_use");
	assert_int_equal(f->last.delay_ms, 1000);
	run_until(f, CLIENT_JOINED);
	assert_int_equal(f->connections, 2);
	/* That was for once. */
	hang_up(f);
	run_until(f, CLIENT_WAITING);
	assert_in_range(f->last.delay_ms, 0, 2);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_for_now),
	    cmocka_unit_test(test_for_ever),
	    cmocka_unit_test(test_nobody_asks_for_it),
	    cmocka_unit_test(test_no_hub),
	    cmocka_unit_test(test_what_the_hub_takes),
	    cmocka_unit_test(test_the_hub_says_when),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
