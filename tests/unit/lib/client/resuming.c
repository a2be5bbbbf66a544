/* How a client goes on over a new connection: what it sends again, and what it asks for again. */
#include "lib/client/fake_hub.h"

#define AGAIN                                                                                  \
	"{\"type\":\"session_associate\",\"session_id\":\"room\",\"since\":7,\"epoch\":\"e\"," \
	"\"resume\":\"tok\"}|"

/* The first time it takes "x" and goes, its acks unsaid. */
static void hub_that_drops(struct fake *f, const char *line)
{
	if (f->connections > 1 || strstr(line, "session_associate"))
		good_hub(f, line);
	else if (strstr(line, "\"x\""))
		hang_up(f);
}

#define W "{\"type\":\"w\",\"msg_id\":\"0\"}|"
#define X "{\"type\":\"x\",\"msg_id\":\"1\"}|"

static void test_sends_again_what_was_not_acknowledged(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_drops;
	f->extra = "\"recovered\":true,";
	start(f);
	send_text(f, "{\"type\":\"w\"}");
	send_text(f, "{\"type\":\"x\"}\n");
	client_drain(f->client);
	run_until_drained(f);
	assert_string_equal(f->states, "connecting open joined waiting connecting open joined ");
	assert_string_equal(f->said, JOIN W X AGAIN W X);
	assert_string_equal(f->joins, ":0:0 again,asked,recovered:7:0 ");
	assert_int_equal(f->again, 0); /* the hub knows us */
	assert_int_equal(client_acked(f->client), 2);
	end(f);
}

/* The same, but meanwhile it has given another token, which is nobody else's to see. */
static void hub_that_renews(struct fake *f, const char *line)
{
	if (f->connections == 1 && strstr(line, "\"w\""))
		say(f, "{\"type\":\"resume_token\",\"resume\":\"next\"}");
	hub_that_drops(f, line);
}

static void test_comes_back_with_the_latest_token(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_renews;
	f->extra = "\"recovered\":true,";
	start(f);
	send_text(f, "{\"type\":\"w\"}");
	send_text(f, "{\"type\":\"x\"}\n");
	client_drain(f->client);
	run_until_drained(f);
	assert_non_null(strstr(f->said, "\"epoch\":\"e\",\"resume\":\"next\"}|"));
	assert_null(strstr(f->got, "resume_token"));
	end(f);
}

static const char *other_who, *other_epoch;

static void hub_that_forgets(struct fake *f, const char *line)
{
	if (f->connections > 1) {
		f->who = other_who;
		f->epoch = other_epoch;
	}
	hub_that_drops(f, line);
}

static void test_a_hub_that_does_not_know_us(void **state)
{
	static const struct {
		const char *who, *epoch;
		size_t again;
	} cases[] = {{"me", "e", 0}, {"you", "e", 2}, {"you", "other", 0}, {"me", "other", 0}};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct fake *f = begin();

		other_who = cases[i].who;
		other_epoch = cases[i].epoch;
		f->answer = hub_that_forgets;
		start(f);
		send_text(f, "{\"type\":\"w\"}");
		send_text(f, "{\"type\":\"x\"}\n");
		client_drain(f->client);
		run_until_drained(f);
		assert_int_equal(f->again, cases[i].again);
		assert_int_equal(strstr(f->joins, ",new:") != NULL,
				 strcmp(cases[i].epoch, "other") == 0);
		end(f);
	}
}

/* Each time it sends two records, the second of which comes again the next time, and goes. */
static void hub_that_repeats(struct fake *f, const char *line)
{
	unsigned first = 7 + f->connections;

	if (f->connections == 2)
		f->extra = "\"recovered\":true,";
	good_hub(f, line);
	if (!strstr(line, "session_associate"))
		return;
	record(f, first);
	record(f, first + 1);
	if (f->connections < 3)
		say(f, "{\"type\":\"close\",\"code\":1013,\"reason\":\"slow\"}");
	if (f->connections < 3)
		hang_up(f);
}

static void test_each_record_once(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->answer = hub_that_repeats;
	start(f);
	while (f->connections < 3)
		uv_run(&f->loop, UV_RUN_ONCE);
	client_drain(f->client);
	send_text(f, "{\"type\":\"a\"}");
	run_until_drained(f);
	assert_string_equal(f->got, "hub:session_associated record:8 record:9 "
				    "hub:session_associated record:10 "
				    "hub:session_associated record:11 ");
	assert_string_equal(f->joins, ":0:0 again,asked,recovered:9:0 again,asked,recovered:10:0 ");
	end(f);
}

