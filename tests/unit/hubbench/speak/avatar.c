/* What avatars say, and that it is found again wherever a server puts it. */
#include "speak/avatar.h"

#include <string.h>

#include "json/json.h"
#include "unit.h"

static struct script script = {.name = "hbabcdef"};

static size_t put(char *out, uint32_t publisher, uint64_t number, uint32_t x, uint32_t z,
		  size_t bytes)
{
	size_t len =
	    avatar_put(&script, out, &(struct avatar_move){publisher, number, x, z}, bytes);

	out[len] = '\0';
	return len;
}

static void moves_are_json(void **state)
{
	static const char *const names[] = {"key", "n", "position.x", "position.z"};
	struct json_paths *paths = json_paths_new(names, 4);
	char text[1000];

	(void)state;
	put(text, 7, 12, 5, 123456, 0);
	assert_string_equal(text,
			    "{\"type\":\"avatar\",\"key\":\"hbabcdef000007\",\"n\":1000000012,"
			    "\"position\":{\"x\":0.05,\"y\":0.0,\"z\":1234.56}}");
	for (uint32_t x = 0; x < 200000; x += 99) {
		struct json_member m[4] = {{0}};
		struct json_scan scan;
		size_t len = put(text, x % 1000, x, x, x * 3, x % 300);

		assert_int_equal(json_scan(paths, text, len, m, &scan), JSON_OK);
		assert_int_equal(m[2].type, JSON_NUMBER);
		assert_int_equal(m[3].type, JSON_NUMBER);
		assert_true(len + 11 >= x % 300); /* what a pad takes without anything in it */
		assert_true(len <= x % 300 || len <= AVATAR_LEN_MAX);
	}
	json_paths_free(paths);
}

static void they_are_found(void **state)
{
	static const char text[] =
	    "[{\"key\":\"hbabcdef000003\",\"n\":1000000042,\"x\":1},{\"key\":\"hbabcdef999999\","
	    "\"n\":1999999999},{\"key\":\"hbOTHERS000001\",\"n\":1000000001},"
	    "{\"type\":\"area_left\",\"keys\":[\"hbabcdef000004\",\"hbabcdef000005\"]},"
	    "\"hbabcdef00x\",\"hbabcdef";
	static const struct avatar_seen want[] = {
	    {3, true, 42}, {999999, true, 999999999}, {4, false, 0}, {5, false, 0}};
	const char *p = text;
	struct avatar_seen seen;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(want); i++) {
		assert_true(avatar_next(&script, &p, text + sizeof(text) - 1, &seen));
		assert_int_equal(seen.publisher, want[i].publisher);
		assert_int_equal(seen.moved, want[i].moved);
		if (seen.moved)
			assert_int_equal(seen.number, want[i].number);
	}
	assert_false(avatar_next(&script, &p, text + sizeof(text) - 1, &seen));
	/* Cut anywhere, nothing behind the end is read. */
	for (size_t n = 0; n < sizeof(text); n++) {
		char *exact = test_malloc(n ? n : 1);

		memcpy(exact, text, n);
		p = exact;
		while (avatar_next(&script, &p, exact + n, &seen))
			;
		test_free(exact);
	}
}

static void arrays_have_patches(void **state)
{
	static const char text[] =
	    "[{\"key\":\"a\\\"]}\",\"x\":[1,{\"seq\":5}],\"seq\":12},[12,{\"n\":1000000043,\"seq\":"
	    "13}],[13,{\"seq\":14}],{\"type\":\"skipped\",\"count\":3}]";
	static const char *const want[] = {"{\"key\":\"a\\\"]}\",\"x\":[1,{\"seq\":5}],\"seq\":12}",
					   "[12,{\"n\":1000000043,\"seq\":13}]",
					   "[13,{\"seq\":14}]",
					   "{\"type\":\"skipped\",\"count\":3}"};
	static const uint64_t seqs[] = {12, 13, 14, 0};
	const char *p = text, *from;
	uint64_t base, number;
	size_t len;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(want); i++) {
		assert_true(avatar_element(&p, text + sizeof(text) - 1, &from, &len));
		assert_int_equal(len, strlen(want[i]));
		assert_memory_equal(from, want[i], len);
		assert_int_equal(avatar_seq(from, len), seqs[i]);
		assert_int_equal(avatar_patch(from, len, &base, &number), i == 1);
	}
	assert_int_equal(base, 13);
	assert_false(avatar_element(&p, text + sizeof(text) - 1, &from, &len));
	for (size_t n = 0; n < sizeof(text); n++) {
		char *exact = test_malloc(n ? n : 1);

		memcpy(exact, text, n);
		p = exact;
		while (avatar_element(&p, exact + n, &from, &len)) {
			assert_true(from >= exact && from + len <= exact + n);
			avatar_seq(from, len);
			avatar_patch(from, len, &base, &number);
		}
		test_free(exact);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(moves_are_json),
	    cmocka_unit_test(they_are_found),
	    cmocka_unit_test(arrays_have_patches),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
