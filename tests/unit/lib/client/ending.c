/* How connections end, and what a client makes of it: another attempt, or its own end. */
#include "lib/client/fake_hub.h"

static const struct {
	const char *code;
	const char *states;
	enum client_end end;
} refusals[] = {
    {"session_full", "connecting open closed ", CLIENT_REFUSED},
    {"forbidden", "connecting open closed ", CLIENT_REFUSED},
    {"unauthorized", "connecting open closed ", CLIENT_REFUSED},
    {"bad_session_id", "connecting open closed ", CLIENT_REJECTED},
    {"hub_full", "connecting open waiting connecting open joined ", CLIENT_LEFT},
    {"shutting_down", "connecting open waiting connecting open joined ", CLIENT_LEFT},
};

static const char *refusal;

static void hub_that_refuses(struct fake *f, const char *line)
{
	char answer[200];

	if (f->connections > 1) {
		good_hub(f, line);
		return;
	}
	snprintf(answer, sizeof(answer),
		 "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":\"no\"}}", refusal);
	say(f, answer);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(refusals); i++) {
		struct fake *f = begin();

		refusal = refusals[i].code;
		f->answer = hub_that_refuses;
		start(f);
		run_until(f, refusals[i].end == CLIENT_LEFT ? CLIENT_JOINED : CLIENT_CLOSED);
		assert_string_equal(f->states, refusals[i].states);
		if (refusals[i].end != CLIENT_LEFT) {
			assert_int_equal(f->last.end, refusals[i].end);
			assert_string_equal(f->last.code, refusals[i].code);
		}
		end(f);
	}
}

static void hub_that_goes(struct fake *f, const char *line)
{
	good_hub(f, line);
	say(f, "{\"type\":\"close\",\"code\":1013,\"reason\":\"slow\"}");
	hang_up(f);
}

static void test_the_hub_says_why_it_closes(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->options.no_reconnect = true;
	f->answer = hub_that_goes;
	start(f);
	run_until(f, CLIENT_CLOSED);
	assert_int_equal(f->last.end, CLIENT_UNREACHABLE);
	assert_int_equal(f->last.close_code, 1013);
	end(f);
}

static void test_a_silent_hub_is_given_up(void **state)
{
	struct fake *f = begin();
	uint64_t begun;

	(void)state;
	f->options.ping_ms = 1000;
	f->options.pong_ms = 50;
	start(f);
	run_until(f, CLIENT_JOINED);
	f->mute = true;
	f->pings = 0;
	uv_update_time(&f->loop);
	begun = uv_now(&f->loop);
	run_until(f, CLIENT_WAITING);
	assert_int_equal(f->pings, 1);
	/* Not a second quiet time; what is between is for slow machines. */
	assert_in_range(uv_now(&f->loop) - begun, 1000, 1999);
	f->mute = false;
	run_until(f, CLIENT_JOINED);
	end(f);
}

static void test_no_answer_to_the_join(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->options.connect_ms = 30;
	f->mute = true;
	start(f);
	run_until(f, CLIENT_WAITING);
	/* The next attempt may be in the same turn of the loop. */
	assert_memory_equal(f->states, "connecting open waiting ", 24);
	end(f);
}

static void test_attempts_end_in_a_clean_start(void **state)
{
	struct fake *f = begin();

	(void)state;
	f->options.attempts = 3;
	start(f);
	run_until(f, CLIENT_JOINED);
	f->refuses = true;
	hang_up(f);
	while (!f->clean_start)
		run_until(f, CLIENT_WAITING);
	/* More than one may pass in a turn of the loop. */
	assert_memory_equal(f->waits, "1 2 3 1! ", 9);
	/* Then it comes as one that was never there, but for what it is told. */
	f->said[0] = f->joins[0] = '\0';
	f->extra = "\"snapshot\":1,";
	f->refuses = false;
	run_until(f, CLIENT_JOINED);
	assert_string_equal(f->said, JOIN);
	assert_string_equal(f->joins, "again,clean_start:0:1 ");
	end(f);
}

static void test_freed_within_an_event(void **state)
{
	static const enum client_state at[] = {CLIENT_CONNECTING, CLIENT_OPEN,	  CLIENT_JOINED,
					       CLIENT_WAITING,	  CLIENT_LEAVING, CLIENT_CLOSED};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(at); i++) {
		struct fake *f = begin();

		f->free_at = at[i];
		if (at[i] == CLIENT_WAITING)
			f->answer = hub_that_goes;
		start(f);
		if (at[i] >= CLIENT_LEAVING) {
			run_until(f, CLIENT_JOINED);
			client_stop(f->client);
		}
		if (f->client)
			run_until(f, at[i]);
		assert_null(f->client);
		end(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_the_hub_says_why_it_closes),
	    cmocka_unit_test(test_a_silent_hub_is_given_up),
	    cmocka_unit_test(test_no_answer_to_the_join),
	    cmocka_unit_test(test_attempts_end_in_a_clean_start),
	    cmocka_unit_test(test_freed_within_an_event),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
