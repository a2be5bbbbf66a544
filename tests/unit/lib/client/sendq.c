/* The queue of a client: what is answered goes, what is not goes out again under the same id, and
 * nothing else moves. */
#include "client/sendq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct sendq small(size_t limit)
{
	return (struct sendq){.limit = limit, .tag = "tagtag"};
}

static int put(struct sendq *q, const char *text)
{
	return sendq_put(q, text, strlen(text), SENDQ_MESSAGE, (struct sendq_id){0}, 0);
}

static int put_control(struct sendq *q, const char *text)
{
	return sendq_put(q, text, strlen(text), SENDQ_CONTROL, (struct sendq_id){0}, 0);
}

/* A message whose own id stands at `at`. */
static int put_own(struct sendq *q, const char *text, const char *id)
{
	struct sendq_id where = {(uint32_t)(strstr(text, id) - text), (uint16_t)strlen(id)};

	return sendq_put(q, text, strlen(text), SENDQ_MESSAGE, where, 0);
}

/* Sends all that may be sent; returns it as a string, which the caller frees. */
static char *send_all(struct sendq *q)
{
	size_t len;
	const char *p = sendq_unsent(q, &len);
	char *text = malloc(len + 1);

	assert_non_null(text);
	if (len)
		memcpy(text, p, len);
	text[len] = '\0';
	sendq_advance(q, len);
	return text;
}

static void expect_sent(struct sendq *q, const char *want)
{
	char *text = send_all(q);

	assert_string_equal(text, want);
	free(text);
}

static void expect_answer(struct sendq *q, const char *id, enum sendq_answer want)
{
	assert_int_equal(sendq_answered(q, id, strlen(id), NULL), want);
}

