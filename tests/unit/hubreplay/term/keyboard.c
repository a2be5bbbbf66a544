/* What keys a terminal sends. */
#include "term/keyboard.h"

#include <string.h>
#include <unistd.h>

#include "unit.h"

static void decodes(void **state)
{
	static const struct {
		const char *text;
		enum keyboard_key key;
		size_t used;
	} cases[] = {{" ", KEYBOARD_SPACE, 1},	    {"q", KEYBOARD_Q, 1},
		     {"\033[C", KEYBOARD_RIGHT, 3}, {"\033[D", KEYBOARD_LEFT, 3},
		     {"\033OC", KEYBOARD_RIGHT, 3}, {"\033OD", KEYBOARD_LEFT, 3},
		     {"\033[Aq", KEYBOARD_NONE, 3}, {"\033[Cq", KEYBOARD_RIGHT, 3},
		     {"\033[", KEYBOARD_NONE, 1}, /* cut off */
		     {"\033q ", KEYBOARD_NONE, 1},  {"Q", KEYBOARD_NONE, 1},
		     {"x q", KEYBOARD_NONE, 1}};
	size_t used;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		assert_int_equal(keyboard_decode(cases[i].text, strlen(cases[i].text), &used),
				 cases[i].key);
		assert_int_equal(used, cases[i].used);
	}
}

static void ignore(enum keyboard_key key, void *arg)
{
	(void)key;
	(void)arg;
	fail();
}

/* A pipe is not read for keys, and there is nothing to put back. */
static void only_a_terminal(void **state)
{
	struct keyboard k = {0};
	uv_loop_t loop;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "q", 1), 1);
	assert_int_equal(dup2(pipes[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(uv_loop_init(&loop), 0);
	keyboard_start(&k, &loop, ignore, NULL);
	keyboard_raw(&k, true);
	assert_false(k.raw);
	uv_run(&loop, UV_RUN_NOWAIT);
	keyboard_stop(&k);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes),
	    cmocka_unit_test(only_a_terminal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keyboard", tests, NULL, NULL);
}
