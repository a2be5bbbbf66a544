/* Runs that do not end, in processes of their own; and those that do, which nobody disturbs. */
#include "base/watchdog.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

static int told[2]; /* a pipe: what the child says */

static void say(const char *word)
{
	if (write(told[1], word, 1) != 1)
		_exit(99);
}

static void on_signalled(void *arg)
{
	say(arg);
}

static void on_dying(void *arg)
{
	(void)arg;
	say("d");
}

static const struct watchdog_events events = {.signalled = on_signalled, .dying = on_dying};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A child that watches itself; 0 in it. */
static pid_t child(double wait_s)
{
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(STDERR_FILENO);
		watchdog_start("test", wait_s, &events, "s");
	} else {
		close(told[1]);
	}
	return pid;
}

static char heard(void)
{
	char c = 0;

	assert_int_equal(read(told[0], &c, 1), 1);
	return c;
}

static void ends_with(pid_t pid, int want)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
	close(told[0]);
}

/* It makes calls, since ThreadSanitizer holds signals back until the next. */
static _Noreturn void run_for_ever(void)
{
	watchdog_enter("-f");
	say("r");
	for (;;)
		now();
}

static void test_a_limit(void **state)
{
	pid_t pid = child(0.05);

	(void)state;
	if (pid == 0)
		run_for_ever();
	assert_int_equal(heard(), 'r');
	assert_int_equal(heard(), 'd');
	ends_with(pid, 1);
}

static void test_one_signal(void **state)
{
	pid_t pid = child(-1);

	(void)state;
	if (pid == 0)
		run_for_ever();
	assert_int_equal(heard(), 'r');
	kill(pid, SIGTERM);
	assert_int_equal(heard(), 's');
	assert_int_equal(heard(), 'd');
	ends_with(pid, 1);
}

static void test_a_second_signal(void **state)
{
	pid_t pid = child(-1);

	(void)state;
	if (pid == 0) {
		say("r");
		for (;;)
			pause();
	}
	assert_int_equal(heard(), 'r');
	kill(pid, SIGINT);
	assert_int_equal(heard(), 's');
	kill(pid, SIGHUP);
	assert_int_equal(heard(), 'd');
	ends_with(pid, 1);
}

/* Many that end are not one that does not, and a signal between them ends nothing. */
static void test_runs_that_end(void **state)
{
	pid_t pid = child(0.2);
	double until;

	(void)state;
	if (pid == 0) {
		for (until = now() + 0.6; now() < until;) {
			watchdog_enter("-m");
			watchdog_leave();
		}
		raise(SIGTERM);
		for (until = now() + 0.6; now() < until;) {
			watchdog_enter("-m");
			watchdog_leave();
		}
		watchdog_close();
		_exit(7);
	}
	assert_int_equal(heard(), 's');
	ends_with(pid, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_limit),
	    cmocka_unit_test(test_one_signal),
	    cmocka_unit_test(test_a_second_signal),
	    cmocka_unit_test(test_runs_that_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
