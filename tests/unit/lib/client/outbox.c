/* The order in which things leave, over a transport that takes so many bytes. */
#include "client/outbox.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static char sent[4096];
static size_t room;

static size_t take(struct transport *t, const char *lines, size_t len)
{
	size_t n = len < room ? len : room;

	(void)t;
	strncat(sent, lines, n);
	room -= n;
	return n;
}

static const struct transport_kind taking = {.send = take};
static struct transport transport = {.kind = &taking};

static void begin(struct outbox *o)
{
	memset(o, 0, sizeof(*o));
	assert_int_equal(outbox_init(o, 2000, "tagtag"), 0);
	sent[0] = '\0';
	room = 0;
}

static void put(struct outbox *o, const char *text)
{
	bool joins = false;

	assert_int_equal(outbox_put(o, text, strlen(text), 0, &joins), 0);
	assert_false(joins);
}

/* Lets n bytes through. Returns those of messages. */
static ssize_t flush(struct outbox *o, size_t n, bool messages)
{
	room = n;
	return outbox_flush(o, &transport, messages);
}

static void test_control_lines_go_first(void **state)
{
	struct outbox o;

	(void)state;
	begin(&o);
	put(&o, "{\"type\":\"a\",\"msg_id\":\"1\"}");
	assert_int_equal(outbox_control(&o, "join\n"), 0);
	assert_int_equal(flush(&o, 1000, false), 0);
	assert_string_equal(sent, "join\n");
	assert_int_equal(outbox_control(&o, "ping\n"), 0);
	assert_int_equal(flush(&o, 1000, true), 26);
	assert_string_equal(sent, "join\nping\n{\"type\":\"a\",\"msg_id\":\"1\"}\n");
	outbox_free(&o);
}

static void test_a_line_is_sent_to_its_end(void **state)
{
	struct outbox o;

	(void)state;
	begin(&o);
	put(&o, "{\"type\":\"a\",\"msg_id\":\"1\"}");
	put(&o, "{\"type\":\"b\",\"msg_id\":\"2\"}");
	assert_int_equal(flush(&o, 9, true), 9);
	assert_int_equal(outbox_control(&o, "ping\n"), 0);
	assert_int_equal(flush(&o, 20, true), 17);
	put(&o, "{\"type\":\"c\",\"msg_id\":\"3\"}");
	/* The end of a line of control, then messages. */
	assert_int_equal(flush(&o, 2 + 3, true), 3);
	/* Where messages may not go, one that was begun does. */
	assert_int_equal(flush(&o, 1000, false), 23);
	assert_string_equal(sent, "{\"type\":\"a\",\"msg_id\":\"1\"}\nping\n"
				  "{\"type\":\"b\",\"msg_id\":\"2\"}\n");
	outbox_free(&o);
}

static void test_what_has_no_answer_goes_again(void **state)
{
	struct outbox o;

	(void)state;
	begin(&o);
	put(&o, "{\"type\":\"a\",\"msg_id\":\"1\"}");
	put(&o, "{\"type\":\"b\",\"msg_id\":\"2\"}");
	put(&o, "{\"type\":\"c\",\"msg_id\":\"3\"}");
	assert_int_equal(flush(&o, 30, true), 30);
	assert_int_equal(sendq_answered(&o.queue, "1", 1, NULL), SENDQ_DONE);
	assert_int_equal(outbox_control(&o, "ping\n"), 0);
	assert_int_equal(outbox_rewind(&o), 1);
	sent[0] = '\0';
	assert_int_equal(flush(&o, 1000, true), 52);
	assert_string_equal(sent, "{\"type\":\"b\",\"msg_id\":\"2\"}\n"
				  "{\"type\":\"c\",\"msg_id\":\"3\"}\n");
	outbox_free(&o);
}

static void test_what_is_taken(void **state)
{
	static const char join[] = "{\"type\":\"session_associate\",\"session_id\":\"s\"}";
	static const char bad[] = "{\"type\":\"session_associate\"";
	struct outbox o;
	bool joins = false;

	(void)state;
	begin(&o);
	assert_int_equal(outbox_put(&o, bad, sizeof(bad) - 1, 0, &joins), -EINVAL);
	assert_false(joins);
	assert_int_equal(outbox_put(&o, join, sizeof(join) - 1, 0, &joins), 0);
	assert_true(joins);
	assert_int_equal(flush(&o, 0, true), 0);
	outbox_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_control_lines_go_first),
	    cmocka_unit_test(test_a_line_is_sent_to_its_end),
	    cmocka_unit_test(test_what_has_no_answer_goes_again),
	    cmocka_unit_test(test_what_is_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
