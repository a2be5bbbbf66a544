/* The scanner: a corpus of what RFC 8259 accepts and refuses (one TAP line a case), what it says of
 * an error, and agreement with a slow reference on random mutations. */
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#include "json_cases.h"
#include "json_reference.h"
#include "lib/json/scan_copy.h"
#include "unit.h"

static void corpus(void **state)
{
	const struct json_case *c = *state;
	struct json_scan out;
	enum json_status status = scan(NULL, c->text, c->len, NULL, &out);

	if ((status == JSON_OK) != c->valid)
		fail_msg("%s at %u", json_strerror(status), out.at);
	/* The reference is held to the corpus as well. */
	assert_int_equal(ref_valid(c->text, c->len, JSON_DEPTH_MAX), c->valid);
}

static void every_error_says_what_and_where(void **state)
{
	static const struct {
		const char *text;
		enum json_status status;
		uint32_t at;
	} cases[] = {
	    {"", JSON_EMPTY, 0},
	    {"  \n", JSON_EMPTY, 0},
	    {"{", JSON_TRUNCATED, 1},
	    {"{\"a\":[1,2", JSON_TRUNCATED, 9},
	    {"\"abc", JSON_TRUNCATED, 4},
	    {"\"a\\u12", JSON_TRUNCATED, 6},
	    {"[tru", JSON_TRUNCATED, 4},
	    {"-", JSON_TRUNCATED, 1},
	    {"[1.", JSON_TRUNCATED, 3},
	    {"[1e+", JSON_TRUNCATED, 4},
	    {"[[]", JSON_TRUNCATED, 3},
	    {"{a:1}", JSON_SYNTAX, 1},
	    {"[1,]", JSON_SYNTAX, 3},
	    {"{\"a\":1,}", JSON_SYNTAX, 7},
	    {"{\"a\";1}", JSON_SYNTAX, 4},
	    {"[truE]", JSON_SYNTAX, 4},
	    {"[1}", JSON_SYNTAX, 2},
	    {"\xef\xbb\xbf{}", JSON_SYNTAX, 0},
	    {"[01]", JSON_BAD_NUMBER, 2},
	    {"[-a]", JSON_BAD_NUMBER, 2},
	    {"[1.e1]", JSON_BAD_NUMBER, 3},
	    {"[1e-]", JSON_BAD_NUMBER, 4},
	    {"[\"ab\\x\"]", JSON_BAD_ESCAPE, 4},
	    {"[\"ab\\u12g4\"]", JSON_BAD_ESCAPE, 4},
	    {"[\"ab\xff\"]", JSON_BAD_UTF8, 4},
	    {"[\"ab\xe2\x82\"]", JSON_BAD_UTF8, 4},
	    {"[\"ab\n\"]", JSON_CONTROL, 4},
	    {"{} {}", JSON_TRAILING, 3},
	    {"[1]x", JSON_TRAILING, 3},
	};
	struct json_scan out;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		scan(NULL, cases[i].text, strlen(cases[i].text), NULL, &out);
		if (out.status != cases[i].status)
			fail_msg("%s: %s", cases[i].text, json_strerror(out.status));
		if (cases[i].status != JSON_EMPTY && out.at != cases[i].at)
			fail_msg("%s: at %u", cases[i].text, out.at);
	}
}

static void too_deep_is_said_at_the_65th(void **state)
{
	char text[200];
	struct json_scan out;

	(void)state;
	memset(text, '[', sizeof(text));
	assert_int_equal(scan(NULL, text, sizeof(text), NULL, &out), JSON_TOO_DEEP);
	assert_int_equal(out.at, 64);
}

static void a_text_of_4_gib_is_refused(void **state)
{
	struct json_scan out;

	(void)state;
#if SIZE_MAX > UINT32_MAX
	assert_int_equal(json_scan(NULL, "1", (size_t)UINT32_MAX + 1, NULL, &out), JSON_SYNTAX);
#else
	(void)out;
	skip();
#endif
}

static void errors_have_words(void **state)
{
	(void)state;
	for (int a = JSON_OK; a <= JSON_TRAILING; a++) {
		assert_true(strlen(json_strerror((enum json_status)a)) > 3);
		for (int b = JSON_OK; b < a; b++)
			assert_string_not_equal(json_strerror((enum json_status)a),
						json_strerror((enum json_status)b));
	}
}

static void the_scan_tells_kind_place_and_newlines(void **state)
{
	static const struct {
		const char *text;
		enum json_type type;
		uint32_t start, end;
		bool newline;
	} cases[] = {
	    {"{}", JSON_OBJECT, 0, 2, false},
	    {" \n[] \r", JSON_ARRAY, 2, 4, false},
	    {"{\n}", JSON_OBJECT, 0, 3, true},
	    {"[1,\r2]", JSON_ARRAY, 0, 6, true},
	    {"{\"a\"\n:1}", JSON_OBJECT, 0, 8, true},
	    {"{\"a\":\"\\n\"} ", JSON_OBJECT, 0, 10, false},
	    {"{\"a\"\t: 1}", JSON_OBJECT, 0, 9, false},
	    {" \"x\" ", JSON_STRING, 1, 4, false},
	    {"-1.5\n", JSON_NUMBER, 0, 4, false},
	    {"true", JSON_TRUE, 0, 4, false},
	    {"false ", JSON_FALSE, 0, 5, false},
	    {"\r\nnull", JSON_NULL, 2, 6, false},
	};
	struct json_scan out;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_int_equal(scan(NULL, cases[i].text, strlen(cases[i].text), NULL, &out),
				 JSON_OK);
		assert_int_equal(out.type, cases[i].type);
		assert_int_equal(out.start, cases[i].start);
		assert_int_equal(out.end, cases[i].end);
		assert_int_equal(out.newline, cases[i].newline);
	}
}

