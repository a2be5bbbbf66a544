/* The scanner: a corpus of what RFC 8259 accepts and refuses (one TAP line a case), the positions
 * it gives, and agreement with a slow reference on random mutations. */
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_cases.h"
#include "json_reference.h"
#include "unit.h"

/* Scans a copy that ends where its memory ends, so that AddressSanitizer sees any byte read too
 * much. */
static enum json_status scan(const struct json_paths *paths, const char *text, size_t len,
			     struct json_member *members, struct json_scan *out)
{
	char *copy = malloc(len);
	enum json_status status;

	assert_true(copy || len == 0);
	if (len)
		memcpy(copy, text, len);
	status = json_scan(paths, copy, len, members, out);
	assert_int_equal(status, out->status);
	if (status != JSON_OK)
		assert_true(out->at <= len);
	free(copy);
	return status;
}

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

static void strings_are_unescaped(void **state)
{
	static const struct {
		const char *in;
		int r;
		const char *out;
	} cases[] = {
	    {"", 0, ""},
	    {"plain", 5, "plain"},
	    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", 8, "\"\\/\b\f\n\r\t"},
	    {"a\\u0062c", 3, "abc"},
	    {"\\u007f\\u0080\\u07ff\\u0800\\uffff", 11,
	     "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
	    {"\\ud7ff\\uE000", 6, "\xed\x9f\xbf\xee\x80\x80"},
	    {"\\ud800\\udc00\\uDBFF\\uDFFF", 8, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
	    {"\\ud83d", -EILSEQ, ""},
	    {"\\ude00", -EILSEQ, ""},
	    {"\\ude00\\ud83d", -EILSEQ, ""},
	    {"\\ud83dxxxxxx", -EILSEQ, ""},
	    {"\\ud83d\\n12345", -EILSEQ, ""},
	    {"\\ud83d\\u0061", -EILSEQ, ""},
	    {"\\ud83d\\ue000", -EILSEQ, ""},
	    {"0123456789abcde", 15, "0123456789abcde"},
	    {"0123456789abcdefg", -ENOSPC, ""},
	    {"0123456789abcd\\u00e9", 16, "0123456789abcd\xc3\xa9"},
	    {"0123456789abcde\\u00e9", -ENOSPC, ""},
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		int r = json_unescape(cases[i].in, strlen(cases[i].in), out, sizeof(out));

		if (r != cases[i].r)
			fail_msg("%s: %d", cases[i].in, r);
		if (r > 0)
			assert_memory_equal(out, cases[i].out, (size_t)r);
	}
	assert_int_equal(json_unescape("\\u0000", 6, out, sizeof(out)), 1);
	assert_int_equal(out[0], '\0');
	assert_int_equal(json_unescape("", 0, NULL, 0), 0);
	assert_int_equal(json_unescape("a", 1, NULL, 0), -ENOSPC);
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
	    cmocka_unit_test(strings_are_unescaped),
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
