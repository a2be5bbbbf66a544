/* Records with an ack that left the log: those and no others, in order, their memory counted, and
 * where there is none, nobody is told that all is there. */
#include "log/retained.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static const char body[] = "{\"type\":\"x\",\"n\":1234567890123456789012345678901234567890";

/* Appends n records; every third wants an ack, and its msg is its seq. */
static void append(struct log *log, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t seq = log->head + 1;
		struct slot tags = {.sender = seq + 1000, .msg = seq, .acked = seq % 3 == 0};

		assert_int_equal(log_append(log, &tags, body, sizeof(body) - 1, 0), (int64_t)seq);
	}
}

/* The log's oldest chunk goes, as a session drops it. */
static void drop_chunk(struct retained *r, struct log *log, uint64_t low)
{
	retained_take(r, log, low);
	log_drop_oldest(log);
}

/* Exactly the records with an ack in [from, to) are there. */
static void expect(const struct retained *r, uint64_t from, uint64_t to)
{
	const struct retained_record *k = r->first, *last = NULL;
	uint64_t seq;

	for (seq = from; seq < to; seq++) {
		char end[32];
		int n = snprintf(end, sizeof(end), ",\"seq\":%ju}", (uintmax_t)seq);

		if (seq % 3 != 0)
			continue;
		assert_non_null(k);
		assert_int_equal(k->seq, seq);
		assert_int_equal(k->tags.sender, seq + 1000);
		assert_int_equal(k->tags.msg, seq);
		assert_int_equal(k->tags.acked, 1);
		assert_int_equal(k->len, k->tags.len);
		assert_memory_equal(k->frame + k->len - (size_t)n, end, (size_t)n);
		assert_memory_equal(k->frame + k->len - (size_t)n - (sizeof(body) - 1), body,
				    sizeof(body) - 1);
		last = k;
		k = k->next;
	}
	assert_null(k);
	assert_ptr_equal(r->last, last);
}

static void records_with_an_ack_are_kept(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct retained r = {0};
	struct log log;

	(void)state;
	log_init(&log, &memory);
	append(&log, 500);
	while (log.oldest != log.last) {
		drop_chunk(&r, &log, 0);
		expect(&r, 1, log.tail);
	}
	assert_true(log.tail > 200);
	/* As members come on, so do these go. */
	for (uint64_t seq = 1; seq <= log.tail; seq += 7) {
		retained_drop(&r, &memory, seq);
		expect(&r, seq, log.tail);
	}
	retained_drop(&r, &memory, UINT64_MAX);
	assert_null(r.first);
	assert_int_equal(atomic_load(&memory.used), log.bytes);
	assert_int_equal(r.lost, 0);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void what_all_members_had_is_not(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct retained r = {0};
	uint64_t second;
	struct log log;

	(void)state;
	log_init(&log, &memory);
	append(&log, 500);
	second = log_second(&log);
	drop_chunk(&r, &log, second); /* nobody needs any of it */
	assert_null(r.first);
	second = log.tail + 5;
	assert_true(second < log_second(&log));
	drop_chunk(&r, &log, second);
	expect(&r, second, log.tail);
	retained_drop(&r, &memory, UINT64_MAX);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void without_memory_they_are_lost(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct retained r = {0};
	uint64_t last;
	struct log log;

	(void)state;
	log_init(&log, &memory);
	append(&log, 500);
	drop_chunk(&r, &log, 0);
	drop_chunk(&r, &log, 0);
	assert_non_null(r.first);
	assert_int_equal(r.lost, 0);
	/* Three quarters of it are used: who needs what is lost now, needs nothing before. */
	memory.max = atomic_load(&memory.used);
	drop_chunk(&r, &log, 0);
	last = (log.tail - 1) / 3 * 3;
	assert_int_equal(r.lost, last);
	assert_null(r.first);
	assert_null(r.last);
	/* There is room again. */
	memory.max = SIZE_MAX;
	while (log.oldest != log.last) {
		drop_chunk(&r, &log, 0);
		assert_int_equal(r.lost, last);
		expect(&r, last + 1, log.tail);
	}
	assert_non_null(r.first);
	retained_lose(&r, &memory);
	assert_int_equal(r.lost, (log.tail - 1) / 3 * 3);
	assert_null(r.first);
	assert_null(r.last);
	assert_int_equal(atomic_load(&memory.used), log.bytes);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_with_an_ack_are_kept),
	    cmocka_unit_test(what_all_members_had_is_not),
	    cmocka_unit_test(without_memory_they_are_lost),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("retained", tests, NULL, NULL);
}
