/* What is written, and when it is enough; without a client, and with an output that is not flushed.
 */
#include "show.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static struct arguments args;
static struct console console = {.args = &args};
static struct output out = {.console = &console};
static struct show show;

static int setup(void **state)
{
	(void)state;
	memset(&args, 0, sizeof(args));
	out.data.len = 0;
	show = (struct show){.args = &args, .out = &out, .console = &console};
	return 0;
}

static int give_back(void **state)
{
	(void)state;
	buf_free(&out.data);
	return 0;
}

static void assert_written(const char *text)
{
	assert_int_equal(out.data.len, strlen(text));
	if (out.data.len)
		assert_memory_equal(out.data.data, text, out.data.len);
}

static enum show_result record(const char *text, bool of_state)
{
	struct client_message m = {.kind = CLIENT_RECORD,
				   .text = text,
				   .len = strlen(text),
				   .state = of_state,
				   .about = ""};

	return show_message(&show, &m);
}

static enum show_result hub(const char *type, const char *text)
{
	struct client_message m = {
	    .kind = CLIENT_HUB, .text = text, .len = strlen(text), .about = ""};

	snprintf(m.type, sizeof(m.type), "%s", type);
	return show_message(&show, &m);
}

static void test_records_until_there_are_enough(void **state)
{
	(void)state;
	args.count = 2;
	assert_int_equal(record("1", false), SHOW_RECORD);
	assert_int_equal(hub("gap", "g"), SHOW_NOTHING);
	assert_int_equal(record("2", false), SHOW_ENOUGH);
	assert_int_equal(record("3", false), SHOW_NOTHING);
	assert_int_equal(hub("gap", "g"), SHOW_NOTHING);
	assert_written("1\ng\n2\n");
}

static void test_publishing_shows_acks_only(void **state)
{
	(void)state;
	args.publish = true;
	assert_int_equal(record("1", false), SHOW_NOTHING);
	assert_int_equal(hub("presence", "p"), SHOW_NOTHING);
	assert_int_equal(hub("ack", "a"), SHOW_NOTHING);
	assert_written("a\n");
}

static void test_what_a_program_makes(void **state)
{
	char why[300];

	(void)state;
	show.filter = filter_new("select(. > 1)", why, sizeof(why));
	assert_non_null(show.filter);
	assert_int_equal(record("1", false), SHOW_NOTHING);
	assert_int_equal(record("2", false), SHOW_RECORD);
	assert_int_equal(hub("pong", "p"), SHOW_NOTHING);
	assert_written("2\n");
	assert_false(show.errors);
	filter_free(show.filter);
}

static void test_a_program_that_halts(void **state)
{
	char why[300];

	(void)state;
	show.filter =
	    filter_new("if . == 2 then null | halt_error(7) else . end", why, sizeof(why));
	assert_non_null(show.filter);
	assert_int_equal(record("1", false), SHOW_RECORD);
	assert_int_equal(record("2", false), SHOW_ENOUGH);
	assert_int_equal(show.status, 7);
	assert_int_equal(record("3", false), SHOW_NOTHING);
	assert_written("1\n");
	assert_false(show.errors);
	filter_free(show.filter);
}

static void test_a_state_begins_from_its_start(void **state)
{
	const struct client_joined two = {.snapshot = 2}, none = {0};

	(void)state;
	args.state = true;
	assert_int_equal(show_joined(&show, &two), SHOW_NOTHING);
	assert_int_equal(record("1", true), SHOW_RECORD);
	assert_int_equal(record("9", false), SHOW_NOTHING);
	/* The connection was lost. */
	assert_int_equal(show_joined(&show, &two), SHOW_NOTHING);
	assert_int_equal(record("1", true), SHOW_RECORD);
	assert_int_equal(record("2", true), SHOW_ENOUGH);
	assert_int_equal(record("3", true), SHOW_NOTHING);
	assert_written("1\n2\n");
	assert_int_equal(show_joined(&show, &none), SHOW_ENOUGH);
}

static void test_errors_count(void **state)
{
	(void)state;
	assert_int_equal(hub("error", "{}"), SHOW_NOTHING);
	assert_true(show.errors);
	assert_written("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_records_until_there_are_enough, setup, give_back),
	    cmocka_unit_test_setup_teardown(test_publishing_shows_acks_only, setup, give_back),
	    cmocka_unit_test_setup_teardown(test_what_a_program_makes, setup, give_back),
	    cmocka_unit_test_setup_teardown(test_a_program_that_halts, setup, give_back),
	    cmocka_unit_test_setup_teardown(test_a_state_begins_from_its_start, setup, give_back),
	    cmocka_unit_test_setup_teardown(test_errors_count, setup, give_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
