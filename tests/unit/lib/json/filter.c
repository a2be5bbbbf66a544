/* jq programs: outputs, runtime and compile errors, and that a filter goes on after each. */
#include "json/filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "unit.h"

struct seen {
	char text[512];
	int stop_after;
};

static int see(const char *json, size_t len, void *arg)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	assert_int_equal(strlen(json), len);
	snprintf(s->text + n, sizeof(s->text) - n, "%s|", json);
	return s->stop_after && --s->stop_after == 0 ? 7 : 0;
}

static const struct {
	const char *program, *in, *want;
	enum filter_input kind;
	int result;
	const char *why;
} cases[] = {
    {".", "{\"a\": 1}", "{\"a\":1}|", FILTER_JSON, 0, ""},
    {".a, .b", "{\"a\":1,\"b\":[2, 3]}", "1|[2,3]|", FILTER_JSON, 0, ""},
    {"select(.a)", "{\"a\":false}", "", FILTER_JSON, 0, ""},
    {".[]", "{\"a\":1,\"b\":2}", "1|2|", FILTER_JSON, 0, ""},
    {"{type:\"text\",data:{text:.}}", "say \"hi\"",
     "{\"type\":\"text\",\"data\":{\"text\":\"say \\\"hi\\\"\"}}|", FILTER_TEXT, 0, ""},
    {"length", "\xff", "1|", FILTER_TEXT, 0, ""},
    {"1, error(\"no\")", "null", "1|", FILTER_JSON, -EINVAL, "no"},
    {".a.b", "{\"a\":1}", "", FILTER_JSON, -EINVAL, "Cannot index number"},
    {"error({\"x\":1})", "null", "", FILTER_JSON, -EINVAL, "{\"x\":1}"},
    {".", "{", "", FILTER_JSON, -EINVAL, "Unfinished JSON term"},
    {"1, halt, 2", "null", "1|", FILTER_JSON, 0, ""},
    {"1, (\"gone\" | halt_error), 2", "null", "1|", FILTER_JSON, 0, ""},
    /* What libjq would end the process by, and numbers that a program may meet. */
    {"1, .[nan:]", "\"abc\"", "1|", FILTER_JSON, -EINVAL, "libjq: parse_slice: Assertion `"},
    {"todate", "1e18", "", FILTER_JSON, -EINVAL, "libjq: jv_array_get: Assertion `"},
    {"[1], . % -1", "-1e300", "[1]|", FILTER_JSON, -EINVAL, "libjq: a division"},
    {"[.[] | try todate catch 0]", "[1, 1e18, 2]", "", FILTER_JSON, -EINVAL, "libjq: "},
    {"label $out | 1, break $out, 2", "null", "1|", FILTER_JSON, 0, ""},
};

/* What libjq gives up it never frees. */
static void leaks(bool may)
{
#ifdef __SANITIZE_ADDRESS__
	if (may)
		__lsan_disable();
	else
		__lsan_enable();
#else
	(void)may;
#endif
}

static void test_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		bool gives_up = strncmp(cases[i].why, "libjq: ", 7) == 0;
		char why[200] = "";
		struct filter *f;

		if (gives_up)
			leaks(true);
		f = filter_new(cases[i].program, why, sizeof(why));
		assert_non_null(f);
		/* Twice: a run leaves nothing behind. */
		for (int turn = 0; turn < 2; turn++) {
			struct seen s = {.stop_after = 0};

			why[0] = '\0';
			assert_int_equal(filter_run(f, cases[i].kind, cases[i].in,
						    strlen(cases[i].in), see, &s, why, sizeof(why)),
					 cases[i].result);
			assert_string_equal(s.text, cases[i].want);
			assert_memory_equal(why, cases[i].why, strlen(cases[i].why));
		}
		filter_free(f);
		if (gives_up)
			leaks(false);
	}
}

