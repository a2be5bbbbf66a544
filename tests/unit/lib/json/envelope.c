/* The envelope: which messages are refused and why, and that a record is its message with nothing
 * changed but the hub's own fields. libjq is the independent judge of the latter. */
#include "json/envelope.h"

#include <jv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define SESSION ((struct span){"S", 1})
#define FROM ((struct span){"me", 2})
#define X8(s) s s s s s s s s
#define X64(s) X8(X8(s))

static bool span_is(struct span s, const char *text)
{
	return s.p && s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

/* The record of message, NUL-terminated, with its closing brace. Released by free(). */
static char *record(const char *message, size_t len)
{
	struct envelope e;
	struct buf out = {0};
	char why[128] = "";

	if (envelope_parse(&e, message, len, why, sizeof(why)) != HUB_OK)
		fail_msg("%.*s: %s", (int)len, message, why);
	assert_int_equal(envelope_record(&e, &out, SESSION, 5, FROM), 0);
	assert_int_equal(buf_put(&out, "}", 2), 0);
	return out.data;
}

static void expect_record(const char *message, const char *wanted)
{
	char *got = record(message, strlen(message));

	if (strcmp(got, wanted) != 0)
		fail_msg("%s: %s", message, got);
	free(got);
}

#define TAIL ",\"session_id\":\"S\",\"timestamp\":5,\"from\":\"me\"}"

static void records_keep_all_bytes(void **state)
{
	(void)state;
	expect_record("{\"type\":\"x\"}", "{\"type\":\"x\"" TAIL);
	expect_record("  { \"type\" : \"x\" } ", "{ \"type\" : \"x\" " TAIL);
	expect_record("{\"type\":\"x\",\"a\":1.50,\"b\":1E2,\"a\":\"\\u0041\"}",
		      "{\"type\":\"x\",\"a\":1.50,\"b\":1E2,\"a\":\"\\u0041\"" TAIL);
	expect_record("{\"\\u0074ype\":\"\\u0078\"}", "{\"\\u0074ype\":\"\\u0078\"" TAIL);
	expect_record(
	    "{\"type\":\"x\",\"data\":{\"from\":1,\"seq\":[{\"from\":2}],\"type\":3}}",
	    "{\"type\":\"x\",\"data\":{\"from\":1,\"seq\":[{\"from\":2}],\"type\":3}" TAIL);
	expect_record("{\"type\":\"from\",\"a\":\"seq\",\"fro\":1,\"seqs\":2,\"From\":3}",
		      "{\"type\":\"from\",\"a\":\"seq\",\"fro\":1,\"seqs\":2,\"From\":3" TAIL);
}

static void records_get_what_is_absent(void **state)
{
	(void)state;
	expect_record("{\"type\":\"x\",\"session_id\":\"Q\"}",
		      "{\"type\":\"x\",\"session_id\":\"Q\",\"timestamp\":5,\"from\":\"me\"}");
	expect_record("{\"timestamp\":-1.5e3,\"type\":\"x\"}",
		      "{\"timestamp\":-1.5e3,\"type\":\"x\",\"session_id\":\"S\",\"from\":\"me\"}");
	expect_record("{\"timestamp\":0,\"session_id\":\"Q\",\"type\":\"x\"}",
		      "{\"timestamp\":0,\"session_id\":\"Q\",\"type\":\"x\",\"from\":\"me\"}");
}

static void newlines_become_spaces(void **state)
{
	(void)state;
	expect_record("{\n\"type\"\r:\n\"x\",\"a\":[\r\n1]\n}\n",
		      "{ \"type\" : \"x\",\"a\":[  1] " TAIL);
	expect_record("{\"type\":\"x\",\"a\":\"\\n\"}", "{\"type\":\"x\",\"a\":\"\\n\"" TAIL);
	expect_record("{\n\"from\"\n:\n1\n,\n\"type\":\"x\"\n}", "{  \"type\":\"x\" " TAIL);
}

static void forged_fields_are_cut(void **state)
{
	(void)state;
	/* first, in the middle, last */
	expect_record("{\"from\":1,\"type\":\"x\"}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"a\":0,\"from\":1,\"type\":\"x\"}", "{\"a\":0,\"type\":\"x\"" TAIL);
	expect_record("{\"type\":\"x\",\"from\":1}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"seq\":1,\"type\":\"x\"}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"a\":0,\"seq\":1,\"type\":\"x\"}", "{\"a\":0,\"type\":\"x\"" TAIL);
	expect_record("{\"type\":\"x\",\"seq\":1}", "{\"type\":\"x\"" TAIL);
	/* both, side by side */
	expect_record("{\"from\":1,\"seq\":2,\"type\":\"x\"}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"seq\":2,\"from\":1,\"type\":\"x\"}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"a\":0,\"from\":1,\"seq\":2,\"type\":\"x\"}",
		      "{\"a\":0,\"type\":\"x\"" TAIL);
	expect_record("{\"type\":\"x\",\"from\":1,\"seq\":2}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"type\":\"x\",\"seq\":2,\"from\":1}", "{\"type\":\"x\"" TAIL);
	/* both, with others between */
	expect_record("{\"from\":1,\"type\":\"x\",\"seq\":2}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"seq\":2,\"type\":\"x\",\"from\":1}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"seq\":2,\"type\":\"x\",\"from\":1,\"a\":0}",
		      "{\"type\":\"x\",\"a\":0" TAIL);
	expect_record("{\"a\":0,\"seq\":2,\"type\":\"x\",\"from\":1}",
		      "{\"a\":0,\"type\":\"x\"" TAIL);
}

static void forged_fields_are_cut_with_white_space(void **state)
{
	(void)state;
	expect_record("{ \"from\" : 1 , \"type\":\"x\"}", "{  \"type\":\"x\"" TAIL);
	expect_record("{\"type\":\"x\" , \"from\" : 1 }", "{\"type\":\"x\" " TAIL);
	expect_record("{\"type\":\"x\" , \"from\" : 1\t,\t\"seq\" : 2 }", "{\"type\":\"x\" " TAIL);
	expect_record("{ \"seq\" : 1 , \"from\" : 1 , \"type\":\"x\" }",
		      "{   \"type\":\"x\" " TAIL);
	expect_record("{ \"seq\" : 1 , \"type\":\"x\" , \"from\" : 2\n}",
		      "{  \"type\":\"x\" " TAIL);
}

static void forged_fields_of_any_kind_are_cut(void **state)
{
	static const char *const values[] = {"null",
					     "true",
					     "false",
					     "0",
					     "-1e9",
					     "\"\"",
					     "\"}\"",
					     "\",\"",
					     "\"\\\"\"",
					     "[]",
					     "{}",
					     "[1,{\"from\":[2]},\"]\"]",
					     "{\"from\":1,\"seq\":{\"seq\":2}}"};
	char message[128];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(values); i++) {
		snprintf(message, sizeof(message), "{\"from\":%s,\"type\":\"x\",\"seq\":%s}",
			 values[i], values[i]);
		expect_record(message, "{\"type\":\"x\"" TAIL);
	}
	expect_record("{\"\\u0066rom\":1,\"type\":\"x\",\"s\\u0065q\":2}", "{\"type\":\"x\"" TAIL);
	expect_record("{\"\\u0066\\u0072\\u006f\\u006D\":1,\"type\":\"x\"}",
		      "{\"type\":\"x\"" TAIL);
}

