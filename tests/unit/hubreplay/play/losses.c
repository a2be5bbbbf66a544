/* Losses: all are counted, and of those of which there may be many few are said. */
#include "play/losses.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "unit.h"

static void said_and_counted(void **state)
{
	struct progress progress = {0};
	struct losses l = {&progress, 0};
	char said[4000], want[4000] = "test: 3 at once\n";
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	(void)state;
	assert_non_null(f);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	losses_add(&l, 3, "%d at once", 3);
	for (int i = 0; i < 20; i++)
		losses_first(&l, "no. %d", i);
	losses_add(&l, 1, "always");
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(l.n, 24);
	for (int i = 0; i < LOSSES_SAID - 3; i++)
		sprintf(want + strlen(want), "test: no. %d\n", i);
	strcat(want, "test: always\n");
	rewind(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	fclose(f);
	assert_string_equal(said, want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(said_and_counted)};

	err_init("test", ERR_INFO);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}
