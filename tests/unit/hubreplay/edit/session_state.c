/* The state that records leave behind: the last of each key and type, in the order of seq. */
#include "edit/session_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static void take(struct session_state *s, const struct keys *keys, uint64_t seq, const char *front)
{
	char text[300];
	int body = snprintf(text, sizeof(text), "%s", front);
	int len = body + snprintf(text + body, sizeof(text) - (size_t)body, ",\"t\":1}");
	struct recording_line line = {.kind = RECORDING_RECORD,
				      .text = text,
				      .len = (size_t)len,
				      .body = (size_t)body,
				      .seq = seq};
	const char *type = strstr(front, "\"type\":\"");

	if (type) {
		line.type.p = type + 8;
		line.type.len = strcspn(type + 8, "\"");
	}
	session_state_take(s, keys, &line);
}

/* As "SEQ TEXT", one after the other. */
static void check(struct session_state *s, const char *want)
{
	char text[600] = "";

	for (size_t i = 0, n = session_state_sort(s); i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d %.*s\n",
			 (int)s->record[i].seq, (int)s->record[i].len, s->record[i].text);
	assert_string_equal(text, want);
	session_state_clear(s);
}

static struct keys *table(const char *rules)
{
	char path[] = "/tmp/hub-keys.XXXXXX", why[200];
	int fd = mkstemp(path);
	struct keys *keys;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, rules, strlen(rules)), strlen(rules));
	close(fd);
	keys = keys_load(path, why, sizeof(why));
	unlink(path);
	assert_non_null(keys);
	return keys;
}

static void the_last_of_each(void **state)
{
	struct keys *keys = table("pos|color id\ngone id delete\n");
	struct session_state s = {0};

	(void)state;
	take(&s, keys, 1, "{\"type\":\"pos\",\"id\":\"a\",\"x\":1");
	take(&s, keys, 2, "{\"type\":\"pos\",\"id\":\"b\",\"x\":1");
	take(&s, keys, 3, "{\"type\":\"color\",\"id\":\"a\"");
	take(&s, keys, 4, "{\"type\":\"chat\",\"id\":\"a\"");
	take(&s, keys, 5, "{\"type\":\"pos\",\"id\":\"a\",\"x\":22");
	check(&s, "2 {\"type\":\"pos\",\"id\":\"b\",\"x\":1}\n"
		  "3 {\"type\":\"color\",\"id\":\"a\"}\n"
		  "5 {\"type\":\"pos\",\"id\":\"a\",\"x\":22}\n");

	/* All types of a key go; the other keys are still found. */
	take(&s, keys, 1, "{\"type\":\"pos\",\"id\":\"a\"");
	take(&s, keys, 2, "{\"type\":\"color\",\"id\":\"a\"");
	take(&s, keys, 3, "{\"type\":\"pos\",\"id\":\"b\"");
	take(&s, keys, 4, "{\"type\":\"gone\",\"id\":\"a\"");
	take(&s, keys, 5, "{\"type\":\"pos\",\"id\":\"b\"");
	take(&s, keys, 6, "{\"type\":\"gone\",\"id\":\"nobody\"");
	check(&s, "5 {\"type\":\"pos\",\"id\":\"b\"}\n");
	keys_free(keys);
}

/* A key and a type do not run into each other, and the table grows. */
static void many(void **state)
{
	struct keys *keys = table("* id\n");
	struct session_state s = {0};
	char text[100];

	(void)state;
	take(&s, keys, 1, "{\"type\":\"bc\",\"id\":\"a\"");
	take(&s, keys, 2, "{\"type\":\"c\",\"id\":\"ab\"");
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 1000; i++) {
			snprintf(text, sizeof(text), "{\"type\":\"x\",\"id\":\"%d\"", i);
			take(&s, keys, (uint64_t)(10 + 1000 * round + i), text);
		}
	assert_int_equal(session_state_sort(&s), 1002);
	assert_int_equal(s.record[1].seq, 2);
	assert_int_equal(s.record[2].seq, 1010);
	session_state_clear(&s);
	assert_int_equal(session_state_sort(&s), 0);
	keys_free(keys);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_of_each),
	    cmocka_unit_test(many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_state", tests, NULL, NULL);
}