static void test_output_may_stop(void **state)
{
	char why[200];
	struct filter *f = filter_new("range(10)", why, sizeof(why));
	struct seen s = {.stop_after = 3};

	(void)state;
	assert_int_equal(filter_run(f, FILTER_JSON, "0", 1, see, &s, why, sizeof(why)), 7);
	assert_string_equal(s.text, "0|1|2|");
	s = (struct seen){.stop_after = 1};
	assert_int_equal(filter_run(f, FILTER_JSON, "0", 1, see, &s, why, sizeof(why)), 7);
	assert_string_equal(s.text, "0|");
	filter_free(f);
}

static void test_compile_errors_are_jqs(void **state)
{
	char why[300];

	(void)state;
	assert_null(filter_new(".foo ^", why, sizeof(why)));
	assert_non_null(strstr(why, "syntax error"));
	assert_null(strchr(why, '\n'));
	assert_null(filter_new("nosuch(1)", why, sizeof(why)));
	assert_non_null(strstr(why, "nosuch/1 is not defined"));
	assert_null(filter_new("nosuch(1)", why, 8));
	assert_int_equal(strlen(why), 7);
	/* libjq aborts on these; its words are there all the same. */
	assert_null(filter_new("include \"m\" {as: 1}; .", why, sizeof(why)));
	assert_non_null(strstr(why, "Assertion"));
	assert_null(filter_new("import \"none\" as m; .", why, sizeof(why)));
	assert_non_null(strstr(why, "module not found"));
}

static void test_halt_is_told(void **state)
{
	static const struct {
		const char *program;
		bool halts;
		int status;
		const char *text;
	} halts[] = {
	    {"halt", true, 0, ""},
	    {"\"gone\" | halt_error", true, 5, "gone"},
	    {"{a: 1} | halt_error(3)", true, 3, "{\"a\":1}\n"},
	    {"null | halt_error(1)", true, 1, ""},
	    {"empty", false, 0, ""},
	    {"error(\"x\")", false, 0, ""},
	};
	struct seen s = {.stop_after = 0};
	const char *text = "";
	char why[200];
	int status = 0;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(halts); i++) {
		struct filter *f = filter_new(halts[i].program, why, sizeof(why));

		assert_non_null(f);
		for (int turn = 0; turn < 2; turn++) {
			filter_run(f, FILTER_JSON, "0", 1, see, &s, why, sizeof(why));
			assert_int_equal(filter_halted(f, &status, &text), halts[i].halts);
			if (!halts[i].halts)
				continue;
			assert_int_equal(status, halts[i].status);
			assert_string_equal(text, halts[i].text);
		}
		filter_free(f);
	}
}

static void test_what_reads_is_refused(void **state)
{
	static const char *const refused[] = {"input",		 "[inputs]",
					      "first(inputs)",	 ". as $x | input",
					      "def f: input; f", "if . then input else . end"};
	static const char *const good[] = {".input",	     "{input}",	  "{input: 1}",
					   "\"input\"",	     ". # input", "def input: 1; input",
					   "input_filename", "$__loc__"};
	char why[200];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(refused); i++) {
		assert_null(filter_new(refused[i], why, sizeof(why)));
		assert_non_null(strstr(why, "nothing to read"));
	}
	for (size_t i = 0; i < UNIT_COUNT(good); i++) {
		struct filter *f = filter_new(good[i], why, sizeof(why));

		assert_non_null(f);
		filter_free(f);
	}
}

static void test_only_the_given_length_is_read(void **state)
{
	char why[200];
	struct filter *f = filter_new(".", why, sizeof(why));
	struct seen s = {.stop_after = 0};

	(void)state;
	assert_int_equal(filter_run(f, FILTER_JSON, "[1]]", 3, see, &s, why, sizeof(why)), 0);
	assert_string_equal(s.text, "[1]|");
	filter_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_output_may_stop),
	    cmocka_unit_test(test_compile_errors_are_jqs),
	    cmocka_unit_test(test_halt_is_told),
	    cmocka_unit_test(test_what_reads_is_refused),
	    cmocka_unit_test(test_only_the_given_length_is_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
