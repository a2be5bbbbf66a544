/* What of a session's log is kept and what goes: each limit by itself, and all of them in any order
 * of things against a model. */
#include <stdlib.h>

#include "hubd/log_sample.h"
#include "unit.h"

/* 1000 records of 1000 bytes each, a millisecond apart. */
static void thousand(struct log *log, struct log_memory *memory)
{
	log_init(log, memory);
	for (uint64_t i = 1; i <= 1000; i++)
		append_sized(log, 1000, i);
	assert_int_equal(log->tail, 1);
}

static size_t thousand_bytes(uint64_t seq)
{
	(void)seq;
	return 1000;
}

static void the_number_of_records_is_a_minimum(void **state)
{
	static const size_t keep[] = {1, 10, 256, 999, 1000, 5000};
	struct log_memory memory = {.max = SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(keep); i++) {
		struct log_limits limits = {.records = keep[i]};
		struct log log;
		uint64_t left;

		thousand(&log, &memory);
		log_trim(&log, &limits, EVERYBODY, 100000);
		left = log.head + 1 - log.tail;
		assert_true(left >= (keep[i] < 1000 ? keep[i] : 1000));
		/* A chunk more at most. */
		assert_true(left < keep[i] + 66);
		check_view(&log, 1, thousand_bytes);
		log_free(&log);
	}
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void bytes_are_kept_where_that_is_more(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {.records = 10, .bytes = 400000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, EVERYBODY, 100000);
	assert_true(log.bytes <= 400000);
	assert_true(log.bytes > 400000 - 66000);
	assert_int_equal(log.bytes, atomic_load(&memory.used));
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void the_last_chunk_always_stays(void **state)
{
	struct log_memory memory = {.max = 0};
	struct log_limits limits = {0};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, EVERYBODY, 100000);
	assert_ptr_equal(log.oldest, log.last);
	assert_true(log.tail <= log.head);
	check_view(&log, 1, thousand_bytes);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void a_member_that_lags_has_some_time(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {.records = 1, .grace_ms = 2000};
	struct log log;
	uint64_t tail;

	(void)state;
	thousand(&log, &memory);
	/* What it has read is gone, what it has not is there. */
	log_trim(&log, &limits, 500, 1000);
	assert_in_range(log.tail, 500 - 65, 500);
	check_view(&log, 500, thousand_bytes);
	tail = log.tail;
	log_trim(&log, &limits, 500, tail + 1999);
	assert_int_equal(log.tail, tail);
	/* The chunks go as they were finished, each at its time. */
	for (uint64_t now = 2000 + tail; log.oldest != log.last; now++) {
		assert_true(now < 3100);
		log_trim(&log, &limits, 500, now);
		assert_true(log.oldest == log.last || now - log.oldest->sealed_ms < 2000);
	}
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void memory_over_the_limit_takes_what_all_have(void **state)
{
	struct log_memory memory = {.max = 300000};
	struct log_limits limits = {.records = 1000, .bytes = SIZE_MAX, .grace_ms = 2000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	assert_true(log_memory_over(&memory));
	log_trim(&log, &limits, EVERYBODY, 1000);
	assert_false(log_memory_over(&memory));
	assert_true(log.bytes > 300000 - 66000); /* and no more than that */
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* A burst within one turn of the loop must not overtake members that keep up. */
static void memory_over_the_limit_spares_what_a_member_lacks(void **state)
{
	struct log_memory memory = {.max = 0};
	struct log_limits limits = {.records = 1, .bytes = SIZE_MAX, .grace_ms = 2000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, 500, 1000);
	assert_in_range(log.tail, 500 - 65, 500);
	/* But not without bounds, */
	limits.bytes = 200000;
	log_trim(&log, &limits, 500, 1000);
	assert_true(log.tail > 500);
	assert_true(log.bytes <= 200000);
	/* and not for long. */
	log_trim(&log, &limits, log.tail, 4000);
	assert_ptr_equal(log.oldest, log.last);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* Workers have clocks of their own, some milliseconds apart. */
static void a_clock_that_is_behind_takes_nothing_away(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {.records = 1, .grace_ms = 2000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, 1, 20);
	assert_int_equal(log.tail, 1);
	log_trim(&log, &limits, 1, 0);
	assert_int_equal(log.tail, 1);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void readers_keep_what_is_trimmed(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {0};
	struct log_view view;
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_view(&log, 1, &view);
	log_trim(&log, &limits, EVERYBODY, 100000);
	assert_true(log.tail > 900);
	/* Who trims sees at once what it has gained. */
	assert_int_equal(atomic_load(&memory.used), log.bytes);
	for (int i = 0; i < 1000; i++)
		append_sized(&log, 1000, 0);
	log_free(&log);
	assert_true(atomic_load(&memory.used) > 1000000);
	assert_true(walk_ok(&view, 1, thousand_bytes));
	/* Of so many chunks in a row, the last reference gives back all, without recursion. */
	chunk_unref(view.chunk);
	assert_int_equal(atomic_load(&memory.used), 0);
	chunk_unref(NULL);
}

/* --- against a model --- */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

#define OPERATIONS 100000
#define VIEWS 16

struct model {
	uint64_t *time; /* of each append, by seq */
	struct log log;
	struct log_memory memory;
	struct log_view view[VIEWS];
	uint64_t from[VIEWS];
	uint64_t now, low;
};

static void model_trim(struct model *m)
{
	struct log_limits limits = {
	    .records = pick(3000), .bytes = pick(2000000), .grace_ms = pick(300)};
	struct log *log = &m->log;
	uint64_t tail = log->tail, had = log->head + 1 - tail, have;

	m->low = pick(4) ? EVERYBODY : log->head + 1 - pick(4000) % (had + 1);
	log_trim(log, &limits, m->low, m->now);
	have = log->head + 1 - log->tail;
	assert_true(log->tail >= tail);
	if (log->tail > tail) {
		assert_true(have >= limits.records && have > 0);
		/* The chunk before was finished when the one at tail was begun. */
		assert_true(log->tail <= m->low ||
			    (int64_t)(m->now - m->time[log->tail]) >= (int64_t)limits.grace_ms);
	}
	if (log->oldest != log->last) {
		const struct chunk *c = log->oldest;
		uint64_t next = c->first + atomic_load(&c->n);

		assert_true(log->bytes <= limits.bytes || log->head + 1 - next < limits.records ||
			    (next > m->low &&
			     (int64_t)(m->now - m->time[next]) < (int64_t)limits.grace_ms));
	}
}

static void model_check(const struct log *log)
{
	const struct chunk *c = log->oldest, *last = c;
	size_t bytes = 0;

	assert_int_equal(c ? c->first : log->head + 1, log->tail);
	for (; c; c = atomic_load(&c->next)) {
		const struct chunk *next = atomic_load(&c->next);

		assert_true(c->len + atomic_load(&c->n) * sizeof(struct slot) <= c->cap);
		assert_int_equal(c->first + atomic_load(&c->n), next ? next->first : log->head + 1);
		bytes += sizeof(*c) + c->cap;
		last = c;
	}
	assert_ptr_equal(last, log->last);
	assert_int_equal(bytes, log->bytes);
}

static void model_view(struct model *m)
{
	size_t i = pick(VIEWS);

	if (m->view[i].chunk) {
		assert_true(walk_ok(&m->view[i], m->from[i], body_len));
		chunk_unref(m->view[i].chunk);
	}
	m->from[i] = m->log.head + 2 - pick(3000) % (m->log.head + 2);
	log_view(&m->log, m->from[i], &m->view[i]);
	assert_int_equal(m->view[i].head, m->log.head);
	assert_int_equal(m->view[i].tail, m->log.tail);
	assert_int_equal(m->view[i].chunk == NULL, m->from[i] > m->log.head);
}

static void any_order_of_things_agrees_with_the_model(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	assert_non_null(m);
	m->time = calloc(OPERATIONS + 2, sizeof(*m->time));
	assert_non_null(m->time);
	m->memory.max = SIZE_MAX;
	log_init(&m->log, &m->memory);
	for (int i = 0; i < OPERATIONS; i++) {
		uint32_t what = pick(1000);

		m->now += pick(3);
		if (what < 970) {
			uint64_t seq = m->log.head + 1;

			m->time[seq] = m->now;
			assert_int_equal(append_sized(&m->log, body_len(seq), m->now),
					 (int64_t)seq);
		} else if (what < 980) {
			model_trim(m);
			model_check(&m->log);
		} else {
			model_view(m);
		}
		assert_true(atomic_load(&m->memory.used) >= m->log.bytes);
	}
	model_check(&m->log);
	log_free(&m->log);
	for (size_t i = 0; i < VIEWS; i++) {
		if (m->view[i].chunk)
			assert_true(walk_ok(&m->view[i], m->from[i], body_len));
		chunk_unref(m->view[i].chunk);
	}
	assert_int_equal(atomic_load(&m->memory.used), 0);
	free(m->time);
	free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_number_of_records_is_a_minimum),
	    cmocka_unit_test(bytes_are_kept_where_that_is_more),
	    cmocka_unit_test(the_last_chunk_always_stays),
	    cmocka_unit_test(a_member_that_lags_has_some_time),
	    cmocka_unit_test(memory_over_the_limit_takes_what_all_have),
	    cmocka_unit_test(memory_over_the_limit_spares_what_a_member_lacks),
	    cmocka_unit_test(a_clock_that_is_behind_takes_nothing_away),
	    cmocka_unit_test(readers_keep_what_is_trimmed),
	    cmocka_unit_test(any_order_of_things_agrees_with_the_model),
	};

	letters_make();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log_limits", tests, NULL, NULL);
}
