/* Where a log stands: what moves it, and what is another log. */
#include "recording/place.h"

#include <string.h>

#include "unit.h"

static struct span text(const char *s)
{
	return (struct span){s, strlen(s)};
}

static void follows_what_is_of_the_log(void **state)
{
	static const struct recording_line snapshot = {.kind = RECORDING_SNAPSHOT, .seq = 10},
					   record = {.kind = RECORDING_RECORD, .seq = 11},
					   old = {.kind = RECORDING_STATE, .seq = 3},
					   other = {.kind = RECORDING_OTHER, .seq = 99},
					   gap = {.kind = RECORDING_GAP, .seq = 12, .to_seq = 20};
	struct place p = {0};

	(void)state;
	place_follow(&p, &other);
	place_follow(&p, &old);
	assert_false(p.known);
	place_follow(&p, &snapshot);
	assert_true(p.known);
	assert_int_equal(p.seq, 10);
	place_follow(&p, &old);
	assert_int_equal(p.seq, 10);
	place_follow(&p, &record);
	assert_int_equal(p.seq, 11);
	place_follow(&p, &gap);
	assert_int_equal(p.seq, 20);
}

/* An epoch stays until a line has another one. */
static void keeps_the_epoch(void **state)
{
	struct recording_line line = {.kind = RECORDING_HEADER, .epoch = text("one")};
	struct place p = {0};

	(void)state;
	place_follow(&p, &line);
	assert_string_equal(p.epoch, "one");
	assert_false(p.known);
	line = (struct recording_line){.kind = RECORDING_RECORD, .seq = 1};
	place_follow(&p, &line);
	assert_string_equal(p.epoch, "one");
	line = (struct recording_line){.kind = RECORDING_GAP, .to_seq = 5, .epoch = text("2")};
	place_follow(&p, &line);
	assert_string_equal(p.epoch, "2");
}

static void another_log(void **state)
{
	struct recording_line line = {.kind = RECORDING_GAP, .epoch = text("one")};
	struct place p = {0};

	(void)state;
	assert_true(place_is_new(&p, &line)); /* nothing is known */
	place_follow(&p, &line);
	assert_false(place_is_new(&p, &line));
	line.epoch = text("two");
	assert_true(place_is_new(&p, &line));
	line.epoch = text("on"); /* the front of it is not it */
	assert_true(place_is_new(&p, &line));
	line.epoch = (struct span){0};
	assert_false(place_is_new(&p, &line));
	line.reason = text("trimmed");
	assert_false(place_is_new(&p, &line));
	/* A log that was cut back by a crash of its hub keeps its epoch. */
	line.reason = text("epoch_changed");
	assert_true(place_is_new(&p, &line));
	/* Where the epoch was not known, one that is told now is no other. */
	p.epoch[0] = '\0';
	line = (struct recording_line){.kind = RECORDING_SNAPSHOT, .epoch = text("one")};
	assert_false(place_is_new(&p, &line));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(follows_what_is_of_the_log),
	    cmocka_unit_test(keeps_the_epoch),
	    cmocka_unit_test(another_log),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
