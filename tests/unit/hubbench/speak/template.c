/* Messages and their marks: of the length that was asked for, and read back as they were written.
 */
#include "speak/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define RUN "hbabcdef"

static uint64_t run_bytes(void)
{
	uint64_t run;

	memcpy(&run, RUN, sizeof(run));
	return run;
}

static void marks_come_back(void **state)
{
	static const struct mark marks[] = {
	    {.number = 0, .due = 0, .late = 0, .publisher = 0},
	    {.number = 1234567890,
	     .due = 987654321012345678,
	     .late = 123456789012,
	     .publisher = 654321},
	    {.number = 9999999999,
	     .due = 8999999999999999999u,
	     .late = MARK_LATE_MAX,
	     .publisher = 999999},
	};
	char text[MARK_LEN];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(marks); i++) {
		struct mark m;

		memcpy(text, RUN, MARK_RUN_LEN);
		mark_write(text, &marks[i]);
		assert_true(mark_is(text, run_bytes()));
		assert_true(mark_read(text, &m));
		assert_int_equal(m.number, marks[i].number);
		assert_int_equal(m.due, marks[i].due);
		assert_int_equal(m.late, marks[i].late);
		assert_int_equal(m.publisher, marks[i].publisher);
	}
}

/* A byte that is no digit is seen wherever it stands, whatever it is. */
static void only_digits(void **state)
{
	static const struct mark m = {.number = 5550505, .due = 99, .late = 7, .publisher = 12};

	(void)state;
	for (size_t at = MARK_RUN_LEN; at < MARK_LEN; at++) {
		for (int byte = 0; byte < 256; byte++) {
			char *text = malloc(MARK_LEN);
			struct mark got;

			assert_non_null(text);
			memcpy(text, RUN, MARK_RUN_LEN);
			mark_write(text, &m);
			text[at] = (char)byte;
			assert_int_equal(mark_read(text, &got), byte >= '0' && byte <= '9');
			free(text);
		}
	}
}

static void compile(struct template *t, const char *text, size_t bytes)
{
	char why[200] = "";

	if (template_compile(t, text, bytes, RUN, why, sizeof(why)) < 0)
		fail_msg("%s: %s", text, why);
}

static void as_long_as_asked_for(void **state)
{
	static const char *const texts[] = {
	    "{mark}{pad}",
	    "{\"m\":\"{mark}{pad}\",\"msg_id\":\"{n}\",\"x\":{x},\"y\":{y}}",
	    "PUB bench {size}\\r\\n{mark}{pad}\\r\\n",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		for (size_t bytes = template_least(texts[i]); bytes < 1300; bytes++) {
			struct template t;
			char why[200], out[1300];
			int r = template_compile(&t, texts[i], bytes, RUN, why, sizeof(why));
			struct mark m = {.number = 3, .publisher = 4}, got;

			/* Where {size} gets a digit more, one length lies in between. */
			if (r == -EMSGSIZE && strstr(texts[i], "{size}"))
				continue;
			assert_int_equal(r, 0);
			assert_int_equal(t.len, bytes);
			template_write(&t, out, &m, 0);
			assert_true(mark_is(out + t.mark_at, run_bytes()));
			assert_true(mark_read(out + t.mark_at, &got));
			assert_int_equal(got.number, 3);
			template_free(&t);
		}
	}
}

static void fields_are_filled_in(void **state)
{
	static const struct mark m = {.number = 42, .publisher = 7};
	struct template t;
	char out[200] = "";

	(void)state;
	compile(&t, "{n} {publisher} {session} {x} {y}\\t\\\\{other}{mark}", 0);
	template_write(&t, out, &m, 9);
	assert_memory_equal(out, "0000000042 000007 000009 ", 25);
	assert_memory_equal(out + 25 + 15, "\t\\{other}" RUN, 9 + 8);
	for (const char *p = out + 25; p < out + 40; p += 8) {
		char *end;

		assert_true(strtod(p, &end) >= 100);
		assert_int_equal(end - p, 7);
	}
	template_free(&t);
}

static void the_size_says_what_it_is(void **state)
{
	struct template t;
	char out[400] = "", *end;

	(void)state;
	compile(&t, "{size}:{mark}{pad}.", 300);
	template_write(&t, out, &(struct mark){0}, 0);
	assert_int_equal(strtoul(out, &end, 10), 300 - 5);
	assert_int_equal(end - out, 3);
	template_free(&t);
}

static void refused(void **state)
{
	static const struct {
		const char *text;
		size_t bytes;
		int error;
	} wrong[] = {
	    {"no mark", 0, -EINVAL},
	    {"{mark}{mark}", 0, -EINVAL},
	    {"{mark}{n}{n}{n}{n}{n}{n}{n}{n}", 0, -EINVAL},
	    {"{mark}{pad}", MARK_LEN - 1, -EMSGSIZE},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++) {
		struct template t;
		char why[200] = "";

		assert_int_equal(
		    template_compile(&t, wrong[i].text, wrong[i].bytes, RUN, why, sizeof(why)),
		    wrong[i].error);
		assert_true(why[0]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(marks_come_back),		cmocka_unit_test(only_digits),
	    cmocka_unit_test(as_long_as_asked_for),	cmocka_unit_test(fields_are_filled_in),
	    cmocka_unit_test(the_size_says_what_it_is), cmocka_unit_test(refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
