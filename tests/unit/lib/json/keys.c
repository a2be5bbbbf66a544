/* Which messages are state, and under which key: the built-in families, tables from files, and
 * every kind of value that may stand where a key should. */
#include "json/keys.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define NONE ((const char *)NULL)

/* What message is to keys: its rule, with the key in key (NUL-terminated). */
static enum key_rule find(const struct keys *keys, const char *message, char key[512])
{
	static struct envelope e; /* borrows text until the next call */
	size_t len = strlen(message);
	char *text = malloc(len ? len : 1), room[ENVELOPE_KEY_MAX], why[256];
	struct span span = {NULL, 0}, written = {NULL, 0}, again;
	char again_room[ENVELOPE_KEY_MAX];
	enum key_rule rule;

	/* Of the exact size, so that a read behind it is seen. */
	assert_non_null(text);
	memcpy(text, message, len);
	assert_int_equal(envelope_parse(&e, text, len, why, sizeof(why)), HUB_OK);
	rule = keys_find(keys, &e, room, &span, &written, NULL);
	key[0] = '\0';
	if (rule == KEY_SET || rule == KEY_OWN || rule == KEY_DELETE) {
		assert_non_null(span.p);
		assert_true(span.len <= ENVELOPE_KEY_MAX);
		memcpy(key, span.p, span.len);
		key[span.len] = '\0';
		/* The value that it was read from, in the message, says the same. */
		if (written.len) {
			assert_true(written.p >= e.text &&
				    written.p + written.len <= e.text + e.len);
			assert_true(keys_value(written, again_room, &again));
			assert_int_equal(again.len, span.len);
			assert_memory_equal(again.p, span.p, span.len);
		} else {
			assert_int_equal(span.len, 0);
		}
	}
	free(text);
	return rule;
}

static void expect(const struct keys *keys, const char *message, enum key_rule rule,
		   const char *key)
{
	char found[512];
	enum key_rule is = find(keys, message, found);

	if (is != rule)
		print_error("%s\n", message);
	assert_int_equal(is, rule);
	if (key)
		assert_string_equal(found, key);
}

/* --- the built-in table --- */

static void the_families_of_virtual_worlds(void **state)
{
	static const struct {
		const char *message;
		enum key_rule rule;
		const char *key;
	} cases[] = {
	    {"{\"type\":\"entity_created\",\"entity\":{\"id\":\"e1\"}}", KEY_SET, "e1"},
	    {"{\"type\":\"entity_updated\",\"entity\":{\"x\":1,\"id\":\"e1\"}}", KEY_SET, "e1"},
	    {"{\"type\":\"entity_deleted\",\"entity\":{\"id\":\"e1\"}}", KEY_DELETE, "e1"},
	    {"{\"type\":\"object_created\",\"data\":{\"object\":{\"name\":\"o\"}}}", KEY_SET, "o"},
	    {"{\"type\":\"object_updated\",\"data\":{\"object\":{\"name\":\"o\"}}}", KEY_SET, "o"},
	    {"{\"type\":\"object_deleted\",\"data\":{\"object\":{\"name\":\"o\"}}}", KEY_DELETE,
	     "o"},
	    {"{\"type\":\"avatar_position_update\",\"avatar_id\":\"a\"}", KEY_SET, "a"},
	    {"{\"type\":\"score_update\"}", KEY_SET, ""},
	    {"{\"type\":\"world_initialized\"}", KEY_SET, ""},
	    {"{\"type\":\"world_updated\"}", KEY_SET, ""},
	    {"{\"type\":\"game_state\"}", KEY_SET, ""},
	    /* Not quite these. */
	    {"{\"type\":\"entity_moved\",\"entity\":{\"id\":\"e1\"}}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_create\",\"entity\":{\"id\":\"e1\"}}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_createdd\",\"entity\":{\"id\":\"e1\"}}", KEY_NONE, NONE},
	    {"{\"type\":\"Entity_created\",\"entity\":{\"id\":\"e1\"}}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_created|entity_updated\",\"entity\":{\"id\":\"e1\"}}", KEY_NONE,
	     NONE},
	    {"{\"type\":\"score_update2\"}", KEY_NONE, NONE},
	    {"{\"type\":\"x\"}", KEY_NONE, NONE},
	    /* Without its key a message is an event like any other. */
	    {"{\"type\":\"entity_created\"}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_created\",\"entity\":\"id\"}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_created\",\"entity\":{}}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_created\",\"id\":\"e1\"}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_created\",\"entity.id\":\"e1\"}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_created\",\"x\":{\"entity\":{\"id\":\"e1\"}}}", KEY_NONE, NONE},
	    {"{\"type\":\"entity_created\",\"entity\":[{\"id\":\"e1\"}]}", KEY_NONE, NONE},
	    {"{\"type\":\"object_created\",\"data\":{\"object\":\"o\"}}", KEY_NONE, NONE},
	};
	struct keys *keys = keys_default();

	(void)state;
	assert_non_null(keys);
	for (size_t i = 0; i < UNIT_COUNT(cases); i++)
		expect(keys, cases[i].message, cases[i].rule, cases[i].key);
	keys_free(keys);
	keys_free(NULL);
}

