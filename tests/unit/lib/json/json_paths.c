/* Members that the scanner finds on its way: by paths, by names however they are written, the last
 * of repeated ones. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json/scan_copy.h"
#include "unit.h"

/* Scans text for one path; "-" stands for a member that is not there, a "+" in front for a repeated
 * one. */
static void expect(const char *path, const char *text, const char *value)
{
	/* Around the path in question, others that must not disturb it. */
	const char *list[] = {"zz", path, "zz.zz", path};
	struct json_paths *paths = json_paths_new(list, UNIT_COUNT(list));
	struct json_member m[UNIT_COUNT(list)];
	struct json_scan out;
	char found[64];

	assert_non_null(paths);
	if (scan(paths, text, strlen(text), m, &out) != JSON_OK)
		fail_msg("%s: %s at %u", text, json_strerror(out.status), out.at);
	snprintf(found, sizeof(found), "%s%.*s", m[1].repeated ? "+" : "",
		 m[1].type ? (int)(m[1].end - m[1].start) : 1, m[1].type ? text + m[1].start : "-");
	if (strcmp(found, value) != 0)
		fail_msg("%s in %s: %s", path, text, found);
	if (m[1].type)
		assert_int_equal(text[m[1].name], '"');
	assert_memory_equal(&m[1], &m[3], sizeof(m[1]));
	assert_int_equal(m[0].type, JSON_NONE);
	assert_int_equal(m[2].type, JSON_NONE);
	json_paths_free(paths);
}

static void members_are_found(void **state)
{
	(void)state;
	expect("a", "{\"a\":1}", "1");
	expect("a", "{ \"a\" : \"x y\" }", "\"x y\"");
	expect("a", "{\"b\":0,\"a\":{\"a\":[1]} }", "{\"a\":[1]}");
	expect("a", "{\"a\":[ 1 , [] ] }", "[ 1 , [] ]");
	expect("a", "{\"a\":null}", "null");
	expect("a", "{\"b\":{\"a\":1}}", "-");
	expect("a", "[{\"a\":1}]", "-");
	expect("a", "[\"a\",1]", "-");
	expect("a", "\"a\"", "-");
	expect("a", "{\"aa\":1,\"\":2,\"b\":3,\"A\":4}", "-");
	expect("seq", "{\"seqs\":1,\"se\":2,\"Seq\":3}", "-");
}

static void names_of_all_lengths_are_told_apart(void **state)
{
	char name[41] = "", other[42], text[160];

	(void)state;
	for (size_t n = 1; n < sizeof(name); n++) {
		memset(name, 'n', n);
		snprintf(other, sizeof(other), "%s", name);
		other[n - 1] = 'm';
		snprintf(text, sizeof(text), "{\"%s\":0,\"%sn\":1,\"%s\":2}", other, name, name);
		expect(name, text, "2");
		snprintf(text, sizeof(text), "{\"%s\":0,\"%sn\":1,\"%.*s\":2}", other, name,
			 (int)n - 1, name);
		expect(name, text, "-");
	}
}

static void paths_lead_into_objects(void **state)
{
	(void)state;
	expect("a.b", "{\"a\":{\"b\":7}}", "7");
	expect("a.b", "{\"b\":1,\"a\":{\"c\":2,\"b\":7},\"c\":{\"b\":3}}", "7");
	expect("a.b.c", "{\"a\":{\"x\":{\"c\":1},\"b\":{\"c\":7,\"b\":{\"c\":9}}}}", "7");
	expect("a.b", "{\"a\":[{\"b\":7}]}", "-");
	expect("a.b", "{\"a\":{\"a\":{\"b\":7}}}", "-");
	expect("a.b", "{\"a.b\":7}", "-");
	expect("a.b", "{\"a\":\"b\",\"b\":7}", "-");
	expect("a.a.a", "{\"a\":{\"a\":{\"a\":{\"a\":7}}}}", "{\"a\":7}");
}

