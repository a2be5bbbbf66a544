/* The timer wheel: who is looked at when, however entries move, within its bounds, and against a
 * plain list of times. */
#include "loop/wheel.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "unit.h"

/* Somebody who is looked at: what it then says, and when that was. */
struct waiting {
	struct wheel_entry e; /* first */
	uint32_t again, seen, times;
};

static uint32_t seed = 12345;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static uint32_t look(struct wheel_entry *e, uint32_t now_s)
{
	struct waiting *w = (struct waiting *)e;

	w->seen = now_s;
	w->times++;
	return w->again;
}

static void each_second(struct wheel *wheel, uint32_t to)
{
	while (wheel->at != to)
		wheel_advance(wheel, wheel->at + 1, look);
}

static void an_entry_is_looked_at_in_its_second(void **state)
{
	(void)state;
	for (uint32_t wait = 1; wait < WHEEL_SLOTS; wait++) {
		struct wheel wheel = {.at = 1000 + 7 * wait};
		struct waiting w = {.again = wait};
		uint32_t start = wheel.at;

		wheel_set(&wheel, &w.e, wait);
		each_second(&wheel, start + wait - 1);
		assert_int_equal(w.times, 0);
		each_second(&wheel, start + wait);
		assert_int_equal(w.times, 1);
		assert_int_equal(w.seen, start + wait);
		each_second(&wheel, start + 2 * wait - 1);
		assert_int_equal(w.times, 1);
		each_second(&wheel, start + 2 * wait);
		assert_int_equal(w.times, 2);
		wheel_remove(&w.e);
	}
}

static void waits_have_bounds(void **state)
{
	struct wheel wheel = {.at = 100};
	struct waiting now = {.again = 0}, late = {.again = UINT32_MAX};

	(void)state;
	wheel_set(&wheel, &now.e, 0); /* in a second, not in this one */
	wheel_set(&wheel, &late.e, 1000);
	each_second(&wheel, 101);
	assert_int_equal(now.times, 1);
	each_second(&wheel, 100 + WHEEL_SLOTS - 2);
	assert_int_equal(now.times, WHEEL_SLOTS - 2);
	assert_int_equal(late.times, 0);
	each_second(&wheel, 100 + WHEEL_SLOTS - 1);
	assert_int_equal(late.times, 1);
	each_second(&wheel, 100 + 2 * (WHEEL_SLOTS - 1));
	assert_int_equal(late.times, 2);
}

static void an_entry_is_in_one_place(void **state)
{
	struct wheel wheel = {.at = 0};
	struct waiting w[3] = {{.again = 60}, {.again = 60}, {.again = 60}};

	(void)state;
	/* One slot, from which the first, the last and the one between move away and come back. */
	for (int i = 0; i < 3; i++)
		wheel_set(&wheel, &w[i].e, 5);
	for (int i = 0; i < 3; i++) {
		wheel_set(&wheel, &w[i].e, 9);
		wheel_set(&wheel, &w[i].e, 5);
	}
	wheel_set(&wheel, &w[1].e, 7);
	each_second(&wheel, 4);
	wheel_remove(&w[2].e);
	wheel_remove(&w[2].e); /* one that is not in is fine */
	each_second(&wheel, 20);
	assert_int_equal(w[0].times, 1);
	assert_int_equal(w[0].seen, 5);
	assert_int_equal(w[1].times, 1);
	assert_int_equal(w[1].seen, 7);
	assert_int_equal(w[2].times, 0);
}

/* A worker that had no time for a while looks at all that was due meanwhile, at once. */
static void seconds_may_be_missed(void **state)
{
	struct wheel wheel = {.at = UINT32_MAX - 5}; /* and the clock may come round */
	struct waiting w[4] = {{.again = 63}, {.again = 63}, {.again = 63}, {.again = 63}};
	uint32_t start = wheel.at;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		wheel_set(&wheel, &w[i].e, 3 * i + 1);
	wheel_advance(&wheel, start + 8, look);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(w[i].times, 1);
		assert_true(w[i].seen == start + 8);
	}
	assert_int_equal(w[3].times, 0);
	wheel_advance(&wheel, start + 10, look);
	assert_int_equal(w[3].times, 1);
	/* Nothing is due twice in a second. */
	wheel_advance(&wheel, start + 10, look);
	assert_int_equal(w[3].times, 1);
}

static void count(struct wheel_entry *e, void *arg)
{
	unsigned *n = arg;

	(void)e;
	++*n;
}

#define ENTRIES 200

static void any_order_of_things_agrees_with_a_list(void **state)
{
	struct wheel wheel = {.at = 77};
	struct waiting w[ENTRIES] = {0};
	uint32_t due[ENTRIES] = {0}; /* 0: in no slot */
	unsigned in = 0;

	(void)state;
	for (int step = 0; step < 50000; step++) {
		uint32_t i = pick(ENTRIES), n;
		unsigned seen = 0;

		switch (pick(8)) {
		case 0:
			in -= due[i] != 0;
			due[i] = 0;
			wheel_remove(&w[i].e);
			break;
		case 1:
			for (n = 0; n < ENTRIES; n++)
				w[n].again = 1 + pick(WHEEL_SLOTS - 1);
			wheel_advance(&wheel, wheel.at + 1, look);
			for (n = 0; n < ENTRIES; n++) {
				bool goes = due[n] == wheel.at;

				assert_int_equal(w[n].times, goes);
				w[n].times = 0;
				if (goes)
					due[n] = wheel.at + w[n].again;
			}
			break;
		default:
			n = 1 + pick(WHEEL_SLOTS - 1);
			in += due[i] == 0;
			due[i] = wheel.at + n;
			wheel_set(&wheel, &w[i].e, n);
		}
		if (step % 100 == 0) {
			wheel_each(&wheel, count, &seen);
			assert_int_equal(seen, in);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_is_looked_at_in_its_second),
	    cmocka_unit_test(waits_have_bounds),
	    cmocka_unit_test(an_entry_is_in_one_place),
	    cmocka_unit_test(seconds_may_be_missed),
	    cmocka_unit_test(any_order_of_things_agrees_with_a_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