/* Has another log each time, with two state records. */
static void hub_that_loses(struct fake *f, const char *line)
{
	f->extra = "\"recovered\":false,\"reason\":\"epoch_changed\",\"snapshot\":2,";
	f->epoch = f->connections == 1 ? "e" : "e2";
	if (f->connections == 1)
		f->extra = "\"recovered\":false,\"snapshot\":2,";
	good_hub(f, line);
	if (!strstr(line, "session_associate"))
		return;
	record(f, 2);
	record(f, 5);
	record(f, 8);
	if (f->connections == 1)
		hang_up(f);
}

static void test_the_state_instead(void **state)
{
	static const struct client_place with_state = {.from = CLIENT_STATE};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fake *f = begin();

		f->answer = hub_that_loses;
		f->place = i ? &with_state : NULL;
		start(f);
		while (f->connections < 2)
			uv_run(&f->loop, UV_RUN_ONCE);
		send_text(f, "{\"type\":\"a\"}");
		client_drain(f->client);
		run_until_drained(f);
		assert_string_equal(f->got,
				    i ? "hub:session_associated record:state,2 record:state,5 "
					"record:8 hub:session_associated record:state,2 "
					"record:state,5 record:8 "
				      : "hub:session_associated record:8 hub:session_associated "
					"record:state,2 record:state,5 record:8 ");
		assert_string_equal(f->joins, i ? ":0:2 again,asked,epoch_changed,new:8:2 "
						: ":0:0 again,asked,epoch_changed,new:8:2 ");
		end(f);
	}
}

static void test_since(void **state)
{
	static const struct client_place place = {
	    .from = CLIENT_SINCE, .since = 3, .no_echo = true};
	struct fake *f = begin();

	(void)state;
	f->place = &place;
	f->extra = "\"recovered\":true,";
	start(f);
	run_until(f, CLIENT_JOINED);
	assert_string_equal(f->said, "{\"type\":\"session_associate\",\"session_id\":\"room\","
				     "\"echo\":false,\"since\":3}|");
	assert_string_equal(f->joins, "asked,recovered:3:0 ");
	end(f);
}

/* Two state records from before a gap, and what is left behind it. */
static void hub_with_a_rest(struct fake *f, const char *line)
{
	f->extra = "\"recovered\":false,\"reason\":\"trimmed\",\"since\":3,\"snapshot\":2,";
	f->seq = 9;
	good_hub(f, line);
	if (!strstr(line, "session_associate"))
		return;
	say(f, "{\"type\":\"gap\",\"session_id\":\"room\",\"from_seq\":4,\"to_seq\":7}");
	record(f, 2);
	record(f, 5);
	record(f, 8);
	record(f, 9);
}

static void test_what_is_left_of_the_past(void **state)
{
	static const struct client_place place = {
	    .from = CLIENT_SINCE, .since = 3, .epoch = "e", .run = "r1", .rest = true};
	static const struct client_place wrong = {.from = CLIENT_SINCE, .epoch = "\""};
	struct fake *f = begin();

	(void)state;
	f->place = &place;
	f->answer = hub_with_a_rest;
	start(f);
	assert_int_equal(client_join(f->client, "other", &wrong), -EINVAL);
	run_until(f, CLIENT_JOINED);
	send_text(f, "{\"type\":\"a\"}");
	client_drain(f->client);
	run_until_drained(f);
	assert_non_null(
	    strstr(f->said, "\"since\":3,\"epoch\":\"e\",\"rest\":true,\"run\":\"r1\"}|"));
	assert_string_equal(f->joins, "asked,trimmed:3:2 ");
	assert_int_equal(f->left, 3);
	assert_int_equal(f->gap_join, 0);
	assert_int_equal(f->gap[0], 4);
	assert_int_equal(f->gap[1], 7);
	assert_string_equal(f->got, "hub:session_associated hub:gap record:state,2 record:state,5 "
				    "record:8 record:9 ");
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sends_again_what_was_not_acknowledged),
	    cmocka_unit_test(test_comes_back_with_the_latest_token),
	    cmocka_unit_test(test_a_hub_that_does_not_know_us),
	    cmocka_unit_test(test_each_record_once),
	    cmocka_unit_test(test_the_state_instead),
	    cmocka_unit_test(test_since),
	    cmocka_unit_test(test_what_is_left_of_the_past),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