static void fields_are_read(void **state)
{
	static const char message[] =
	    " {\"type\":\"t\",\"session_id\":\"w:1\",\"timestamp\":1e3,\"msg_id\":\"m\\n\",\"key\":"
	    "\"k\xc3\xa9\",\"to\":[\"a\"]} ";
	struct envelope e;
	char why[8];

	(void)state;
	assert_int_equal(envelope_parse(&e, message, strlen(message), why, sizeof(why)), HUB_OK);
	assert_ptr_equal(e.text, message + 1);
	assert_int_equal(e.len, strlen(message) - 2);
	assert_true(span_is(e.type, "t"));
	assert_true(span_is(e.session_id, "w:1"));
	assert_true(span_is(e.timestamp, "1e3"));
	assert_true(span_is(e.msg_id, "\"m\\n\""));
	assert_true(span_is(e.key, "k\xc3\xa9"));
	assert_true(span_is(e.to, "[\"a\"]"));
}

static void absent_fields_are_null(void **state)
{
	struct envelope e;
	char why[8];

	(void)state;
	memset(&e, 0xff, sizeof(e));
	assert_int_equal(envelope_parse(&e, "{\"type\":\"t\"}", 12, why, sizeof(why)), HUB_OK);
	assert_null(e.session_id.p);
	assert_null(e.timestamp.p);
	assert_null(e.msg_id.p);
	assert_null(e.key.p);
	assert_null(e.to.p);
}

