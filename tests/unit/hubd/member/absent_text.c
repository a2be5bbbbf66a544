/* Who is absent, as one hub tells another: it comes back as it was, and what is cut or otherwise no
 * such text is not read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "member/absent_impl.h"
#include "unit.h"

#define LOGS 2
#define STEPS 3

static struct absent *sample(void)
{
	struct absent *a =
	    calloc(1, sizeof(*a) + LOGS * sizeof(*a->log) + STEPS * sizeof(*a->step));

	assert_non_null(a);
	a->client = UINT64_MAX;
	a->forgot = true;
	a->logs = LOGS;
	a->steps = STEPS;
	a->step = (struct trail_step *)(void *)&a->log[LOGS];
	for (unsigned i = 0; i < LOGS; i++) {
		a->log[i] = (struct absent_log){
		    .place = {.epoch = 7 + i, .run = 0xffffffff, .has_run = i != 0},
		    .base = 1 + i,
		    .begin = UINT64_MAX - i,
		    .number = 5 + i,
		    .echo = i == 0};
		a->log[i].id_len = (uint8_t)snprintf(a->log[i].id, sizeof(a->log[i].id), "r%u", i);
	}
	for (unsigned i = 0; i < STEPS; i++)
		a->step[i] = (struct trail_step){.cursor = 100 + i, .number = 5 + i % 2};
	return a;
}

static void it_comes_back_as_it_was(void **state)
{
	struct absent *a = sample(), *b;
	struct buf text = {0};

	(void)state;
	assert_int_equal(absent_put(a, &text), 0);
	b = absent_read((struct span){text.data, text.len});
	assert_non_null(b);
	assert_true(b->client == a->client && b->forgot && b->logs == LOGS && b->steps == STEPS);
	for (unsigned i = 0; i < LOGS; i++) {
		const struct absent_log *was = &a->log[i], *is = &b->log[i];

		assert_true(is->place.epoch == was->place.epoch &&
			    is->place.run == was->place.run &&
			    is->place.has_run == was->place.has_run && is->place.seq == 0);
		assert_true(is->base == was->base && is->begin == was->begin &&
			    is->number == was->number && is->echo == was->echo);
		assert_int_equal(is->id_len, was->id_len);
		assert_memory_equal(is->id, was->id, was->id_len);
	}
	for (unsigned i = 0; i < STEPS; i++)
		assert_true(b->step[i].cursor == a->step[i].cursor &&
			    b->step[i].number == a->step[i].number);
	buf_free(&text);
	free(a);
	free(b);
}

static void what_is_cut_is_not_read(void **state)
{
	struct absent *a = sample();
	struct buf text = {0};

	(void)state;
	assert_int_equal(absent_put(a, &text), 0);
	for (size_t len = 0; len < text.len; len++) {
		char *cut = malloc(len + 1); /* so that a read behind it is seen */

		assert_non_null(cut);
		memcpy(cut, text.data, len);
		assert_null(absent_read((struct span){cut, len}));
		free(cut);
	}
	buf_free(&text);
	free(a);
}

static void nor_is_anything_else(void **state)
{
	static const char *const rows[] = {
	    "2 1 0 1 0 7 0 0 1 1 0 0 a\n",	    /* of another form */
	    "1 1 0 0 0 ",			    /* without a log */
	    "1 1 0 4097 0 ",			    /* of too many */
	    "1 1 0 1 513 7 0 0 1 1 0 0 a\n",	    /* and steps */
	    "1 1 2 1 0 7 0 0 1 1 0 0 a\n",	    /* no such flag */
	    "1 1 0 1 0 7 0 4294967296 1 1 0 0 a\n", /* too large */
	    "1 18446744073709551616 0 1 0 7 0 0 1 1 0 0 a\n",
	    "1 1 0 1 0 7 0 0 1 1 0 0 a b\n", /* no session's name */
	    "1 1 0 1 0 7 0 0 1 1 0 0 \n",
	    "1 1 0 1 0 7 0 0 1 1 0 0 a\n1 ", /* more */
	    "1 -1 0 1 0 7 0 0 1 1 0 0 a\n",
	};
	static const char good[] = "1 1 0 1 0 7 0 0 1 1 0 0 a\n";
	struct absent *a = absent_read((struct span){good, sizeof(good) - 1});

	(void)state;
	assert_non_null(a);
	free(a);
	for (unsigned i = 0; i < UNIT_COUNT(rows); i++)
		assert_null(absent_read((struct span){rows[i], strlen(rows[i])}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_comes_back_as_it_was),
	    cmocka_unit_test(what_is_cut_is_not_read),
	    cmocka_unit_test(nor_is_anything_else),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("absent_text", tests, NULL, NULL);
}