static const char big[] =
    "{\"type\":\"match_event\",\"timestamp\":123456,\"data\":{\"team\":\"Away\",\"n\\u00e9\":[true,"
    "false,null,-0.25e+10,[],{}],\"start\":{\"x\":0.45,\"y\":-12345678.12345678E-9},\"text\":\"a "
    "longer text with \\\"escapes\\\" \\ud83d\\ude00 and \xe2\x82\xac\xf0\x9f\x98\x80\"},\n\t "
    "\"to\" "
    ": [ \"a\" , \"b\" ] }";

static void every_truncation_is_refused(void **state)
{
	struct json_scan out;

	(void)state;
	assert_int_equal(scan(NULL, big, sizeof(big) - 1, NULL, &out), JSON_OK);
	for (size_t n = 0; n < sizeof(big) - 1; n++)
		if (scan(NULL, big, n, NULL, &out) == JSON_OK)
			fail_msg("accepted the first %zu bytes", n);
}

/* Long enough for every width in which the scanner reads, and then some. */
static void every_byte_at_every_place_is_judged_as_the_reference_does(void **state)
{
	static const char *const texts[] = {
	    "[\"0123456789abcdef0123456789abcdef0123456789\"]",
	    "{\"0123456789abcdef0123456789\":true,\"b\":false}",
	    "[1234567890123456789.1234567890123456789e+12345678,1]",
	    "12345678901234567.5",
	    "[1.25,-7,0.5,null]",
	    "\"\\u12aB\\n\xe2\x82\xac\xf0\x9f\x98\x80\"",
	};
	struct json_scan out;
	char text[64];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		size_t len = strlen(texts[i]);

		memcpy(text, texts[i], len);
		for (size_t at = 0; at < len; at++) {
			for (int c = 0; c < 256; c++) {
				text[at] = (char)c;
				if ((scan(NULL, text, len, NULL, &out) == JSON_OK) !=
				    ref_valid(text, len, JSON_DEPTH_MAX))
					fail_msg("%s: byte %d at %zu", texts[i], c, at);
			}
			text[at] = texts[i][at];
		}
	}
}

static uint64_t seed = 0x2545f4914f6cdd1d;

static uint32_t pick(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 33) % n);
}

/* Changes a few bytes to others that matter to the grammar. */
static size_t mutate(char *text, size_t len, size_t cap)
{
	static const char bytes[] =
	    "{}[]:,\"\\ \t\n01289-+.eEtrufalsn/bx\x01\x7f\x80\xbf\xc2\xe0\xed\xf0\xf4";

	for (uint32_t times = 1 + pick(3); times; times--) {
		size_t at = pick(len + 1);

		switch (pick(4)) {
		case 0: /* one more byte */
			if (len < cap) {
				memmove(text + at + 1, text + at, len - at);
				text[at] = bytes[pick(sizeof(bytes))];
				len++;
			}
			break;
		case 1: /* one byte less */
			if (at < len) {
				memmove(text + at, text + at + 1, len - at - 1);
				len--;
			}
			break;
		case 2: /* two bytes change places */
			if (at + 1 < len) {
				char c = text[at];

				text[at] = text[at + 1];
				text[at + 1] = c;
			}
			break;
		default:
			if (at < len)
				text[at] = bytes[pick(sizeof(bytes))];
		}
	}
	return len;
}

static void mutations_are_judged_as_the_reference_does(void **state)
{
	unsigned accepted = 0, times = 150000;
	char text[1024];
	struct json_scan out;

	(void)state;
	for (unsigned i = 0; i < times; i++) {
		const struct json_case *c = &json_cases[pick(UNIT_COUNT(json_cases))];
		size_t len = c->len;
		bool valid;

		if (i % 2 || len > sizeof(text) / 2) {
			len = sizeof(big) - 1;
			memcpy(text, big, len);
		} else {
			memcpy(text, c->text, len);
		}
		len = mutate(text, len, sizeof(text));
		valid = ref_valid(text, len, JSON_DEPTH_MAX);
		accepted += valid;
		if ((scan(NULL, text, len, NULL, &out) == JSON_OK) != valid)
			fail_msg("round %u: %s at %u: %.*s", i, json_strerror(out.status), out.at,
				 (int)len, text);
	}
	/* Else the mutations test nothing. */
	assert_in_range(accepted, times / 20, times - times / 20);
}

int main(void)
{
	static const struct CMUnitTest rules[] = {
	    cmocka_unit_test(every_error_says_what_and_where),
	    cmocka_unit_test(too_deep_is_said_at_the_65th),
	    cmocka_unit_test(a_text_of_4_gib_is_refused),
	    cmocka_unit_test(errors_have_words),
	    cmocka_unit_test(the_scan_tells_kind_place_and_newlines),
	    cmocka_unit_test(every_truncation_is_refused),
	    cmocka_unit_test(every_byte_at_every_place_is_judged_as_the_reference_does),
	    cmocka_unit_test(mutations_are_judged_as_the_reference_does),
	};
	struct CMUnitTest tests[UNIT_COUNT(json_cases) + UNIT_COUNT(rules)];

	for (size_t i = 0; i < UNIT_COUNT(json_cases); i++)
		tests[i] = (struct CMUnitTest){.name = json_cases[i].name,
					       .test_func = corpus,
					       .initial_state = (void *)&json_cases[i]};
	memcpy(tests + UNIT_COUNT(json_cases), rules, sizeof(rules));
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