static void every_value_that_may_be_a_key(void **state)
{
	static const struct {
		const char *value;
		enum key_rule rule;
		const char *key;
	} cases[] = {
	    {"\"e1\"", KEY_SET, "e1"},
	    {"\" \"", KEY_SET, " "},
	    {"7", KEY_SET, "7"},
	    {"-0.5e+3", KEY_SET, "-0.5e+3"},
	    {"true", KEY_SET, "true"},
	    {"false", KEY_SET, "false"},
	    {"null", KEY_NONE, NONE},
	    {"{}", KEY_NONE, NONE},
	    {"{\"id\":1}", KEY_NONE, NONE},
	    {"[]", KEY_NONE, NONE},
	    {"[\"e1\"]", KEY_NONE, NONE},
	    {"\"\\u0065\\u0031\"", KEY_SET, "e1"},
	    {"\"a\\\"b\\\\c\\/d\"", KEY_SET, "a\"b\\c/d"},
	    {"\"\\u00e9\\ud83d\\ude00\"", KEY_SET, "\xc3\xa9\xf0\x9f\x98\x80"},
	    {"\"\xc3\xa9\xf0\x9f\x98\x80\"", KEY_SET, "\xc3\xa9\xf0\x9f\x98\x80"},
	    {"\"\\ud83d\"", KEY_BAD, NONE},
	    {"\"\\ude00\"", KEY_BAD, NONE},
	};
	struct keys *keys = keys_default();
	char message[512];

	(void)state;
	assert_non_null(keys);
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		snprintf(message, sizeof(message),
			 "{\"type\":\"entity_updated\",\"entity\":{\"id\":%s}}", cases[i].value);
		expect(keys, message, cases[i].rule, cases[i].key);
		snprintf(message, sizeof(message),
			 "{\"type\":\"entity_deleted\",\"entity\":{\"id\":%s}}", cases[i].value);
		expect(keys, message, cases[i].rule == KEY_SET ? KEY_DELETE : cases[i].rule,
		       cases[i].key);
	}
	keys_free(keys);
}

static void a_table_can_say_whose_it_is(void **state)
{
	char file[] = "/tmp/keys.XXXXXX", why[200], key[512];
	int fd = mkstemp(file);
	struct keys *keys;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a id own\n* id\n", 14), 14);
	close(fd);
	keys = keys_load(file, why, sizeof(why));
	unlink(file);
	assert_non_null(keys);
	assert_int_equal(find(keys, "{\"type\":\"a\",\"id\":1}", key), KEY_OWN);
	assert_int_equal(find(keys, "{\"type\":\"b\",\"id\":1}", key), KEY_SET);
	/* What the hub itself says goes before any table. */
	assert_int_equal(find(keys, "{\"type\":\"state_deleted\",\"key\":\"k\",\"id\":1}", key),
			 KEY_DELETE);
	assert_string_equal(key, "k");
	assert_int_equal(find(keys, "{\"type\":\"state_deleted\",\"id\":1}", key), KEY_NONE);
	keys_free(keys);
}

/* The key of a record without one is empty; no name in a message may be that, or a delete of the
 * name "" would take the score with it. */
static void an_empty_name_is_no_key(void **state)
{
	struct keys *keys = keys_default();
	char key[512];

	(void)state;
	assert_non_null(keys);
	assert_true(find(keys, "{\"type\":\"entity_updated\",\"entity\":{\"id\":\"\"}}", key) !=
		    KEY_SET);
	assert_true(find(keys, "{\"type\":\"entity_deleted\",\"entity\":{\"id\":\"\"}}", key) !=
		    KEY_DELETE);
	keys_free(keys);
}

static void put_id(char *message, size_t cap, const char *unit, size_t times, const char *quote)
{
	size_t n = (size_t)snprintf(message, cap,
				    "{\"type\":\"entity_updated\",\"entity\":{\"id\":%s", quote);

	for (size_t i = 0; i < times; i++)
		n += (size_t)snprintf(message + n, cap - n, "%s", unit);
	snprintf(message + n, cap - n, "%s}}", quote);
}

