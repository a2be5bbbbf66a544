/* Files as one line of time: the distance between them is kept, what overlaps is pushed back. */
#include "play/reel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "unit.h"

#define FILES 3
#define SECOND 1000000u

static char dir[32], *paths[FILES];

/* A recording with a record at each of these seconds. */
static void make(const char *path, uint64_t start_ms, const int *seconds, int n)
{
	struct recorder_options options = {0};
	char why[300], text[100];
	int status;
	struct recorder *w = recorder_open(path, &options, NULL, why, sizeof(why), &status);

	assert_non_null(w);
	assert_int_equal(recorder_header(w, "s", "e", start_ms), 0);
	assert_int_equal(recorder_snapshot(w, "s", "e", 0, 0, 0), 0);
	for (int i = 0; i < n; i++) {
		int len = snprintf(text, sizeof(text), "{\"type\":\"x\",\"from\":\"c\",\"seq\":%d}",
				   i + 1);

		assert_int_equal(recorder_put(w, text, (size_t)len, (uint64_t)seconds[i] * SECOND),
				 0);
	}
	assert_int_equal(recorder_close(w), 0);
}

static int set_up(void **state)
{
	static const int a[] = {0, 1, 5}, b[] = {0, 2}, c[] = {1, 100};

	(void)state;
	strcpy(dir, "/tmp/hub-reel.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	for (int i = 0; i < FILES; i++)
		if (asprintf(&paths[i], "%s/%d.ndjson", dir, i) < 0)
			return -1;
	make(paths[0], 1000000, a, 3);
	make(paths[1], 1010000, b, 2); /* 10 s after the first one */
	make(paths[2], 1003000, c, 2); /* began while the others ran */
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < FILES; i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	return rmdir(dir);
}

/* The seconds at which something is played, from where the reel is. */
static void check(struct reel *r, const char *want)
{
	struct recording_line line;
	char text[100] = "";
	uint64_t us;

	while (reel_next(r, &line, &us))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d ",
			 (int)(us / SECOND));
	assert_string_equal(text, want);
	assert_false(reel_next(r, &line, &us));
}

static void one_line_of_time(void **state)
{
	struct progress progress = {0};
	struct reel r = {.paths = paths, .n = FILES, .progress = &progress};

	(void)state;
	assert_int_equal(reel_open(&r), 0);
	check(&r, "0 1 5 10 12 13 112 ");
	/* Again from the front, and backwards into an earlier file. */
	assert_int_equal(reel_open(&r), 0);
	check(&r, "0 1 5 10 12 13 112 ");
	assert_true(reel_seek(&r, 5 * SECOND));
	check(&r, "5 10 12 13 112 ");
	assert_true(reel_seek(&r, 100 * SECOND));
	check(&r, "112 ");
	assert_int_equal(r.status, 0);
	reel_close(&r);
}

static void a_part_of_it(void **state)
{
	struct progress progress = {0};
	struct reel r = {.paths = paths, .n = 2, .progress = &progress};

	(void)state;
	range_read(&r.range, "1", "+11");
	assert_int_equal(reel_open(&r), 0);
	check(&r, "1 5 10 ");
	assert_true(reel_seek(&r, 0));
	check(&r, "1 5 10 ");
	reel_close(&r);
}

static void its_length(void **state)
{
	struct progress progress = {0};
	struct reel r = {.paths = paths, .n = 2, .progress = &progress};
	uint64_t us;

	(void)state;
	assert_int_equal(reel_open(&r), 0);
	us = reel_length(&r);
	assert_true(us > 11800000 && us <= 12 * SECOND);
	r.range.to_us = 11 * SECOND;
	assert_int_equal(reel_length(&r), 11 * SECOND);
	check(&r, "0 1 5 10 "); /* and stays where it was */
	reel_close(&r);
}

/* What cannot be opened is told by the status; the others are played. */
static void a_file_that_is_missing(void **state)
{
	char *some[] = {paths[0], dir, paths[1]};
	struct progress progress = {0};
	struct reel r = {.paths = some, .n = 3, .progress = &progress};

	(void)state;
	assert_int_equal(reel_open(&r), 0);
	check(&r, "0 1 5 10 12 ");
	assert_int_not_equal(r.status, 0);
	reel_close(&r);
	some[0] = dir;
	assert_int_not_equal(reel_open(&r), 0);
	assert_false(reel_seek(&r, 0));
	check(&r, "");
	reel_close(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_line_of_time),
	    cmocka_unit_test(a_part_of_it),
	    cmocka_unit_test(its_length),
	    cmocka_unit_test(a_file_that_is_missing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reel", tests, set_up, tear_down);
}
