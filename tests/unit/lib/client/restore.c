/* Records that came as patches, or without what the one before says, are whole again. */
#include "client/restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"
#include "unit.h"

static struct keys *keys;

/* All of an array, a line each; what is whole is kept, as a client does. Ends with what went wrong.
 */
static const char *all(struct restore *u, const char *array)
{
	static char out[4000];
	struct json_walk walk;
	struct json_item item;
	struct json_scan scan;
	struct span one;
	int r = 0;

	out[0] = '\0';
	assert_int_equal(json_scan(NULL, array, strlen(array), NULL, &scan), JSON_OK);
	restore_begin(u);
	json_walk_begin(&walk, array, strlen(array));
	while (r == 0 && json_walk_next(&walk, &item)) {
		const char *seq;

		r = restore_next(u, &item, &one);
		if (r < 0)
			break;
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%.*s\n", (int)one.len,
			 one.p);
		seq = strstr(out + strlen(out) - one.len - 1, "\"seq\":");
		if (seq)
			bases_keep(&u->bases, one.p, one.len, strtoull(seq + 6, NULL, 10));
	}
	strcat(out, r == -ENOENT ? "missing" : r < 0 ? "error" : "");
	return out;
}

#define SAID ",\"session_id\":\"s\",\"timestamp\":5,\"from\":\"F\""

static void patches(void **state)
{
	struct restore u = {.bases.keys = keys};

	(void)state;
	assert_string_equal(all(&u, "[{\"type\":\"p\",\"key\":\"a\",\"x\":1" SAID ",\"seq\":1}]"),
			    "{\"type\":\"p\",\"key\":\"a\",\"x\":1" SAID ",\"seq\":1}\n");
	/* Also of one in the same array, and what is new stands before what the hub says. */
	assert_string_equal(
	    all(&u, "[[1,{\"x\":2,\"timestamp\":6,\"seq\":2}],[2,{\"y\":[],\"x\":null,"
		    "\"timestamp\":7,\"seq\":4}]]"),
	    "{\"type\":\"p\",\"key\":\"a\",\"x\":2,\"session_id\":\"s\",\"timestamp\":6,\"from\":"
	    "\"F\",\"seq\":2}\n"
	    "{\"type\":\"p\",\"key\":\"a\",\"y\":[],\"session_id\":\"s\",\"timestamp\":7,"
	    "\"from\":\"F\",\"seq\":4}\n");
	/* Only the last of each is kept. */
	assert_string_equal(all(&u, "[[2,{\"x\":2,\"timestamp\":6,\"seq\":5}]]"), "missing");
	assert_int_equal(u.bases.n, 1);
	assert_string_equal(all(&u, "[[4]]"), "missing");
	assert_string_equal(all(&u, "[[]]"), "missing");
	assert_string_equal(all(&u, "[[4,7]]"), "missing");
	assert_string_equal(all(&u, "[[4,{\"x\":3}]]"), "missing");
	assert_string_equal(all(&u, "[[4,{\"x\":3,\"x\":4,\"seq\":5}]]"), "missing");
	restore_free(&u);
}

static void what_is_kept(void **state)
{
	struct restore u = {.bases.keys = keys};

	(void)state;
	all(&u, "[{\"type\":\"p\",\"key\":\"a\"" SAID ",\"seq\":2},"
		"{\"type\":\"q\",\"key\":\"a\"" SAID ",\"seq\":3},"
		"{\"type\":\"p\",\"key\":\"b\"" SAID ",\"seq\":4},"
		"{\"type\":\"score_update\"" SAID ",\"seq\":5},"
		"{\"type\":\"avatar_position_update\",\"avatar_id\":\"c\"" SAID ",\"seq\":6},"
		"{\"type\":\"chat\"" SAID ",\"seq\":7}]");
	assert_int_equal(u.bases.n, 5);
	assert_null(bases_find(&u.bases, 7));
	/* One that is older says nothing. */
	all(&u, "[{\"type\":\"p\",\"key\":\"a\"" SAID ",\"seq\":1}]");
	assert_null(bases_find(&u.bases, 1));
	assert_non_null(bases_find(&u.bases, 2));
	all(&u, "[{\"type\":\"p\",\"key\":\"a\"" SAID ",\"seq\":8}]");
	assert_null(bases_find(&u.bases, 2));
	assert_int_equal(u.bases.n, 5);
	/* Of a key all that was before. */
	all(&u, "[{\"type\":\"state_deleted\",\"key\":\"a\"" SAID ",\"seq\":7}]");
	assert_null(bases_find(&u.bases, 3));
	assert_non_null(bases_find(&u.bases, 8));
	all(&u, "[{\"type\":\"state_deleted\",\"key\":\"a\"" SAID ",\"seq\":9}]");
	assert_int_equal(u.bases.n, 3);
	bases_clear(&u.bases);
	assert_int_equal(u.bases.bytes, 0);
	assert_null(bases_find(&u.bases, 4));
	restore_free(&u);
}