static void keys_have_256_bytes_at_most(void **state)
{
	struct keys *keys = keys_default();
	char message[4096], key[512];

	(void)state;
	assert_non_null(keys);
	put_id(message, sizeof(message), "k", 256, "\"");
	assert_int_equal(find(keys, message, key), KEY_SET);
	assert_int_equal(strlen(key), 256);
	put_id(message, sizeof(message), "k", 257, "\"");
	assert_int_equal(find(keys, message, key), KEY_BAD);
	/* It is bytes of the text, not of its escapes, that count. */
	put_id(message, sizeof(message), "\\u006b", 256, "\"");
	assert_int_equal(find(keys, message, key), KEY_SET);
	assert_int_equal(strlen(key), 256);
	put_id(message, sizeof(message), "\\u00e9", 128, "\"");
	assert_int_equal(find(keys, message, key), KEY_SET);
	put_id(message, sizeof(message), "\\u00e9", 129, "\"");
	assert_int_equal(find(keys, message, key), KEY_BAD);
	put_id(message, sizeof(message), "1", 256, "");
	assert_int_equal(find(keys, message, key), KEY_SET);
	assert_int_equal(strlen(key), 256);
	put_id(message, sizeof(message), "1", 257, "");
	assert_int_equal(find(keys, message, key), KEY_BAD);
	keys_free(keys);
}

static void the_senders_key_goes_first(void **state)
{
	struct keys *keys = keys_default();

	(void)state;
	assert_non_null(keys);
	expect(keys, "{\"type\":\"x\",\"key\":\"k\"}", KEY_SET, "k");
	expect(keys, "{\"type\":\"x\",\"key\":\"\\u006b\"}", KEY_SET, "k");
	expect(keys, "{\"type\":\"score_update\",\"key\":\"k\"}", KEY_SET, "k");
	expect(keys, "{\"type\":\"entity_updated\",\"key\":\"k\",\"entity\":{\"id\":\"e\"}}",
	       KEY_SET, "k");
	expect(keys, "{\"type\":\"entity_updated\",\"key\":\"k\",\"entity\":{\"id\":\"\\ud83d\"}}",
	       KEY_SET, "k");
	expect(keys, "{\"type\":\"entity_deleted\",\"key\":\"k\",\"entity\":{\"id\":\"e\"}}",
	       KEY_DELETE, "k");
	expect(keys, "{\"type\":\"entity_deleted\",\"key\":\"k\"}", KEY_DELETE, "k");
	keys_free(keys);
}

/* --- files --- */

static char path[] = "/tmp/hub-keys.XXXXXX";

static void write_file(const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static struct keys *load(const char *text)
{
	char why[512] = "";
	struct keys *keys;

	write_file(text);
	keys = keys_load(path, why, sizeof(why));
	if (!keys)
		print_error("%s\n", why);
	assert_non_null(keys);
	return keys;
}

static void tables_come_from_files(void **state)
{
	struct keys *keys = load("# what is kept\n"
				 "\n"
				 "  \t \n"
				 "tank_*|plane?   data.unit.id\t# by unit\n"
				 "\ttank_gone data.unit.id delete\r\n"
				 "[xy]pos pos\n"
				 "weather -\n"
				 "del_* a.b delete\n"
				 "last -");

	(void)state;
	expect(keys, "{\"type\":\"tank_moved\",\"data\":{\"unit\":{\"id\":1}}}", KEY_SET, "1");
	expect(keys, "{\"type\":\"tank_\",\"data\":{\"unit\":{\"id\":\"t\"}}}", KEY_SET, "t");
	expect(keys, "{\"type\":\"plane1\",\"data\":{\"unit\":{\"id\":\"p\"}}}", KEY_SET, "p");
	expect(keys, "{\"type\":\"plane\",\"data\":{\"unit\":{\"id\":\"p\"}}}", KEY_NONE, NONE);
	expect(keys, "{\"type\":\"plane12\",\"data\":{\"unit\":{\"id\":\"p\"}}}", KEY_NONE, NONE);
	/* The first that matches counts. */
	expect(keys, "{\"type\":\"tank_gone\",\"data\":{\"unit\":{\"id\":1}}}", KEY_SET, "1");
	expect(keys, "{\"type\":\"xpos\",\"pos\":\"here\"}", KEY_SET, "here");
	expect(keys, "{\"type\":\"zpos\",\"pos\":\"here\"}", KEY_NONE, NONE);
	expect(keys, "{\"type\":\"weather\",\"pos\":\"here\"}", KEY_SET, "");
	expect(keys, "{\"type\":\"del_x\",\"a\":{\"b\":\"k\"}}", KEY_DELETE, "k");
	expect(keys, "{\"type\":\"last\"}", KEY_SET, "");
	/* It stands in the place of the built-in one. */
	expect(keys, "{\"type\":\"score_update\"}", KEY_NONE, NONE);
	expect(keys, "{\"type\":\"x\",\"key\":\"k\"}", KEY_SET, "k");
	keys_free(keys);
}

static void a_table_may_be_empty(void **state)
{
	static const char *const texts[] = {"", "\n", "# nothing\n\n", "#"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		struct keys *keys = load(texts[i]);

		expect(keys, "{\"type\":\"score_update\"}", KEY_NONE, NONE);
		expect(keys, "{\"type\":\"x\",\"key\":\"k\"}", KEY_SET, "k");
		keys_free(keys);
	}
}

static void a_glob_takes_everything(void **state)
{
	struct keys *keys = load("* id\n");
	char message[256], type[65];

	(void)state;
	memset(type, 't', 64);
	type[64] = '\0';
	snprintf(message, sizeof(message), "{\"type\":\"%s\",\"id\":\"k\"}", type);
	expect(keys, message, KEY_SET, "k");
	expect(keys, "{\"type\":\".\",\"id\":\"k\"}", KEY_SET, "k");
	expect(keys, "{\"type\":\"a/b\",\"id\":\"k\"}", KEY_SET, "k");
	expect(keys, "{\"type\":\"\xc3\xa9\",\"id\":\"k\"}", KEY_SET, "k");
	expect(keys, "{\"type\":\"x\"}", KEY_NONE, NONE);
	keys_free(keys);
}

static void a_table_has_64_types(void **state)
{
	char text[8192] = "", message[64], why[256], want[128];
	struct keys *keys;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 64; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "t%d p%d\n", i, i);
	keys = load(text);
	for (int i = 0; i < 64; i++) {
		char key[16];

		snprintf(message, sizeof(message), "{\"type\":\"t%d\",\"p%d\":\"k%d\"}", i, i, i);
		snprintf(key, sizeof(key), "k%d", i);
		expect(keys, message, KEY_SET, key);
	}
	keys_free(keys);
	snprintf(text + n, sizeof(text) - n, "t64 -\n");
	write_file(text);
	assert_null(keys_load(path, why, sizeof(why)));
	snprintf(want, sizeof(want), "%s:65: ", path);
	assert_memory_equal(why, want, strlen(want));
}