static void fields_are_unescaped(void **state)
{
	static const char message[] =
	    "{\"type\":\"\\u0074\\u00e9\",\"session_id\":\"\\u0053\",\"key\":"
	    "\"\\ud83d\\ude00\\/\",\"\\u006dsg_id\":\"\\u006d\"}";
	struct envelope e;
	char why[8];

	(void)state;
	assert_int_equal(envelope_parse(&e, message, strlen(message), why, sizeof(why)), HUB_OK);
	assert_true(span_is(e.type, "t\xc3\xa9"));
	assert_true(span_is(e.session_id, "S"));
	assert_true(span_is(e.key, "\xf0\x9f\x98\x80/"));
	assert_true(span_is(e.msg_id, "\"\\u006d\""));
}

struct refusal {
	const char *message;
	enum hub_code code;
	const char *why; /* what the reason holds */
};

static const struct refusal refusals[] = {
    {"", HUB_BAD_JSON, "empty text"},
    {" ", HUB_BAD_JSON, "empty text"},
    {"nope", HUB_BAD_JSON, "unexpected byte at offset 1"},
    {"{\"type\":\"x\",}", HUB_BAD_JSON, "unexpected byte at offset 12"},
    {"{\"type\":\"x\"", HUB_BAD_JSON, "unexpected end of text at offset 11"},
    {"{\"type\":\"x\"}{}", HUB_BAD_JSON, "trailing bytes behind the value at offset 12"},
    {"{\"type\":\"\xff\"}", HUB_BAD_TEXT, "malformed UTF-8 at offset 9"},
    {"[]", HUB_BAD_JSON, "must be a JSON object"},
    {"\"type\"", HUB_BAD_JSON, "must be a JSON object"},
    {"{}", HUB_BAD_TYPE, "type is missing"},
    {"{\"Type\":\"x\"}", HUB_BAD_TYPE, "type is missing"},
    {"{\"a\":{\"type\":\"x\"}}", HUB_BAD_TYPE, "type is missing"},
    {"{\"type\":1}", HUB_BAD_TYPE, "type must be"},
    {"{\"type\":null}", HUB_BAD_TYPE, "type must be"},
    {"{\"type\":[\"x\"]}", HUB_BAD_TYPE, "type must be"},
    {"{\"type\":\"\"}", HUB_BAD_TYPE, "1 to 64 bytes"},
    {"{\"type\":\"" X64("x") "y\"}", HUB_BAD_TYPE, "1 to 64 bytes"},
    {"{\"type\":\"" X64("\\u0078") "y\"}", HUB_BAD_TYPE, "1 to 64 bytes"},
    {"{\"type\":\"" X8(X8("\xc3\xa9")) "\"}", HUB_BAD_TYPE, "1 to 64 bytes"},
    {"{\"type\":\"\\u0000\"}", HUB_BAD_TYPE, "control"},
    {"{\"type\":\"a\\n\"}", HUB_BAD_TYPE, "control"},
    {"{\"type\":\"a\x7f\"}", HUB_BAD_TYPE, "control"},
    {"{\"type\":\"a\\u007f\"}", HUB_BAD_TYPE, "control"},
    {"{\"type\":\"\\ud800\"}", HUB_BAD_TYPE, "type must be"},
    {"{\"type\":\"x\",\"session_id\":\"\"}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":\"a b\"}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":\"a/b\"}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":\"a\\u0000\"}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":\"\\udead\"}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":\"\xc3\xa9\"}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":7}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":null}", HUB_BAD_SESSION_ID, "session_id must be"},
    {"{\"type\":\"x\",\"session_id\":\"" X64("ss") "s\"}", HUB_BAD_SESSION_ID, "1 to 128"},
    {"{\"type\":\"x\",\"timestamp\":\"1\"}", HUB_BAD_FIELD, "timestamp must be a number"},
    {"{\"type\":\"x\",\"timestamp\":null}", HUB_BAD_FIELD, "timestamp must be a number"},
    {"{\"type\":\"x\",\"msg_id\":1}", HUB_BAD_FIELD, "msg_id must be a string"},
    {"{\"type\":\"x\",\"msg_id\":\"\"}", HUB_BAD_FIELD, "msg_id must be a string of 1 to 64"},
    {"{\"type\":\"x\",\"msg_id\":\"" X64("m") "m\"}", HUB_BAD_FIELD, "1 to 64"},
    {"{\"type\":\"x\",\"msg_id\":\"\\udc00\"}", HUB_BAD_FIELD, "msg_id must be a string"},
    {"{\"type\":\"x\",\"key\":{}}", HUB_BAD_FIELD, "key must be a string"},
    {"{\"type\":\"x\",\"key\":\"\"}", HUB_BAD_FIELD, "1 to 256"},
    {"{\"type\":\"x\",\"key\":\"" X64("kkkk") "k\"}", HUB_BAD_FIELD, "1 to 256"},
    {"{\"type\":\"x\",\"key\":\"\\t\"}", HUB_BAD_FIELD, "key must be a string"},
    {"{\"type\":\"x\",\"key\":\"\x7f\"}", HUB_BAD_FIELD, "key must be a string"},
    {"{\"type\":\"x\",\"key\":\"\\ud800\"}", HUB_BAD_FIELD, "key must be a string"},
    {"{\"type\":\"x\",\"to\":1}", HUB_BAD_FIELD, "to must be"},
    {"{\"type\":\"x\",\"to\":{}}", HUB_BAD_FIELD, "to must be"},
    {"{\"type\":\"x\",\"to\":null}", HUB_BAD_FIELD, "to must be"},
    {"{\"type\":\"x\",\"type\":\"x\"}", HUB_BAD_FIELD, "type occurs more than once"},
    {"{\"type\":\"x\",\"\\u0074ype\":\"y\"}", HUB_BAD_FIELD, "type occurs more than once"},
    {"{\"type\":\"x\",\"session_id\":\"a\",\"session_id\":\"a\"}", HUB_BAD_FIELD, "session_id occ"},
    {"{\"type\":\"x\",\"timestamp\":1,\"timestamp\":1}", HUB_BAD_FIELD, "timestamp occurs"},
    {"{\"type\":\"x\",\"msg_id\":\"1\",\"msg_id\":\"1\"}", HUB_BAD_FIELD, "msg_id occurs"},
    {"{\"type\":\"x\",\"key\":\"1\",\"key\":\"1\"}", HUB_BAD_FIELD, "key occurs"},
    {"{\"type\":\"x\",\"to\":\"1\",\"to\":\"1\"}", HUB_BAD_FIELD, "to occurs"},
    {"{\"type\":\"x\",\"from\":1,\"from\":1}", HUB_BAD_FIELD, "from occurs"},
    {"{\"type\":\"x\",\"seq\":1,\"s\\u0065q\":1}", HUB_BAD_FIELD, "seq occurs"},
};

