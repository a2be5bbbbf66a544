/* What a state message asks for, right and wrong. */
#include "json/terms.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static enum hub_code read(const char *text, struct terms *t)
{
	static struct envelope e;
	char why[100];
	const char *said = NULL;
	enum hub_code code;

	*t = (struct terms){0};
	assert_int_equal(envelope_parse(&e, text, strlen(text), why, sizeof(why)), HUB_OK);
	assert_true(e.has_terms == (strstr(text, "\"x\"") == NULL));
	code = terms_read(&e, 777, t, &said);
	assert_true(code == HUB_OK || said[0]);
	return code;
}

static void each_is_read(void **state)
{
	struct terms t;

	(void)state;
	assert_int_equal(read("{\"type\":\"t\",\"x\":1}", &t), HUB_OK);
	assert_false(t.any);
	assert_int_equal(read("{\"type\":\"t\",\"own\":true,\"ttl\":1.5}", &t), HUB_OK);
	assert_true(t.any && t.own && !t.newer && !t.has_if_seq);
	assert_int_equal(t.ttl_ms, 1500);
	assert_int_equal(read("{\"type\":\"t\",\"own\":false,\"ttl\":1e-9}", &t), HUB_OK);
	assert_false(t.own);
	assert_int_equal(t.ttl_ms, 1); /* at once, but not never */
	assert_int_equal(read("{\"type\":\"t\",\"\\u006fwn\":true}", &t), HUB_OK);
	assert_true(t.own);
	assert_int_equal(read("{\"type\":\"t\",\"if_seq\":0}", &t), HUB_OK);
	assert_true(t.any && t.has_if_seq && t.if_seq == 0);
	assert_int_equal(read("{\"type\":\"t\",\"if_seq\":9007199254740992}", &t), HUB_OK);
	assert_true(t.if_seq == 9007199254740992);
	assert_int_equal(read("{\"type\":\"t\",\"newer\":true}", &t), HUB_OK);
	assert_true(t.newer && t.when == 777);
	assert_int_equal(read("{\"type\":\"t\",\"newer\":true,\"timestamp\":-1.25e3}", &t), HUB_OK);
	assert_true(t.when == -1250);
	assert_int_equal(read("{\"type\":\"t\",\"newer\":false,\"own\":false}", &t), HUB_OK);
	assert_false(t.any);
}

static void what_is_of_another_form_is_refused(void **state)
{
	static const char *const bad[] = {
	    "\"own\":1",
	    "\"own\":null",
	    "\"own\":\"true\"",
	    "\"ttl\":0",
	    "\"ttl\":-1",
	    "\"ttl\":\"5\"",
	    "\"ttl\":1.1e9",
	    "\"ttl\":null",
	    "\"ttl\":1e999",
	    "\"if_seq\":-1",
	    "\"if_seq\":1.0",
	    "\"if_seq\":\"1\"",
	    "\"if_seq\":1e2",
	    "\"if_seq\":9007199254740993",
	    "\"newer\":0",
	    "\"newer\":[]",
	    "\"own\":true,\"own\":true",
	    "\"ttl\":1,\"t\\u0074l\":1",
	};
	struct terms t;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"type\":\"t\",%s}", bad[i]);
		assert_int_equal(read(text, &t), HUB_BAD_FIELD);
	}
}

static void records_are_read_again(void **state)
{
	static const char record[] =
	    "{\"type\":\"t\",\"ttl\":2,\"data\":{\"ttl\":9,\"timestamp\":5},"
	    "\"timestamp\":1795193593169.5,\"seq\":1}";
	static const char bare[] = "{\"type\":\"t\",\"timestamp\":\"1\",\"ttl\":[]}";

	(void)state;
	assert_int_equal(terms_ttl_ms(record, sizeof(record) - 1), 2000);
	assert_true(terms_when(record, sizeof(record) - 1) == 1795193593169.5);
	assert_int_equal(terms_ttl_ms(bare, sizeof(bare) - 1), 0);
	assert_true(terms_when(bare, sizeof(bare) - 1) == 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_read),
	    cmocka_unit_test(what_is_of_another_form_is_refused),
	    cmocka_unit_test(records_are_read_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
