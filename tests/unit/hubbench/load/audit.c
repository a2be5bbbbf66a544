/* The audit of a stream: against a record of every number that came, for orders of all kinds. */
#include "load/audit.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void take_all(struct stream *s, struct audit_counts *c, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		stream_take(s, numbers[i], c);
}

static void expect_counts(const struct audit_counts *c, uint64_t delivered, uint64_t lost,
			  uint64_t duplicated, uint64_t reordered, uint64_t withheld)
{
	assert_int_equal(c->delivered, delivered);
	assert_int_equal(c->lost, lost);
	assert_int_equal(c->duplicated, duplicated);
	assert_int_equal(c->reordered, reordered);
	assert_int_equal(c->withheld, withheld);
}

static void nothing_is_wrong(void **state)
{
	static const uint64_t numbers[] = {0, 1, 2, 3};
	struct audit_counts c = {0};
	struct stream s = {0};

	(void)state;
	take_all(&s, &c, numbers, 4);
	assert_null(s.holes);
	assert_true(stream_complete(&s, 4));
	assert_false(stream_complete(&s, 5));
	stream_end(&s, 4, &c);
	expect_counts(&c, 4, 0, 0, 0, 0);
}

static void lost_in_the_middle_and_at_both_ends(void **state)
{
	static const uint64_t numbers[] = {2, 3, 6, 9};
	struct audit_counts c = {0};
	struct stream s = {0};

	(void)state;
	take_all(&s, &c, numbers, 4);
	assert_int_equal(stream_missing(&s), 6);
	assert_false(stream_complete(&s, 10));
	stream_end(&s, 12, &c);
	expect_counts(&c, 4, 8, 0, 0, 0);
}

static void late_and_twice(void **state)
{
	static const uint64_t numbers[] = {0, 3, 1, 1, 2, 0, 3, 4};
	struct audit_counts c = {0};
	struct stream s = {0};

	(void)state;
	take_all(&s, &c, numbers, 8);
	assert_true(stream_complete(&s, 5));
	stream_end(&s, 5, &c);
	expect_counts(&c, 5, 0, 3, 2, 0);
}

static void any_beginning(void **state)
{
	struct audit_counts c = {0};
	struct stream s = {.next = STREAM_ANY};

	(void)state;
	assert_int_equal(stream_take(&s, 40, &c), STREAM_NEW);
	assert_int_equal(stream_take(&s, 42, &c), STREAM_NEW);
	assert_int_equal(stream_take(&s, 41, &c), STREAM_LATE);
	stream_end(&s, 43, &c);
	expect_counts(&c, 3, 0, 0, 1, 0);
	s.next = STREAM_ANY;
	stream_end(&s, 43, &c);
	expect_counts(&c, 3, 0, 0, 1, 0);
}

/* A hub with --slow resync: state that was had before, acknowledged records of the gap, then on. */
static void behind_a_gap(void **state)
{
	struct audit_counts c = {0};
	struct stream s = {.next = 1};

	(void)state;
	stream_take(&s, 1, &c);
	stream_take(&s, 2, &c);
	stream_withhold(&s, 10);
	assert_int_equal(stream_take(&s, 1, &c), STREAM_REPEAT);
	assert_int_equal(stream_take(&s, 4, &c), STREAM_NEW);
	assert_int_equal(stream_take(&s, 9, &c), STREAM_NEW);
	assert_int_equal(stream_take(&s, 11, &c), STREAM_NEW);
	/* The repeats are over. */
	assert_int_equal(stream_take(&s, 2, &c), STREAM_AGAIN);
	assert_int_equal(stream_missing(&s), 0);
	stream_end(&s, 12, &c);
	expect_counts(&c, 5, 0, 1, 0, 6);
}

static void away_and_back(void **state)
{
	struct audit_counts c = {0};
	struct stream s = {0};

	(void)state;
	stream_take(&s, 0, &c);
	stream_restart(&s);
	assert_false(stream_complete(&s, 3));
	stream_take(&s, 5, &c);
	stream_take(&s, 7, &c);
	stream_end(&s, 8, &c);
	expect_counts(&c, 3, 1, 0, 0, 4);

	/* Back where it was: nothing was missed, and a hole that follows is a loss. */
	memset(&c, 0, sizeof(c));
	s = (struct stream){0};
	stream_take(&s, 0, &c);
	stream_restart(&s);
	stream_take(&s, 1, &c);
	stream_take(&s, 3, &c);
	stream_end(&s, 4, &c);
	expect_counts(&c, 3, 1, 0, 0, 0);

	/* Not back: what it has missed is no secret. */
	memset(&c, 0, sizeof(c));
	s = (struct stream){0};
	stream_take(&s, 0, &c);
	stream_restart(&s);
	stream_end(&s, 4, &c);
	expect_counts(&c, 1, 0, 0, 0, 3);
}

/* Any order, with losses and repeats, against counting by hand. */
static void random_orders(void **state)
{
	enum { N = 300 };

	(void)state;
	srand(7);
	for (int round = 0; round < 500; round++) {
		struct audit_counts c = {0}, want = {0};
		struct stream s = {0};
		bool had[N] = {false};
		uint64_t last = 0, at = 0;

		for (int i = 0; i < 2 * N; i++) {
			uint64_t number = at + (uint64_t)(rand() % 9);

			if (number >= N)
				break;
			if (had[number])
				want.duplicated++;
			else
				want.delivered++;
			if (!had[number] && number < last)
				want.reordered++;
			had[number] = true;
			last = number > last ? number : last;
			at += (uint64_t)(rand() % 2);
			stream_take(&s, number, &c);
		}
		for (uint64_t i = 0; i < N; i++)
			want.lost += !had[i];
		assert_int_equal(stream_missing(&s) + N - s.next, want.lost);
		stream_end(&s, N, &c);
		assert_memory_equal(&c, &want, sizeof(c));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_wrong),
	    cmocka_unit_test(lost_in_the_middle_and_at_both_ends),
	    cmocka_unit_test(late_and_twice),
	    cmocka_unit_test(any_beginning),
	    cmocka_unit_test(behind_a_gap),
	    cmocka_unit_test(away_and_back),
	    cmocka_unit_test(random_orders),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