static void bad_messages_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct envelope e;
		char why[128] = "";
		enum hub_code code =
		    envelope_parse(&e, r->message, strlen(r->message), why, sizeof(why));

		if (code != r->code || !strstr(why, r->why))
			fail_msg("%s: %s, %s", r->message, hub_code_name(code), why);
		if (strstr(r->message, "\"msg_id\"") == NULL)
			assert_null(e.msg_id.p);
	}
}

static void lengths_at_the_limit_are_accepted(void **state)
{
	static const char *const messages[] = {
	    "{\"type\":\"" X64("x") "\"}",
	    "{\"type\":\"" X64("\\u0078") "\"}",
	    "{\"type\":\"" X8("\xc3\xa9\\u00e9\xc3\xa9\\u00e9") "\"}",
	    "{\"type\":\"x\",\"session_id\":\"" X64("sS") "\"}",
	    "{\"type\":\"x\",\"session_id\":\"" X64("s\\u0053") "\"}",
	    "{\"type\":\"x\",\"session_id\":\"azAZ09_.:~@-\"}",
	    "{\"type\":\"x\",\"msg_id\":\"" X64("\\u0078") "\"}",
	    "{\"type\":\"x\",\"key\":\"" X64("k\\u0078kk") "\"}",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(messages); i++)
		free(record(messages[i], strlen(messages[i])));
}