static void a_path_and_its_parent_are_both_found(void **state)
{
	static const char *const list[] = {"d.o.n", "d", "d.o", "d.o.m"};
	static const char text[] = "{\"d\":{\"o\":{\"n\":1,\"m\":[]},\"p\":{\"n\":2}}}";
	struct json_paths *paths = json_paths_new(list, UNIT_COUNT(list));
	struct json_member m[UNIT_COUNT(list)];
	struct json_scan out;

	(void)state;
	assert_non_null(paths);
	assert_int_equal(scan(paths, text, sizeof(text) - 1, m, &out), JSON_OK);
	assert_int_equal(m[0].type, JSON_NUMBER);
	assert_int_equal(m[0].start, 15);
	assert_int_equal(m[1].type, JSON_OBJECT);
	assert_int_equal(m[1].end, sizeof(text) - 2);
	assert_int_equal(m[2].start, 10);
	assert_int_equal(m[2].end, 24);
	assert_int_equal(m[3].type, JSON_ARRAY);
	assert_int_equal(m[3].end - m[3].start, 2);
	json_paths_free(paths);
}

static void the_last_of_repeated_members_counts(void **state)
{
	(void)state;
	expect("a", "{\"a\":1,\"a\":2}", "+2");
	expect("a", "{\"a\":1,\"\\u0061\":2}", "+2");
	expect("a", "{\"a\":{},\"b\":0,\"a\":{\"a\":1}}", "+{\"a\":1}");
	expect("a", "{\"a\":1,\"b\":{\"a\":2}}", "1");
	expect("a.b", "{\"a\":{\"b\":1,\"b\":2}}", "+2");
	expect("a.b", "{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "+2");
	expect("a.b", "{\"a\":{\"b\":1},\"a\":{}}", "+-");
	expect("a.b", "{\"a\":{\"b\":1},\"a\":5}", "+-");
	expect("a.b", "{\"a\":{},\"a\":{\"b\":2}}", "2");
	expect("a.b.c", "{\"a\":{\"b\":{\"c\":1},\"b\":{}}}", "+-");
}

static void names_are_compared_unescaped(void **state)
{
	(void)state;
	expect("from", "{\"\\u0066rom\":1}", "1");
	expect("from", "{\"fr\\u006Fm\":1}", "1");
	expect("from", "{\"fro\\u006d\":1}", "1");
	expect("from", "{\"\\u0066\\u0072\\u006f\\u006d\":1}", "1");
	expect("from", "{\"\\u0066rom\\u0000\":1}", "-");
	expect("from", "{\"\\u0066ro\":1,\"fromm\\u006d\":2,\"\\u0046rom\":3}", "-");
	expect("a/b", "{\"a\\/b\":1}", "1");
	expect("\"", "{\"\\\"\":1}", "1");
	expect("\\", "{\"\\\\\":1}", "1");
	expect("\\u0061", "{\"a\":1}", "-");
	expect("a\tb\nc\rd\be\f", "{\"a\\tb\\nc\\rd\\be\\f\":1}", "1");
	expect("\xc3\xa9", "{\"\\u00e9\":1}", "1");
	expect("\xe2\x82\xac", "{\"\\u20AC\":1}", "1");
	expect("\xf0\x9f\x98\x80", "{\"\\ud83d\\ude00\":1}", "1");
	expect("\xf0\x9f\x98\x80", "{\"\xf0\x9f\x98\x80\":1}", "1");
	expect("a", "{\"a\\ud83d\":1,\"\\ude00\":2}", "-");
	expect("a.b", "{\"\\u0061\":{\"\\u0062\":1}}", "1");
}

static void escapes_in_values_are_marked(void **state)
{
	static const char *const list[] = {"a", "b", "c"};
	static const char text[] = "{\"a\":\"x\",\"\\u0062\":\"x\",\"c\":\"0123456789abcdef\\n\"}";
	struct json_paths *paths = json_paths_new(list, UNIT_COUNT(list));
	struct json_member m[UNIT_COUNT(list)];
	struct json_scan out;

	(void)state;
	assert_non_null(paths);
	assert_int_equal(scan(paths, text, sizeof(text) - 1, m, &out), JSON_OK);
	assert_false(m[0].escaped);
	assert_false(m[1].escaped);
	assert_true(m[2].escaped);
	json_paths_free(paths);
}

static void members_before_an_error_are_whole_or_absent(void **state)
{
	static const char *const list[] = {"a", "b", "c"};
	static const char text[] = "{\"a\":\"x\",\"b\":{\"c\":1,\"d\":tru}}";
	struct json_paths *paths = json_paths_new(list, UNIT_COUNT(list));
	struct json_member m[UNIT_COUNT(list)];
	struct json_scan out;

	(void)state;
	assert_non_null(paths);
	assert_int_equal(scan(paths, text, sizeof(text) - 1, m, &out), JSON_SYNTAX);
	assert_int_equal(m[0].type, JSON_STRING);
	assert_int_equal(m[0].end, 8);
	assert_int_equal(m[1].type, JSON_NONE);
	assert_int_equal(m[2].type, JSON_NONE);
	json_paths_free(paths);
}

static void refuse_path(const char *path)
{
	errno = 0;
	assert_null(json_paths_new(&path, 1));
	assert_int_equal(errno, EINVAL);
}

static void sets_have_limits(void **state)
{
	char names[JSON_PATHS_MAX + 1][8], text[1024] = "{", *p = text + 1;
	const char *list[JSON_PATHS_MAX + 1];
	struct json_member m[JSON_PATHS_MAX];
	struct json_paths *paths;
	struct json_scan out;

	(void)state;
	refuse_path("");
	refuse_path(".");
	refuse_path(".a");
	refuse_path("a.");
	refuse_path("a..b");
	for (int i = 0; i <= JSON_PATHS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d", i);
		list[i] = names[i];
		p += sprintf(p, "%s\"n%d\":%d", i ? "," : "", i, i);
	}
	strcpy(p, "}");
	errno = 0;
	assert_null(json_paths_new(list, JSON_PATHS_MAX + 1));
	assert_int_equal(errno, EINVAL);

	paths = json_paths_new(list, JSON_PATHS_MAX);
	assert_non_null(paths);
	assert_int_equal(scan(paths, text, strlen(text), m, &out), JSON_OK);
	for (int i = 0; i < JSON_PATHS_MAX; i++) {
		assert_int_equal(m[i].type, JSON_NUMBER);
		assert_int_equal(atoi(text + m[i].start), i);
	}
	json_paths_free(paths);

	paths = json_paths_new(NULL, 0);
	assert_non_null(paths);
	assert_int_equal(scan(paths, text, strlen(text), NULL, &out), JSON_OK);
	json_paths_free(paths);
	json_paths_free(NULL);
}

static void paths_reach_the_64th_level(void **state)
{
	char path[2 * 70] = "", text[1024] = "";
	struct json_paths *paths;

	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX; i++) {
		strcat(path, i ? ".p" : "p");
		strcat(text, "{\"p\":");
	}
	strcat(text, "7");
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		strcat(text, "}");
	expect(path, text, "7");
	/* No text is as deep as this one, and nothing overflows for it. */
	strcat(path, ".p.p.p.p");
	expect(path, text, "-");
	paths = json_paths_new((const char *[]){path}, 1);
	assert_non_null(paths);
	json_paths_free(paths);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_are_found),
	    cmocka_unit_test(names_of_all_lengths_are_told_apart),
	    cmocka_unit_test(paths_lead_into_objects),
	    cmocka_unit_test(a_path_and_its_parent_are_both_found),
	    cmocka_unit_test(the_last_of_repeated_members_counts),
	    cmocka_unit_test(names_are_compared_unescaped),
	    cmocka_unit_test(escapes_in_values_are_marked),
	    cmocka_unit_test(members_before_an_error_are_whole_or_absent),
	    cmocka_unit_test(sets_have_limits),
	    cmocka_unit_test(paths_reach_the_64th_level),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("json_paths", tests, NULL, NULL);
}
