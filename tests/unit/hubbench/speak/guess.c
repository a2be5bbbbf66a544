/* Which dialect a server speaks. */
#include "speak/guess.h"

#include <string.h>

#include "unit.h"

static const struct dialect *of(const char *text)
{
	return guess_message(text, strlen(text));
}

static void by_a_message(void **state)
{
	(void)state;
	assert_ptr_equal(of("0{\"sid\":\"x\",\"upgrades\":[]}"), &dialect_socketio);
	assert_ptr_equal(of("{\"type\":\"session_associate\",\"session_id\":\"x\"}"), &dialect_raw);
	assert_ptr_equal(of("{\"type\":\"error\",\"data\":{\"code\":\"bad_json\"}}"), &dialect_hub);
	assert_null(of(""));
	assert_null(of("0"));
	assert_null(of("{\"type\":\"error\",\"message\":\"no\"}"));
	assert_null(of("hello"));
}

static void by_an_answer(void **state)
{
	static const char hub[] = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\r\n";
	static const char polling[] = "HTTP/1.1 200 OK\r\n\r\n0{\"sid\":\"x\"}";
	static const char none[] = "HTTP/1.1 404 Not Found\r\n\r\n";

	(void)state;
	assert_true(guess_answer(&dialect_hub, hub, sizeof(hub) - 1));
	assert_false(guess_answer(&dialect_hub, polling, sizeof(polling) - 1));
	assert_true(guess_answer(&dialect_socketio, polling, sizeof(polling) - 1));
	assert_false(guess_answer(&dialect_socketio, none, sizeof(none) - 1));
	assert_false(guess_answer(&dialect_hub, none, sizeof(none) - 1));
	assert_false(guess_answer(&dialect_hub, hub, 0));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(by_a_message),
						  cmocka_unit_test(by_an_answer)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("guess", tests, NULL, NULL);
}