static void the_answer_can_name_the_msg_id(void **state)
{
	static const struct {
		const char *message;
		const char *msg_id;
	} cases[] = {
	    {"{\"msg_id\":\"7\",\"type\":1}", "\"7\""},
	    {"{\"type\":1,\"msg_id\":\"\\u0037\"}", "\"\\u0037\""},
	    {"{\"msg_id\":\"7\",\"a\":01}", "\"7\""},
	    {"{\"a\":01,\"msg_id\":\"7\"}", NULL},
	    {"{\"msg_id\":\"7", NULL},
	    {"{\"msg_id\":\"7\",\"msg_id\":\"8\",\"type\":\"x\"}", NULL},
	    {"{\"msg_id\":7}", NULL},
	    {"{\"msg_id\":\"\"}", NULL},
	    {"[{\"msg_id\":\"7\"}]", NULL},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct envelope e;
		char why[128];

		memset(&e, 0xff, sizeof(e));
		assert_int_not_equal(envelope_parse(&e, cases[i].message, strlen(cases[i].message),
						    why, sizeof(why)),
				     HUB_OK);
		if (cases[i].msg_id ? !span_is(e.msg_id, cases[i].msg_id) : e.msg_id.p != NULL)
			fail_msg("%s: %.*s", cases[i].message, (int)e.msg_id.len, e.msg_id.p);
	}
}

static void reasons_are_cut_to_size(void **state)
{
	struct envelope e;
	char why[8] = "abcdefg";

	(void)state;
	assert_int_equal(envelope_parse(&e, "{}", 2, why, 5), HUB_BAD_TYPE);
	assert_string_equal(why, "type");
	assert_int_equal(envelope_parse(&e, "{}", 2, NULL, 0), HUB_BAD_TYPE);
}

static void collect(struct span id, void *arg)
{
	strncat(arg, "<", 2);
	strncat(arg, id.p, id.len);
	strncat(arg, ">", 2);
}

static void receivers_are_read(void **state)
{
	static const struct {
		const char *to;
		const char *ids; /* NULL: refused */
	} cases[] = {
	    {"\"a\"", "<a>"},
	    {"\"\\u0061\"", "<a>"},
	    {"[\"a\"]", "<a>"},
	    {"[ \"a\" ,\t\"b\\\"]\" , \"c\" ]", "<a><b\"]><c>"},
	    {"[\"b\",\"a\",\"b\",\"\\u0061\",\"c\"]", "<b><a><c>"},
	    {"[\"" X64("x") "\"]", "<" X64("x") ">"},
	    {"[" X8("\"a\",\"b\",\"c\",\"d\",\"a\",\"b\",\"c\",") "\"d\""
								  "]",
	     "<a><b><c><d>"},
	    {"\"\"", NULL},
	    {"[]", NULL},
	    {"[ ]", NULL},
	    {"[\"\"]", NULL},
	    {"[\"a\",\"\"]", NULL},
	    {"[\"a\",1]", NULL},
	    {"[\"a\",null]", NULL},
	    {"[\"a\",[\"b\"]]", NULL},
	    {"[{}]", NULL},
	    {"\"\\ud800\"", NULL},
	    {"\"" X64("x") "x\"", NULL},
	    {"[" X64("\"a\",") "\"a\"]", NULL},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		char message[1024], ids[1024] = "", why[128] = "";
		struct envelope e;
		enum hub_code code;

		snprintf(message, sizeof(message), "{\"to\":%s,\"type\":\"x\"}", cases[i].to);
		assert_int_equal(envelope_parse(&e, message, strlen(message), why, sizeof(why)),
				 HUB_OK);
		code = envelope_to(&e, collect, ids, why, sizeof(why));
		if (code != (cases[i].ids ? HUB_OK : HUB_BAD_FIELD) ||
		    strcmp(ids, cases[i].ids ? cases[i].ids : "") != 0)
			fail_msg("%s: %s %s", message, hub_code_name(code), ids);
		if (code != HUB_OK)
			assert_non_null(strstr(why, "to must be"));
	}
}

