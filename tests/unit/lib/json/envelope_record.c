/* A record is its message with nothing changed but the hub's own fields. libjq is the independent
 * judge of that. */
#include <jv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json/envelope_sample.h"
#include "unit.h"

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
		assert_int_equal(envelope_record(&e, &out, SESSION, 1700000000123, FROM, NOBODY),
				 0);
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

/* `user` is the application's, until the hub says that it is its own. */
static void test_user(void **state)
{
	static const struct {
		const char *message, *kept, *owned;
	} cases[] = {
	    {"{\"type\":\"x\",\"user\":\"eve\"}", "{\"type\":\"x\",\"user\":\"eve\"",
	     "{\"type\":\"x\""},
	    {"{\"user\":{\"user\":1},\"type\":\"x\"}", "{\"user\":{\"user\":1},\"type\":\"x\"",
	     "{\"type\":\"x\""},
	    {"{\"seq\":1,\"\\u0075ser\":1,\"from\":2,\"type\":\"x\",\"a\":{\"user\":1}}",
	     "{\"\\u0075ser\":1,\"type\":\"x\",\"a\":{\"user\":1}",
	     "{\"type\":\"x\",\"a\":{\"user\":1}"},
	    {"{\"type\":\"x\" , \"from\":1 , \"user\" : 2 , \"seq\":3 }",
	     "{\"type\":\"x\" ,  \"user\" : 2 ", "{\"type\":\"x\" "},
	    {"{\"type\":\"x\"}", "{\"type\":\"x\"", "{\"type\":\"x\""},
	};
	struct span ann = {"\"ann\"", 5};
	struct buf out = {0};
	struct envelope e;
	char why[128], want[256];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		const char *m = cases[i].message;

		assert_int_equal(envelope_parse(&e, m, strlen(m), why, sizeof(why)), HUB_OK);
		for (int own = 0; own < 2; own++) {
			if (own)
				assert_int_equal(envelope_own_user(&e, why, sizeof(why)), HUB_OK);
			out.len = 0;
			assert_int_equal(
			    envelope_record(&e, &out, SESSION, 5, FROM, own ? ann : NOBODY), 0);
			snprintf(want, sizeof(want),
				 "%s,\"session_id\":\"%.*s\",\"timestamp\":5,\"from\":\"me\"%s",
				 own ? cases[i].owned : cases[i].kept, (int)SESSION.len, SESSION.p,
				 own ? ",\"user\":\"ann\"" : "");
			assert_int_equal(out.len, strlen(want));
			assert_memory_equal(out.data, want, out.len);
		}
	}
	buf_free(&out);
	assert_int_equal(
	    envelope_parse(&e, "{\"user\":1,\"type\":\"x\",\"user\":2}", 30, why, sizeof(why)),
	    HUB_OK);
	assert_int_equal(envelope_own_user(&e, why, sizeof(why)), HUB_BAD_FIELD);
	assert_non_null(strstr(why, "user"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_user),
	    cmocka_unit_test(records_keep_all_bytes),
	    cmocka_unit_test(records_get_what_is_absent),
	    cmocka_unit_test(newlines_become_spaces),
	    cmocka_unit_test(forged_fields_are_cut),
	    cmocka_unit_test(forged_fields_are_cut_with_white_space),
	    cmocka_unit_test(forged_fields_of_any_kind_are_cut),
	    cmocka_unit_test(records_differ_by_the_hubs_fields_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("envelope_record", tests, NULL, NULL);
}