static void test_ids_and_acks(void **state)
{
	struct sendq q = small(1000);

	(void)state;
	assert_int_equal(put(&q, "{\"a\":1}"), 0);
	assert_int_equal(put(&q, "{ \"b\":1 }"), 0);
	expect_answer(&q, "tagtag0", SENDQ_KNOWN); /* it is not sent yet */
	expect_sent(&q, "{\"a\":1,\"msg_id\":\"tagtag0\"}\n{ \"b\":1 ,\"msg_id\":\"tagtag1\"}\n");
	assert_int_equal(sendq_count(&q), 2);
	expect_answer(&q, "tagtag0", SENDQ_DONE);
	assert_int_equal(sendq_count(&q), 1);
	expect_answer(&q, "tagtag0", SENDQ_KNOWN);
	expect_answer(&q, "tagtag1", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	assert_int_equal(q.len, 0);
	assert_int_equal(q.answered, 27 + 29);
	sendq_free(&q);
}

static void test_ids_that_are_not_ours(void **state)
{
	static const char *const foreign[] = {"", "0", "tagtag", "tagta0", "TAGTAG0", "x"};
	static const char *const ours[] = {
	    "tagtag-", "tagtag1", "tagtag_", "tagtag0x", "tagtagzzzzzzzzzzzzzzzzzzz", "tagtagG"};
	struct sendq q = small(1000);

	(void)state;
	put(&q, "{}");
	free(send_all(&q));
	for (size_t i = 0; i < UNIT_COUNT(foreign); i++)
		expect_answer(&q, foreign[i], SENDQ_FOREIGN);
	for (size_t i = 0; i < UNIT_COUNT(ours); i++)
		expect_answer(&q, ours[i], SENDQ_KNOWN);
	assert_int_equal(sendq_count(&q), 1);
	sendq_free(&q);
}

static void test_ids_of_the_sender(void **state)
{
	struct sendq q = small(1000);

	(void)state;
	put_own(&q, "{\"msg_id\":\"one\"}", "one");
	put_own(&q, "{\"msg_id\":\"two\"}", "two");
	put_own(&q, "{\"msg_id\":\"one\"}", "one");
	put_own(&q, "{\"msg_id\":\"tagtag4\"}", "tagtag4");
	put(&q, "{}");
	expect_sent(&q, "{\"msg_id\":\"one\"}\n{\"msg_id\":\"two\"}\n{\"msg_id\":\"one\"}\n"
			"{\"msg_id\":\"tagtag4\"}\n{,\"msg_id\":\"tagtag4\"}\n");
	expect_answer(&q, "two", SENDQ_DONE); /* out of order */
	expect_answer(&q, "one", SENDQ_DONE);
	expect_answer(&q, "two", SENDQ_FOREIGN);
	expect_answer(&q, "one", SENDQ_DONE);
	expect_answer(&q, "one", SENDQ_FOREIGN);
	expect_answer(&q, "tagtag4", SENDQ_DONE);
	expect_answer(&q, "tagtag4", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	sendq_free(&q);
}

static void test_a_full_queue_takes_nothing_in_part(void **state)
{
	struct sendq q = small(120);
	char big[200];

	(void)state;
	memset(big, ' ', sizeof(big));
	q.largest = 119;
	assert_int_equal(sendq_put(&q, big, 120, SENDQ_CONTROL, (struct sendq_id){0}, 0),
			 -EMSGSIZE);
	q.largest = 0;
	assert_int_equal(put(&q, "{\"a\":1}"), 0);
	assert_int_equal(sendq_put(&q, big, 100, SENDQ_CONTROL, (struct sendq_id){0}, 0), -EAGAIN);
	assert_int_equal(put(&q, "{\"b\":1}"), 0);
	expect_sent(&q, "{\"a\":1,\"msg_id\":\"tagtag0\"}\n{\"b\":1,\"msg_id\":\"tagtag1\"}\n");
	expect_answer(&q, "tagtag0", SENDQ_DONE);
	expect_answer(&q, "tagtag1", SENDQ_DONE);
	/* What is longer than all that is held goes alone. */
	assert_int_equal(sendq_put(&q, big, 150, SENDQ_CONTROL, (struct sendq_id){0}, 0), 0);
	assert_int_equal(put(&q, "{\"c\":1}"), -EAGAIN);
	sendq_free(&q);
}

static void test_control_lines_have_a_fence(void **state)
{
	struct sendq q = small(1000);

	(void)state;
	assert_int_equal(sendq_fence(&q), 0);
	assert_true(sendq_empty(&q));
	put_control(&q, "{\"who\":1}");
	put(&q, "{}");
	assert_int_equal(sendq_fence(&q), 0);
	expect_sent(&q, "{\"who\":1}\n{,\"msg_id\":\"tagtag1\"}\n"); /* the ack tells enough */
	expect_answer(&q, "tagtag1", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	put_control(&q, "{\"who\":2}");
	assert_int_equal(sendq_fence(&q), 0);
	assert_int_equal(sendq_fence(&q), 0); /* one is enough */
	expect_sent(&q, "{\"who\":2}\n{\"type\":\"ping\",\"ping_id\":\"tagtag3\"}\n");
	assert_int_equal(sendq_count(&q), 1);
	expect_answer(&q, "tagtag3", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	/* The answer to a fence says nothing of an ack that is still to come. */
	put(&q, "{}");
	put_control(&q, "{\"who\":3}");
	sendq_fence(&q);
	free(send_all(&q));
	expect_answer(&q, "tagtag6", SENDQ_DONE);
	assert_int_equal(sendq_count(&q), 1);
	expect_answer(&q, "tagtag4", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	sendq_free(&q);
}

static void test_rewind_sends_again_what_has_no_answer(void **state)
{
	struct sendq q = small(1000);

	(void)state;
	put(&q, "{\"a\":1}");
	put(&q, "{\"b\":1}");
	put(&q, "{\"c\":1}");
	put(&q, "{\"d\":1}");
	sendq_advance(&q, q.len - 30); /* "c" in part */
	expect_answer(&q, "tagtag2", SENDQ_KNOWN);
	expect_answer(&q, "tagtag1", SENDQ_DONE); /* before "a" */
	assert_int_equal(sendq_rewind(&q), 2);
	expect_sent(&q, "{\"a\":1,\"msg_id\":\"tagtag0\"}\n{\"c\":1,\"msg_id\":\"tagtag2\"}\n"
			"{\"d\":1,\"msg_id\":\"tagtag3\"}\n");
	expect_answer(&q, "tagtag1", SENDQ_KNOWN);
	/* Those of before count again, though they were sent on another connection. */
	assert_int_equal(sendq_rewind(&q), 3);
	assert_int_equal(sendq_rewind(&q), 3);
	free(send_all(&q));
	expect_answer(&q, "tagtag0", SENDQ_DONE);
	expect_answer(&q, "tagtag3", SENDQ_DONE);
	expect_answer(&q, "tagtag2", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	assert_int_equal(q.answered, 4 * 27);
	sendq_free(&q);
}

static void test_control_lines_after_a_rewind(void **state)
{
	struct sendq q = small(1000);

	(void)state;
	put(&q, "{\"a\":1}");
	put_control(&q, "{\"who\":1}");
	put(&q, "{\"b\":1}");
	free(send_all(&q));
	expect_answer(&q, "tagtag2", SENDQ_DONE);
	assert_int_equal(sendq_rewind(&q), 1);
	expect_sent(&q, "{\"a\":1,\"msg_id\":\"tagtag0\"}\n");
	expect_answer(&q, "tagtag0", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	sendq_free(&q);
}

static void test_a_line_that_is_too_long(void **state)
{
	struct sendq_refused longest;
	struct sendq q = small(2000);

	(void)state;
	assert_false(sendq_too_long(&q, &longest)); /* nothing is under way */
	put(&q, "{\"a\":1}");
	put(&q, "{\"much\":\"longer than the others\"}");
	put(&q, "{\"b\":1}");
	/* Said before the end of the line is sent: that goes out all the same. */
	sendq_advance(&q, 40);
	assert_true(sendq_too_long(&q, &longest));
	sendq_refuse(&q, longest.number, false);
	assert_int_equal(sendq_count(&q), 2);
	expect_answer(&q, "tagtag0", SENDQ_DONE);
	assert_int_equal(sendq_count(&q), 1);
	expect_sent(&q, "er than the others\",\"msg_id\":\"tagtag1\"}\n"
			"{\"b\":1,\"msg_id\":\"tagtag2\"}\n");
	expect_answer(&q, "tagtag2", SENDQ_DONE);
	assert_true(sendq_empty(&q));
	/* Cut off in the middle of it, it does not go again. */
	put(&q, "{\"much\":\"longer than the others\"}");
	sendq_advance(&q, 10);
	assert_true(sendq_too_long(&q, &longest));
	sendq_refuse(&q, longest.number, false);
	assert_int_equal(sendq_rewind(&q), 0);
	assert_true(sendq_empty(&q));
	sendq_free(&q);
}

static void test_the_window(void **state)
{
	struct sendq q = small(1 << 20);
	char id[32];
	size_t len;

	(void)state;
	for (int i = 0; i < SENDQ_WINDOW + 100; i++)
		assert_int_equal(put_control(&q, "{}"), 0);
	sendq_unsent(&q, &len);
	assert_int_equal(len, 3 * SENDQ_WINDOW);
	sendq_advance(&q, len);
	sendq_unsent(&q, &len);
	assert_int_equal(len, 0);
	sendq_free(&q);

	q = small(1 << 20);
	for (int i = 0; i < SENDQ_WINDOW + 100; i++)
		put(&q, "{}");
	free(send_all(&q));
	snprintf(id, sizeof(id), "tagtag%c", '1');
	expect_answer(&q, id, SENDQ_DONE);
	sendq_unsent(&q, &len);
	assert_int_equal(len, 0); /* it waits for the first */
	expect_answer(&q, "tagtag0", SENDQ_DONE);
	sendq_unsent(&q, &len);
	assert_true(len > 0);
	expect_sent(&q, "{,\"msg_id\":\"tagtag1kw\"}\n{,\"msg_id\":\"tagtag1kx\"}\n");
	sendq_free(&q);
}

/* --- against a model: a hub that logs each id once, over connections that are cut */

#define MODEL_MESSAGES 20000

struct model {
	struct sendq q;
	unsigned put, logged;
	char line[2000]; /* what the hub has of a line */
	size_t len;
	char acks[2000][32];
	unsigned nacks;
};

static void model_line(struct model *m)
{
	char *id = strstr(m->line, "\"msg_id\":\"");
	unsigned n;

	assert_non_null(id);
	assert_int_equal(sscanf(m->line, "{\"n\":%u", &n), 1);
	assert_true(n <= m->logged); /* in order: none before one that was not there */
	m->logged += n == m->logged;
	assert_true(m->nacks < UNIT_COUNT(m->acks));
	snprintf(m->acks[m->nacks++], sizeof(m->acks[0]), "%.*s", (int)strcspn(id + 10, "\""),
		 id + 10);
}

static void model_send(struct model *m)
{
	size_t len, n;
	const char *p = sendq_unsent(&m->q, &len);

	n = len ? (size_t)rand() % (len + 1) : 0;
	for (size_t i = 0; i < n; i++) {
		assert_true(m->len < sizeof(m->line) - 1);
		m->line[m->len++] = p[i];
		if (p[i] != '\n')
			continue;
		m->line[m->len] = '\0';
		m->len = 0;
		model_line(m);
	}
	sendq_advance(&m->q, n);
}

static void model_answer(struct model *m)
{
	unsigned n = (unsigned)rand() % (m->nacks + 1);

	/* Now and then not in order, as with those of direct messages. */
	if (n > 1 && rand() % 3 == 0) {
		char first[32];

		memcpy(first, m->acks[0], sizeof(first));
		memmove(m->acks[0], m->acks[1], sizeof(first));
		memcpy(m->acks[1], first, sizeof(first));
	}
	for (unsigned i = 0; i < n; i++)
		expect_answer(&m->q, m->acks[i], SENDQ_DONE);
	m->nacks -= n;
	memmove(m->acks[0], m->acks[n], m->nacks * sizeof(m->acks[0]));
}

static void test_against_a_model(void **state)
{
	struct model m = {.q = small(5000)};
	char text[300];

	(void)state;
	srand(1);
	while (m.put < MODEL_MESSAGES || !sendq_empty(&m.q)) {
		snprintf(text, sizeof(text), "{\"n\":%u,\"x\":\"%*s\"}", m.put, rand() % 200, "");
		if (m.put < MODEL_MESSAGES && put(&m.q, text) == 0)
			m.put++;
		if (rand() % 2)
			model_send(&m);
		if (rand() % 2)
			model_answer(&m);
		if (rand() % 50 == 0) {
			sendq_rewind(&m.q);
			m.len = m.nacks = 0;
		}
	}
	assert_int_equal(m.logged, MODEL_MESSAGES);
	assert_true(m.q.cap < 4 * 5000);
	assert_true(m.q.ring_cap <= 256);
	sendq_free(&m.q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids_and_acks),
	    cmocka_unit_test(test_ids_that_are_not_ours),
	    cmocka_unit_test(test_ids_of_the_sender),
	    cmocka_unit_test(test_a_full_queue_takes_nothing_in_part),
	    cmocka_unit_test(test_control_lines_have_a_fence),
	    cmocka_unit_test(test_rewind_sends_again_what_has_no_answer),
	    cmocka_unit_test(test_control_lines_after_a_rewind),
	    cmocka_unit_test(test_a_line_that_is_too_long),
	    cmocka_unit_test(test_the_window),
	    cmocka_unit_test(test_against_a_model),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
