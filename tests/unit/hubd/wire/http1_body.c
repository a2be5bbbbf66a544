/* Request bodies, as RFC 9112 sections 6 and 7 have them: fed whole, byte by byte and in random
 * pieces, and what comes of it is the same. */
#include "wire/http1_body.h"

#include "unit.h"
#include "wire_trace.h"

#define SPLITS 12
#define CHUNKED -1

/* want: as trace_body() says it; rest: what is not used behind a body that is done. */
static const struct {
	const char *section;
	int64_t length;
	const char *text, *want, *rest;
} cases[] = {
    {"9112 6.3", 0, "", "|done", ""},
    {"9112 6.3", 0, "GET", "|done", "GET"},
    {"9112 6.2", 5, "hello", "hello|done", ""},
    {"9112 6.2", 5, "hello\r\nGET", "hello|done", "\r\nGET"},
    {"9112 6.2", 5, "hell", "hell|more", ""},
    {"9112 6.2", 5, "", "|more", ""},
    {"9112 6.2", INT64_MAX, "hello", "hello|more", ""},

    {"9112 7.1", CHUNKED, "0\r\n\r\n", "|done", ""},
    {"9112 7.1", CHUNKED, "5\r\nhello\r\n0\r\n\r\n", "hello|done", ""},
    {"9112 7.1", CHUNKED, "5\r\nhello\r\n0\r\n\r\nGET /", "hello|done", "GET /"},
    {"9112 7.1", CHUNKED, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello|done", ""},
    {"9112 7.1", CHUNKED, "a\r\n0123456789\r\n0\r\n\r\n", "0123456789|done", ""},
    {"9112 7.1", CHUNKED, "A\r\n0123456789\r\n0\r\n\r\n", "0123456789|done", ""},
    {"9112 7.1", CHUNKED, "00005\r\nhello\r\n000\r\n\r\n", "hello|done", ""},
    {"9112 7.1", CHUNKED, "5\r\n\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r\n\r|done", ""},
    {"9112 7.1", CHUNKED, "", "|more", ""},
    {"9112 7.1", CHUNKED, "5", "|more", ""},
    {"9112 7.1", CHUNKED, "5\r\nhel", "hel|more", ""},
    {"9112 7.1", CHUNKED, "5\r\nhello", "hello|more", ""},
    {"9112 7.1", CHUNKED, "5\r\nhello\r\n", "hello|more", ""},
    {"9112 7.1", CHUNKED, "0\r\n", "|more", ""},
    {"9112 7.1", CHUNKED, "0\r\n\r", "|more", ""},
    {"9112 7.1", CHUNKED, "\r\n0\r\n\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "g\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "0x5\r\nhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "+5\r\nhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "-1\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, " 5\r\nhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "5 \r\nhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "5\nhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "5\rhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "5\r\rhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "5\r\nhello!\r\n", "hello|400", NULL},
    {"9112 7.1", CHUNKED, "5\r\nhello\n0\r\n\r\n", "hello|400", NULL},
    {"9112 7.1", CHUNKED, "5\r\nhello\r0\r\n\r\n", "hello|400", NULL},
    {"9112 7.1", CHUNKED, "5\r\nhello0\r\n\r\n", "hello|400", NULL},
    {"9112 7.1", CHUNKED, "7fffffffffffffff\r\na", "a|more", ""},
    {"9112 7.1", CHUNKED, "8000000000000000\r\na", "|400", NULL},
    {"9112 7.1", CHUNKED, "ffffffffffffffff\r\na", "|400", NULL},
    {"9112 7.1", CHUNKED, "10000000000000005\r\nhello\r\n", "|400", NULL},
    {"9112 7.1", CHUNKED, "00000000000000005\r\nhello\r\n", "|400", NULL},

    {"9112 7.1.1", CHUNKED, "5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello|done", ""},
    {"9112 7.1.1", CHUNKED, "5 \t;a = \"b;\xff\\\"\" ; c\r\nhello\r\n0\r\n\r\n", "hello|done", ""},
    {"9112 7.1.1", CHUNKED, "5 a\r\nhello\r\n", "|400", NULL},
    {"9112 7.1.1", CHUNKED, "5 a;b\r\nhello\r\n", "|400", NULL},
    {"9112 7.1.1", CHUNKED, "5;a\nhello\r\n", "|400", NULL},
    {"9112 7.1.1", CHUNKED, "5;a\x01\r\nhello\r\n", "|400", NULL},
    {"9112 7.1.1", CHUNKED, "5;a\rb\r\nhello\r\n", "|400", NULL},

    {"9112 7.1.2", CHUNKED, "0\r\nA: b\r\nC:\r\n\r\nGET", "|done", "GET"},
    {"9112 7.1.2", CHUNKED, "0\r\nContent-Length: 5\r\n\r\nhello", "|done", "hello"},
    {"9112 7.1.2", CHUNKED, "0\r\nA: b\r\n", "|more", ""},
    {"9112 7.1.2", CHUNKED, "0\r\n A: b\r\n\r\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\nA : b\r\n\r\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\nA\r\n\r\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\n: b\r\n\r\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\nA: b\r\n c\r\n\r\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\nA: b\n\r\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\nA: \x01\r\n\r\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\n\n", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\n\rX", "|400", NULL},
    {"9112 7.1.2", CHUNKED, "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "|400", NULL},
};

static void check(const char *section, int64_t length, const char *text, size_t len,
		  const char *want, const char *rest)
{
	struct http1_head h = {.chunked = length == CHUNKED,
			       .content_length = length == CHUNKED ? 0 : (uint64_t)length};

	for (uint32_t i = 0; i < SPLITS; i++) {
		struct buf got = {0};
		size_t used = trace_body(&got, &h, text, len, trace_split(i));

		assert_int_equal(buf_put(&got, "", 1), 0);
		if (strcmp(got.data, want) != 0)
			fail_msg("RFC %s: %s, not %s, of\n%s", section, got.data, want, text);
		if (rest && strcmp(text + used, rest) != 0)
			fail_msg("RFC %s: %zu bytes of\n%s", section, used, text);
		buf_free(&got);
	}
}

static void bodies_are_read_by_the_book(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		check(cases[i].section, cases[i].length, cases[i].text, strlen(cases[i].text),
		      cases[i].want, cases[i].rest);
}

/* What is ignored has a limit, over the whole body. */
static void what_is_ignored_is_bounded(void **state)
{
	struct buf text = {0};
	char *line = malloc(HTTP1_TRAILERS_MAX + 1);

	(void)state;
	memset(line, 'a', HTTP1_TRAILERS_MAX);
	line[HTTP1_TRAILERS_MAX] = '\0';
	/* "A:" and two carriage returns count. */
	assert_int_equal(buf_printf(&text, "0\r\nA:%.*s\r\n\r\n", HTTP1_TRAILERS_MAX - 4, line), 0);
	check("6585 5", CHUNKED, text.data, text.len, "|done", "");
	text.len = 0;
	assert_int_equal(buf_printf(&text, "0\r\nA:%.*s\r\n\r\n", HTTP1_TRAILERS_MAX - 3, line), 0);
	check("6585 5", CHUNKED, text.data, text.len, "|431", NULL);

	text.len = 0;
	for (int i = 0; i < HTTP1_EXTENSIONS_MAX / 16; i++)
		assert_int_equal(buf_printf(&text, "1;%.*s\r\nb\r\n", 15, line), 0);
	assert_int_equal(buf_put(&text, "0\r\n\r\n", 6), 0);
	text.len--;
	for (uint32_t i = 0; i < SPLITS; i++) {
		struct http1_head h = {.chunked = true};
		struct buf got = {0};

		trace_body(&got, &h, text.data, text.len, trace_split(i));
		assert_int_equal(got.len, HTTP1_EXTENSIONS_MAX / 16 + strlen("|done"));
		buf_free(&got);
	}
	text.data[text.len - 5] = '1';
	memcpy(text.data + text.len - 4, ";\r\nb", 4);
	for (uint32_t i = 0; i < SPLITS; i++) {
		struct http1_head h = {.chunked = true};
		struct buf got = {0};

		trace_body(&got, &h, text.data, text.len, trace_split(i));
		assert_memory_equal(got.data + got.len - 4, "|400", 4);
		buf_free(&got);
	}
	free(line);
	buf_free(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies_are_read_by_the_book),
	    cmocka_unit_test(what_is_ignored_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("http1_body", tests, NULL, NULL);
}