/* path:LINE: and a sentence. */
static void what_is_wrong_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} cases[] = {
	    {"alone\n", 1},
	    {"a -\n\n# c\nalone\nb -\n", 4},
	    {"a b c\n", 1},
	    {"a b delete x\n", 1},
	    {"a b Delete\n", 1},
	    {"a - delete\n", 1},
	    {"a b\nttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt -\n", 2},
	    {"a .b\nc d\n", 1},
	    {"a b\nc d..e\nf g\n", 2},
	    {"a b.\n", 1},
	    {"| path\n", 1},
	};
	char why[512], want[64], longest[2100];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct keys *keys;

		write_file(cases[i].text);
		why[0] = '\0';
		keys = keys_load(path, why, sizeof(why));
		snprintf(want, sizeof(want), "%s:%u: ", path, cases[i].line);
		if (keys || strncmp(why, want, strlen(want)) != 0)
			print_error("%s-> %s\n", cases[i].text, why);
		assert_null(keys);
		assert_memory_equal(why, want, strlen(want));
		assert_true(strlen(why) > strlen(want));
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	write_file(longest);
	assert_null(keys_load(path, why, sizeof(why)));
	snprintf(want, sizeof(want), "%s:1: ", path);
	assert_memory_equal(why, want, strlen(want));
}

static void what_is_no_file_is_named(void **state)
{
	char why[512];

	(void)state;
	assert_null(keys_load("/nowhere/at-all", why, sizeof(why)));
	assert_non_null(strstr(why, "/nowhere/at-all: No such file"));
	assert_null(keys_load("/", why, sizeof(why)));
	assert_non_null(strstr(why, "directory"));
	/* However little room there is for it. */
	assert_null(keys_load("/nowhere/at-all", why, 5));
	assert_string_equal(why, "/now");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_families_of_virtual_worlds),
	    cmocka_unit_test(every_value_that_may_be_a_key),
	    cmocka_unit_test(an_empty_name_is_no_key),
	    cmocka_unit_test(a_table_can_say_whose_it_is),
	    cmocka_unit_test(keys_have_256_bytes_at_most),
	    cmocka_unit_test(the_senders_key_goes_first),
	    cmocka_unit_test(tables_come_from_files),
	    cmocka_unit_test(a_table_may_be_empty),
	    cmocka_unit_test(a_glob_takes_everything),
	    cmocka_unit_test(a_table_has_64_types),
	    cmocka_unit_test(what_is_wrong_is_named_with_its_line),
	    cmocka_unit_test(what_is_no_file_is_named),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("keys", tests, NULL, NULL);
	unlink(path);
	return failed;
}