static void no_receivers_without_to(void **state)
{
	struct envelope e;
	char why[128], ids[8] = "";

	(void)state;
	assert_int_equal(envelope_parse(&e, "{\"type\":\"x\"}", 12, why, sizeof(why)), HUB_OK);
	assert_int_equal(envelope_to(&e, collect, ids, why, sizeof(why)), HUB_BAD_FIELD);
	assert_string_equal(ids, "");
}

static void session_ids_have_a_form(void **state)
{
	char id[ENVELOPE_SESSION_MAX + 1];

	(void)state;
	memset(id, 'x', sizeof(id));
	assert_true(envelope_session_id_ok(id, 1));
	assert_true(envelope_session_id_ok(id, ENVELOPE_SESSION_MAX));
	assert_false(envelope_session_id_ok(id, ENVELOPE_SESSION_MAX + 1));
	assert_false(envelope_session_id_ok(id, 0));
	for (int c = 0; c < 256; c++) {
		id[1] = (char)c;
		assert_int_equal(envelope_session_id_ok(id, 3),
				 c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					     "0123456789_.:~@-",
					     c) != NULL);
	}
}

static void codes_have_names(void **state)
{
	(void)state;
	assert_string_equal(hub_code_name(HUB_OK), "ok");
	assert_string_equal(hub_code_name(HUB_BAD_SESSION_ID), "bad_session_id");
	assert_string_equal(hub_code_name(HUB_INTERNAL), "internal");
	for (int a = HUB_OK; a <= HUB_INTERNAL; a++)
		for (int b = HUB_OK; b < a; b++)
			if (a != HUB_BAD_TEXT || b != HUB_BAD_JSON) /* one to the outside */
				assert_string_not_equal(hub_code_name((enum hub_code)a),
							hub_code_name((enum hub_code)b));
}

/* Random messages. */
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

#define PICK(list) (list)[pick(UNIT_COUNT(list))]

static void put_space(struct buf *b)
{
	static const char *const spaces[] = {"", "", "", "", " ", "\t", "  ", "\n", "\r\n "};

	buf_puts(b, PICK(spaces));
}

static void put_member(struct buf *b, unsigned *members, const char *name, const char *value)
{
	if ((*members)++)
		buf_puts(b, ",");
	put_space(b);
	buf_printf(b, "\"%s\"", name);
	put_space(b);
	buf_puts(b, ":");
	put_space(b);
	buf_puts(b, value);
	put_space(b);
}

static void random_message(struct buf *b)
{
	static const char *const from[] = {"from", "\\u0066rom", "fro\\u006D"};
	static const char *const seq[] = {"seq", "s\\u0065q", "\\u0073\\u0065\\u0071"};
	static const char *const names[] = {"",	    "a",       "data",	   "From",
					    "seqs", "\\u00e9", "\xc3\xa9", "x y"};
	static const char *const values[] = {
	    "0",
	    "-1.50e+3",
	    "true",
	    "null",
	    "\"\"",
	    "\"from\"",
	    "\"\\\"from\\\":1,\"",
	    "\"}\\\\\"",
	    "[]",
	    "{}",
	    "[ 1 , { \"from\" : 2 } ]",
	    "{\"seq\":1,\"from\":{\"seq\":[]}}",
	    "\"a longer text, \xe2\x82\xac 5, with \\ud83d\\ude00 in it\"",
	};
	unsigned todo = 1 | pick(32); /* a bit for each kind of member below */
	unsigned members = 0;

	b->len = 0;
	put_space(b);
	buf_puts(b, "{");
	while (todo) {
		unsigned kind = pick(6);

		if (kind == 5 || !(todo & 1u << kind)) {
			if (pick(3) == 0)
				put_member(b, &members, PICK(names), PICK(values));
			continue;
		}
		todo &= ~(1u << kind);
		switch (kind) {
		case 0:
			put_member(b, &members, "type", "\"t\"");
			break;
		case 1:
			put_member(b, &members, PICK(from), PICK(values));
			break;
		case 2:
			put_member(b, &members, PICK(seq), PICK(values));
			break;
		case 3:
			if (pick(2))
				put_member(b, &members, "session_id", "\"Q\"");
			break;
		default:
			if (pick(2))
				put_member(b, &members, "timestamp", "12.5");
		}
	}
	buf_puts(b, "}");
	put_space(b);
}

