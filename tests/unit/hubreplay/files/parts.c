/* The names of the parts of a recording. */
#include "files/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static void names(void **state)
{
	static const struct {
		const char *base, *path;
		unsigned part;
	} cases[] = {{"match.ndjson", "match.ndjson", 0},
		     {"match.ndjson", "match.0001.ndjson", 1},
		     {"match.ndjson.zst", "match.0002.ndjson.zst", 2},
		     {"a.b/match.zst", "a.b/match.0003.zst", 3},
		     {"match", "match.0042", 42},
		     {"match.json", "match.json.0001", 1},
		     {"match.ndjson", "match.12345.ndjson", 12345},
		     {".ndjson", ".ndjson.0001", 1}};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char *path = parts_path(cases[i].base, cases[i].part);

		assert_string_equal(path, cases[i].path);
		free(path);
	}
}

static void compressed(void **state)
{
	(void)state;
	assert_true(parts_compressed("match.ndjson.zst"));
	assert_false(parts_compressed("match.ndjson"));
	assert_false(parts_compressed("match.zst.ndjson"));
	assert_false(parts_compressed(".zst"));
	assert_false(parts_compressed("-"));
}

static void touch(const char *base, unsigned part)
{
	char *path = parts_path(base, part);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fclose(f);
	free(path);
}

/* What is behind a hole is not of this recording. */
static void the_last_one(void **state)
{
	char dir[] = "/tmp/hub-parts.XXXXXX", base[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(base, sizeof(base), "%s/m.ndjson", dir);
	assert_int_equal(parts_last(base), 1);
	touch(base, 1);
	assert_int_equal(parts_last(base), 1);
	touch(base, 2);
	touch(base, 3);
	touch(base, 5);
	assert_int_equal(parts_last(base), 3);
	for (unsigned part = 1; part <= 5; part++) {
		char *path = parts_path(base, part);

		unlink(path);
		free(path);
	}
	rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(compressed),
	    cmocka_unit_test(the_last_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
