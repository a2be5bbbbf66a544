/* The queue of a client: what is confirmed goes, what is not goes out again, nothing else moves. */
#include "sendq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct sendq small(size_t limit)
{
	return (struct sendq){.limit = limit, .tag = "tag"};
}

/* Sends all; returns it as a string, which the caller frees. */
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

static bool confirm(struct sendq *q, const char *id)
{
	return sendq_confirm(q, id, strlen(id));
}

static void test_confirms_up_to_the_fence(void **state)
{
	struct sendq q = small(1000);

	(void)state;
	assert_int_equal(sendq_put(&q, "one\ntwo", 7), 0);
	assert_int_equal(sendq_fence(&q, false), 0);
	assert_int_equal(sendq_fence(&q, true), 0); /* nothing to fence any more */
	assert_int_equal(sendq_put(&q, "three\n", 6), 0);
	expect_sent(&q, "one\ntwo\n{\"type\":\"ping\",\"ping_id\":\"tag-1\"}\nthree\n");
	assert_int_equal(sendq_messages(&q), 3);
	assert_true(confirm(&q, "tag-1"));
	assert_int_equal(sendq_messages(&q), 1);
	assert_int_equal(q.len, 6);
	assert_int_equal(sendq_fence(&q, false), 0);
	expect_sent(&q, "{\"type\":\"ping\",\"ping_id\":\"tag-2\"}\n");
	assert_true(confirm(&q, "tag-2"));
	assert_int_equal(q.len, 0);
	sendq_free(&q);
}

static void test_others_pongs_are_not_ours(void **state)
{
	static const char *const foreign[] = {"",      "1",	"tag",
					      "tag-",  "tag-2", "tag-1x",
					      "tax-1", "tag1",	"tag-11111111111111111111111"};
	struct sendq q = small(1000);

	(void)state;
	sendq_put(&q, "x", 1);
	sendq_fence(&q, false);
	free(send_all(&q));
	for (size_t i = 0; i < UNIT_COUNT(foreign); i++)
		assert_false(confirm(&q, foreign[i]));
	assert_int_equal(sendq_messages(&q), 1);
	sendq_free(&q);
}

static void test_a_full_queue_takes_nothing_in_part(void **state)
{
	struct sendq q = small(10);

	(void)state;
	assert_int_equal(sendq_put(&q, "12345678901", 11), -EMSGSIZE);
	assert_int_equal(sendq_put(&q, "1234567890", 10), -EMSGSIZE); /* with its line feed */
	assert_int_equal(sendq_put(&q, "123456\n", 7), 0);
	assert_int_equal(sendq_put(&q, "123", 3), -EAGAIN);
	assert_int_equal(sendq_put(&q, "12", 2), 0);
	assert_int_equal(sendq_put(&q, "", 0), 0);
	expect_sent(&q, "123456\n12\n");
	assert_int_equal(sendq_put(&q, "1", 1), -EAGAIN);
	sendq_fence(&q, false);
	free(send_all(&q));
	assert_true(confirm(&q, "tag-1"));
	assert_int_equal(sendq_put(&q, "1", 1), 0);
	sendq_free(&q);
}

static void test_rewind_sends_again_and_counts(void **state)
{
	struct sendq q = small(1000);

	(void)state;
	sendq_put(&q, "a\nb\n", 4);
	sendq_fence(&q, false);
	sendq_put(&q, "cc\ndd\n", 6);
	sendq_advance(&q, q.len - 2); /* "cc" whole, "d" in part */
	assert_int_equal(sendq_rewind(&q), 3);
	expect_sent(&q, "a\nb\n{\"type\":\"ping\",\"ping_id\":\"tag-1\"}\ncc\ndd\n");
	assert_int_equal(sendq_rewind(&q), 4);
	/* A pong from before cannot be told from a fence that is not sent yet on this connection.
	 */
	assert_true(confirm(&q, "tag-1"));
	assert_int_equal(sendq_messages(&q), 4);
	free(send_all(&q));
	assert_true(confirm(&q, "tag-1"));
	assert_int_equal(sendq_messages(&q), 2);
	sendq_free(&q);
}

static void test_more_fences_when_much_is_bare(void **state)
{
	struct sendq q = small(400);
	char line[101];

	(void)state;
	memset(line, 'x', 100);
	line[100] = '\n';
	sendq_put(&q, "1\n", 2);
	sendq_fence(&q, false);
	assert_int_equal(q.nfence, 1);
	sendq_put(&q, "2\n", 2);
	sendq_fence(&q, false);
	assert_int_equal(q.nfence, 1); /* one is under way and little stands behind it */
	sendq_put(&q, line, 101);
	sendq_fence(&q, false);
	assert_int_equal(q.nfence, 2);
	sendq_put(&q, "3\n", 2);
	sendq_fence(&q, true);
	assert_int_equal(q.nfence, 3);
	free(send_all(&q));
	assert_true(confirm(&q, "tag-3"));
	assert_int_equal(q.len, 0);
	assert_int_equal(q.nfence, 0);
	sendq_free(&q);
}

/* Random use against a plain model: what arrives, in order, is what was put. */
static void test_random_use(void **state)
{
	struct sendq q = small(5000);
	char line[400];
	unsigned put = 0, got = 0, fences = 0;

	(void)state;
	srand(1);
	while (got < 20000) {
		char *text, *p, *save;
		int n = snprintf(line, sizeof(line), "%u%*s", put, rand() % 300, "\n");
		char id[32];

		if (sendq_put(&q, line, (size_t)n) == 0)
			put++;
		if (rand() % 4)
			continue;
		assert_int_equal(sendq_fence(&q, rand() % 2), 0);
		text = send_all(&q);
		for (p = strtok_r(text, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
			if (*p == '{')
				fences++;
			else
				assert_int_equal(strtoul(p, NULL, 10), got++);
		}
		free(text);
		if (rand() % 3 == 0) {
			snprintf(id, sizeof(id), "tag-%x", fences);
			assert_true(!fences || confirm(&q, id));
		}
	}
	assert_true(q.cap < 4 * 5000);
	sendq_free(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_confirms_up_to_the_fence),
	    cmocka_unit_test(test_others_pongs_are_not_ours),
	    cmocka_unit_test(test_a_full_queue_takes_nothing_in_part),
	    cmocka_unit_test(test_rewind_sends_again_and_counts),
	    cmocka_unit_test(test_more_fences_when_much_is_bare),
	    cmocka_unit_test(test_random_use),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
