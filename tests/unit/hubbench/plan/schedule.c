/* Schedules: all publishers together keep the rate, to the message, for however long; what is taken
 * back is due again at the same instant. */
#include "plan/schedule.h"

#include <math.h>

#include "unit.h"

#define START 1000000000000u
#define SECOND 1000000000u

static void fixed_instants(void **state)
{
	static const struct timetable t = {.rate = 4, .publishers = 2};
	struct schedule a, b;

	(void)state;
	schedule_start(&a, &t, 0, START);
	schedule_start(&b, &t, 1, START);
	assert_int_equal(a.due, START);
	assert_int_equal(b.due, START + SECOND / 4);
	schedule_next(&a, &t, START);
	schedule_next(&b, &t, START);
	assert_int_equal(a.due, START + SECOND / 2);
	assert_int_equal(b.due, START + SECOND / 4 * 3);
}

/* A third of a nanosecond never adds up to one that is missing. */
static void nothing_drifts(void **state)
{
	static const struct timetable t = {.rate = 30000, .publishers = 7};
	uint64_t n = 0;

	(void)state;
	for (uint32_t p = 0; p < t.publishers; p++) {
		struct schedule s;

		schedule_start(&s, &t, p, START);
		n += schedule_count(&s, &t, START, START + 3600 * (uint64_t)SECOND, true);
	}
	assert_int_equal(n, 30000 * 3600);
}

static void nobody_publishes(void **state)
{
	static const struct timetable t = {.rate = 0, .publishers = 1};
	struct schedule s;

	(void)state;
	schedule_start(&s, &t, 0, START);
	assert_int_equal(s.due, SCHEDULE_NEVER);
	assert_int_equal(schedule_count(&s, &t, START, SCHEDULE_NEVER, true), 0);
}

/* The mean and the spread of the gaps are those of a Poisson process, which are equal. */
static void random_instants(void **state)
{
	static const struct timetable t = {
	    .kind = SCHEDULE_POISSON, .rate = 1000, .publishers = 4, .seed = 1};
	enum { N = 200000 };
	double sum = 0, squares = 0, mean;
	struct schedule s;

	(void)state;
	schedule_start(&s, &t, 2, START);
	for (int i = 0; i < N; i++) {
		uint64_t before = s.due;
		double gap;

		schedule_next(&s, &t, START);
		assert_true(s.due >= before);
		gap = (double)(s.due - before);
		sum += gap;
		squares += gap * gap;
	}
	mean = sum / N;
	assert_true(fabs(mean / 4e6 - 1) < 0.01);
	assert_true(fabs(sqrt(squares / N - mean * mean) / mean - 1) < 0.01);
}

static void publishers_and_seeds_differ(void **state)
{
	struct timetable t = {.kind = SCHEDULE_POISSON, .rate = 1, .publishers = 2, .seed = 1};
	struct schedule a, b, again, other;

	(void)state;
	schedule_start(&a, &t, 0, START);
	schedule_start(&b, &t, 1, START);
	schedule_start(&again, &t, 0, START);
	t.seed = 2;
	schedule_start(&other, &t, 0, START);
	assert_int_equal(a.due, again.due);
	assert_int_not_equal(a.due, b.due);
	assert_int_not_equal(a.due, other.due);
}

/* A copy goes on as the original would have. */
static void taken_back(void **state)
{
	static const struct timetable t = {
	    .kind = SCHEDULE_POISSON, .rate = 100, .publishers = 3, .seed = 5};
	struct schedule s, kept;
	uint64_t due[10];

	(void)state;
	schedule_start(&s, &t, 1, START);
	kept = s;
	for (int i = 0; i < 10; i++) {
		schedule_next(&s, &t, START);
		due[i] = s.due;
	}
	for (int i = 0; i < 10; i++) {
		schedule_next(&kept, &t, START);
		assert_int_equal(kept.due, due[i]);
	}
	schedule_start(&s, &t, 1, START);
	assert_int_equal(schedule_count(&s, &t, START, due[9], true), 10);
}

static void as_it_was_recorded(void **state)
{
	static const uint64_t ns[] = {0, 5, 5, 70};
	static const struct timetable t = {
	    .kind = SCHEDULE_PLAY, .publishers = 3, .play_ns = ns, .nplay = 4, .turn_ns = 100};
	static const uint64_t want[] = {0, 70, 105, 205, 300};
	struct schedule s;

	(void)state;
	schedule_start(&s, &t, 0, START);
	for (size_t i = 0; i < UNIT_COUNT(want); i++) {
		assert_int_equal(s.due, START + want[i]);
		schedule_next(&s, &t, START);
	}
}

static void about_as_many(void **state)
{
	static const struct timetable t = {.rate = 1000, .publishers = 4};
	struct schedule s;
	uint64_t exact, about;

	(void)state;
	schedule_start(&s, &t, 3, START);
	exact = schedule_count(&s, &t, START, START + 10 * (uint64_t)SECOND, true);
	about = schedule_count(&s, &t, START, START + 10 * (uint64_t)SECOND, false);
	assert_int_equal(exact, 2500);
	assert_in_range(about, 2499, 2501);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fixed_instants),
	    cmocka_unit_test(nothing_drifts),
	    cmocka_unit_test(nobody_publishes),
	    cmocka_unit_test(random_instants),
	    cmocka_unit_test(publishers_and_seeds_differ),
	    cmocka_unit_test(taken_back),
	    cmocka_unit_test(as_it_was_recorded),
	    cmocka_unit_test(about_as_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