static void what_is_said_once(void **state)
{
	struct restore u = {.compact = true, .bases.keys = keys};

	(void)state;
	assert_string_equal(
	    all(&u, "[{\"type\":\"area_left\",\"session_id\":\"s\",\"left\":[]},"
		    "{\"type\":\"p\",\"key\":\"a\"" SAID ",\"seq\":1},{\"type\":\"c\",\"seq\":2},"
		    "{\"type\":\"d\",\"timestamp\":4,\"from\":\"G\",\"user\":\"u\",\"seq\":3},"
		    "{\"type\":\"e\",\"user\":\"u\",\"seq\":4},"
		    "[1,{\"x\":1,\"seq\":5}],[5,{\"x\":2,\"timestamp\":6,\"seq\":6}],"
		    "{\"type\":\"g\",\"seq\":7},{\"type\":\"skipped\",\"session_id\":\"s\"}]"),
	    "{\"type\":\"area_left\",\"session_id\":\"s\",\"left\":[]}\n"
	    "{\"type\":\"p\",\"key\":\"a\"" SAID ",\"seq\":1}\n"
	    "{\"type\":\"c\"" SAID ",\"seq\":2}\n"
	    "{\"type\":\"d\",\"timestamp\":4,\"session_id\":\"s\",\"from\":\"G\",\"user\":\"u\","
	    "\"seq\":3}\n"
	    "{\"type\":\"e\",\"session_id\":\"s\",\"timestamp\":4,\"from\":\"G\",\"user\":\"u\","
	    "\"seq\":4}\n"
	    "{\"type\":\"p\",\"key\":\"a\",\"x\":1,\"session_id\":\"s\",\"timestamp\":4,\"from\":"
	    "\"F\",\"seq\":5}\n"
	    "{\"type\":\"p\",\"key\":\"a\",\"x\":2,\"session_id\":\"s\",\"timestamp\":6,\"from\":"
	    "\"F\",\"seq\":6}\n"
	    "{\"type\":\"g\",\"session_id\":\"s\",\"timestamp\":6,\"from\":\"F\",\"seq\":7}\n"
	    "{\"type\":\"skipped\",\"session_id\":\"s\"}\n");
	/* Nothing is taken over from another array. */
	assert_string_equal(all(&u, "[{\"type\":\"c\",\"seq\":8}]"),
			    "{\"type\":\"c\",\"seq\":8}\n");
	restore_free(&u);
}

static void as_many_as_there_is_room_for(void **state)
{
	struct bases b = {.keys = keys};
	char *text = malloc(1 << 20);
	uint64_t seq;
	int n;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 1 << 20);
	for (seq = 1; seq < 64 * 1000; seq++) {
		n = snprintf(text, 100, "{\"type\":\"p\",\"key\":\"%d\"" SAID ",\"seq\":%d}",
			     (int)seq, (int)seq);
		bases_keep(&b, text, (size_t)n, seq);
	}
	assert_int_equal(b.n, 64 * 1000 - 1);
	assert_non_null(bases_find(&b, 1));
	assert_true(b.bytes < BASES_BYTES);
	for (; b.n > 1; seq++) {
		n = snprintf(text, 100,
			     "{\"type\":\"p\",\"key\":\"%d\"" SAID ",\"seq\":%d,\"x\":\"", (int)seq,
			     (int)seq);
		text[n] = 'x';
		memcpy(text + (1 << 20) - 2, "\"}", 2);
		bases_keep(&b, text, 1 << 20, seq);
		assert_true(b.bytes <= BASES_BYTES);
		assert_true(seq < 64 * 1000 + 200);
	}
	bases_clear(&b);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patches),
	    cmocka_unit_test(what_is_kept),
	    cmocka_unit_test(what_is_said_once),
	    cmocka_unit_test(as_many_as_there_is_room_for),
	};
	int failed;

	keys = keys_default();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("restore", tests, NULL, NULL);
	keys_free(keys);
	return failed;
}