/* What the record must be: the message as libjq reads it, with the hub's fields set. */
static jv expected(const struct buf *message)
{
	jv v = jv_parse_sized(message->data, (int)message->len);

	assert_true(jv_is_valid(v));
	if (!jv_object_has(jv_copy(v), jv_string("session_id")))
		v = jv_object_set(v, jv_string("session_id"), jv_string("S"));
	if (!jv_object_has(jv_copy(v), jv_string("timestamp")))
		v = jv_object_set(v, jv_string("timestamp"), jv_number(1700000000123));
	v = jv_object_set(v, jv_string("from"), jv_string("me"));
	return jv_object_set(v, jv_string("seq"), jv_number(42));
}

static void records_differ_by_the_hubs_fields_alone(void **state)
{
	static const char *const list[] = {"from", "seq", "session_id", "timestamp"};
	struct json_paths *paths = json_paths_new(list, UNIT_COUNT(list));
	struct buf message = {0}, out = {0};

	(void)state;
	assert_non_null(paths);
	buf_puts(&out, "before");
	for (int i = 0; i < 20000; i++) {
		struct json_member m[UNIT_COUNT(list)];
		struct json_scan scan;
		struct envelope e;
		char why[128] = "";

		random_message(&message);
		if (envelope_parse(&e, message.data, message.len, why, sizeof(why)) != HUB_OK)
			fail_msg("%.*s: %s", (int)message.len, message.data, why);
		out.len = 6;
		assert_int_equal(envelope_record(&e, &out, SESSION, 1700000000123, FROM), 0);
		buf_puts(&out, ",\"seq\":42}");
		assert_memory_equal(out.data, "before", 6);
		if (!jv_equal(expected(&message), jv_parse_sized(out.data + 6, (int)out.len - 6)))
			fail_msg("%.*s: %.*s", (int)message.len, message.data, (int)out.len - 6,
				 out.data + 6);
		assert_null(memchr(out.data, '\n', out.len));
		assert_null(memchr(out.data, '\r', out.len));
		/* libjq takes the last of repeated names, so it cannot see that there is one alone.
		 */
		assert_int_equal(json_scan(paths, out.data + 6, out.len - 6, m, &scan), JSON_OK);
		for (size_t k = 0; k < UNIT_COUNT(list); k++)
			assert_false(m[k].repeated);
	}
	json_paths_free(paths);
	buf_free(&message);
	buf_free(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_keep_all_bytes),
	    cmocka_unit_test(records_get_what_is_absent),
	    cmocka_unit_test(newlines_become_spaces),
	    cmocka_unit_test(forged_fields_are_cut),
	    cmocka_unit_test(forged_fields_are_cut_with_white_space),
	    cmocka_unit_test(forged_fields_of_any_kind_are_cut),
	    cmocka_unit_test(fields_are_read),
	    cmocka_unit_test(absent_fields_are_null),
	    cmocka_unit_test(fields_are_unescaped),
	    cmocka_unit_test(bad_messages_are_refused),
	    cmocka_unit_test(lengths_at_the_limit_are_accepted),
	    cmocka_unit_test(the_answer_can_name_the_msg_id),
	    cmocka_unit_test(reasons_are_cut_to_size),
	    cmocka_unit_test(receivers_are_read),
	    cmocka_unit_test(no_receivers_without_to),
	    cmocka_unit_test(session_ids_have_a_form),
	    cmocka_unit_test(codes_have_names),
	    cmocka_unit_test(records_differ_by_the_hubs_fields_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
