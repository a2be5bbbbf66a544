/* Line framing, fed whole, in two pieces cut at every place, and byte by byte: always the same
 * lines. */
#include "base/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define LIMIT 8

/* Collects what comes out as text: lines in brackets, "!" for one that is too long. */
struct seen {
	char text[1024];
	size_t len;
};

static void add(struct seen *s, const char *p, size_t n)
{
	assert_true(s->len + n < sizeof(s->text));
	memcpy(s->text + s->len, p, n);
	s->len += n;
	s->text[s->len] = '\0';
}

static void feed(struct line *l, struct seen *s, const char *piece, size_t n)
{
	/* A copy of the exact size, so that AddressSanitizer sees a read behind the piece. */
	char *copy = malloc(n ? n : 1);
	const char *p = copy, *text;
	enum line_got got;
	size_t len;

	memcpy(copy, piece, n);
	while ((got = line_next(l, &p, copy + n, LIMIT, &text, &len)) != LINE_MORE) {
		if (got == LINE_TOO_LONG) {
			add(s, "!", 1);
			continue;
		}
		assert_int_equal(got, LINE_WHOLE);
		add(s, "[", 1);
		add(s, text, len);
		add(s, "]", 1);
	}
	assert_ptr_equal(p, copy + n);
	free(copy);
}

static void finish(struct line *l, struct seen *s)
{
	const char *text;
	size_t len;

	if (line_last(l, &text, &len) == LINE_WHOLE) {
		add(s, "<", 1);
		add(s, text, len);
		add(s, ">", 1);
	}
	assert_int_equal(line_last(l, &text, &len), LINE_MORE);
	assert_true(line_idle(l));
	assert_null(l->held);
}

static const struct {
	const char *in, *want;
} cases[] = {
    {"", ""},
    {"\n", "[]"},
    {"a\n", "[a]"},
    {"a\nb\n", "[a][b]"},
    {"a", "<a>"},
    {"a\nb", "[a]<b>"},
    {"a\r\n\n\nb\n", "[a\r][][][b]"},
    {"12345678\n", "[12345678]"},
    {"123456789\n", "!"},
    {"123456789\na\n", "![a]"},
    {"a\n1234567890123456789012345\nb\nc", "[a]![b]<c>"},
    {"123456789\n123456789\nx\n", "!![x]"},
    {"12345678", "<12345678>"},
    {"123456789", "!"},
};

static void test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t cut = 0; cut <= n; cut++) {
			struct line l = {0};
			struct seen s = {.len = 0};

			feed(&l, &s, cases[i].in, cut);
			feed(&l, &s, cases[i].in + cut, n - cut);
			finish(&l, &s);
			assert_string_equal(s.text, cases[i].want);
		}
	}
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct line l = {0};
		struct seen s = {.len = 0};

		for (const char *p = cases[i].in; *p; p++)
			feed(&l, &s, p, 1);
		finish(&l, &s);
		assert_string_equal(s.text, cases[i].want);
	}
}

static void test_whole_lines_are_not_copied(void **state)
{
	static const char piece[] = "one\ntwo\n";
	const char *p = piece, *end = piece + strlen(piece), *text;
	struct line l = {0};
	size_t len;

	(void)state;
	assert_int_equal(line_next(&l, &p, end, LIMIT, &text, &len), LINE_WHOLE);
	assert_ptr_equal(text, piece);
	assert_int_equal(line_next(&l, &p, end, LIMIT, &text, &len), LINE_WHOLE);
	assert_ptr_equal(text, piece + 4);
	assert_int_equal(line_next(&l, &p, end, LIMIT, &text, &len), LINE_MORE);
	assert_null(l.held);
}

static void test_idle_holds_no_memory(void **state)
{
	struct line l = {0};
	struct seen s = {.len = 0};

	(void)state;
	feed(&l, &s, "ab", 2);
	assert_false(line_idle(&l));
	assert_non_null(l.held);
	feed(&l, &s, "c\n", 2);
	assert_true(line_idle(&l));
	assert_null(l.held);
	feed(&l, &s, "123456789", 9);
	assert_false(line_idle(&l));
	assert_null(l.held);
	line_reset(&l);
	assert_true(line_idle(&l));
	assert_string_equal(s.text, "[abc]!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_byte_by_byte),
	    cmocka_unit_test(test_whole_lines_are_not_copied),
	    cmocka_unit_test(test_idle_holds_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
