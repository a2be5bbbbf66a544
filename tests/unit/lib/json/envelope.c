/* The envelope: what is read of a message, and which messages are refused and why. */
#include "json/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json/envelope_sample.h"
#include "unit.h"

#define X8(s) s s s s s s s s
#define X64(s) X8(X8(s))

static bool span_is(struct span s, const char *text)
{
	return s.p && s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
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
	    {"\"" X64("x") X64("x") X64("x") X64("x") "x\"", NULL},
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
