/* Lines of the journal: whole, whatever strangers put into them. */
#include "loop/journal_line.h"

#include <string.h>

#include "unit.h"

static const char *line(bool json, bool systemd, const struct journal_who *who, const char *message)
{
	static char out[JOURNAL_LINE + 1];
	size_t len =
	    journal_line(out, json, systemd, 1795193593169, ERR_WARN, JOURNAL_close, who, message);

	assert_true(len < JOURNAL_LINE);
	assert_int_equal(out[len - 1], '\n');
	out[len - 1] = '\0';
	assert_null(strchr(out, '\n'));
	return out;
}

static void a_line_says_when_what_and_of_whom(void **state)
{
	struct journal_who who = {"ws", "[::1]:5", "ann", 7}, nobody = {0};

	(void)state;
	assert_string_equal(line(false, false, &who, "too slow"),
			    "2026-11-20T16:53:13.169Z warn  close door=ws conn=7 peer=[::1]:5"
			    " user=ann: too slow");
	assert_string_equal(line(false, false, &nobody, "x"),
			    "2026-11-20T16:53:13.169Z warn  close: x");
	assert_string_equal(line(false, true, &nobody, "x"), "<4>close: x");
	assert_string_equal(line(true, false, &who, "x"),
			    "{\"time\":\"2026-11-20T16:53:13.169Z\",\"level\":\"warn\",\"event\":"
			    "\"close\",\"door\":\"ws\",\"conn\":7,\"peer\":\"[::1]:5\",\"user\":"
			    "\"ann\",\"message\":\"x\"}");
}

static void nobody_makes_lines_of_his_own(void **state)
{
	struct journal_who who = {.user = "a\nb\"\\\x1b\xc3\xa4"}, odd = {0};
	char long_text[3000];

	(void)state;
	assert_string_equal(
	    line(false, false, &who, "\r\n"),
	    "2026-11-20T16:53:13.169Z warn  close user=a\\x0ab\"\\x5c\\x1b\\xc3\\xa4"
	    ": \\x0d\\x0a");
	assert_non_null(strstr(line(true, false, &who, "\"\\\t"),
			       "\"user\":\"a\\u000ab\\\"\\\\\\u001b\\u00e4\",\"message\":"
			       "\"\\\"\\\\\\u0009\"}"));
	odd.user = "x conn=9";
	assert_string_equal(line(false, false, &odd, "a b"),
			    "2026-11-20T16:53:13.169Z warn  close user=x\\x20conn=9: a b");
	odd.user = "\xf0\x9f\x98\x80\xe2\x82\xac\xe2\x82 \xff";
	assert_non_null(strstr(line(true, false, &odd, "x"),
			       "\"user\":\"\\ud83d\\ude00\\u20ac\\ufffd\\ufffd \\ufffd\","));
	memset(long_text, '\n', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	assert_non_null(strstr(line(true, false, &who, long_text), "\\u000a\"}"));
	who.user = long_text;
	line(false, false, &who, long_text);
	memset(long_text, 'x', sizeof(long_text) - 1);
	assert_non_null(strstr(line(true, false, &who, long_text), "x\"}"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_says_when_what_and_of_whom),
	    cmocka_unit_test(nobody_makes_lines_of_his_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("journal_line", tests, NULL, NULL);
}
