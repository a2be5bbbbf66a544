/* SIGALRM ticks while a program runs that somebody waits for, and a little longer, so that the
 * clock is set once for many short runs. Invariant: what a handler reads is written in one piece,
 * or does not change while `open`. */
#include "base/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"

#define TICK_US 500000
#define TICK_LEAST_US 20000
#define NOT_ENDING "the program does not end\n"

static struct {
	const struct watchdog_events *events;
	void *arg;
	char front[32];	       /* of messages */
	long tick_us, wait_us; /* wait_us: negative: for ever */

	volatile sig_atomic_t open, signals;
	volatile sig_atomic_t running; /* 0: none; else the option's letter */
	volatile sig_atomic_t ticking;
	volatile unsigned runs; /* so far */
	/* Of on_tick() alone. */
	unsigned seen; /* the run that it saw last */
	long ran_us;   /* for how long it has seen that one */
} watchdog;

static void set_clock(void)
{
	struct itimerval at = {.it_value = {.tv_sec = watchdog.tick_us / 1000000,
					    .tv_usec = watchdog.tick_us % 1000000}};

	watchdog.ticking = 1;
	setitimer(ITIMER_REAL, &at, NULL);
}

/* From a handler. */
static void end(void)
{
	if (watchdog.open && watchdog.events->dying)
		watchdog.events->dying(watchdog.arg);
	_exit(EX_NO);
}

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* nobody is left to tell */
}

/* why of the program, and what of us. */
static void give_up(const char *why, const char *what)
{
	char option[] = ": -X: ";

	if (watchdog.open && watchdog.events->dying)
		watchdog.events->dying(watchdog.arg);
	option[3] = (char)watchdog.running;
	say(watchdog.front);
	say(option);
	say(why);
	if (what) {
		say(watchdog.front);
		say(what);
	}
	_exit(EX_NO);
}

/* On a stack of its own: the other one is full. */
static void on_overflow(int number)
{
	if (watchdog.running)
		give_up("the program makes what is nested too deep for libjq\n", NULL);
	signal(number, SIG_DFL);
	raise(number);
}

static void on_tick(int number)
{
	int error = errno;
	bool same = watchdog.running && watchdog.seen == watchdog.runs;

	(void)number;
	watchdog.ran_us = same ? watchdog.ran_us + watchdog.tick_us : 0;
	if (watchdog.signals && watchdog.ran_us >= WATCHDOG_GRACE_S * 1000000)
		give_up(NOT_ENDING, ": ended by a signal\n");
	if (watchdog.wait_us >= 0 && same && watchdog.ran_us >= watchdog.wait_us)
		give_up(NOT_ENDING, ": gave up: -w\n");
	if (watchdog.running || watchdog.seen != watchdog.runs)
		set_clock();
	else
		watchdog.ticking = 0;
	watchdog.seen = watchdog.runs;
	errno = error;
}

static void on_signal(int number)
{
	int error = errno;

	(void)number;
	watchdog.signals++;
	if (watchdog.signals > 1)
		end();
	if (watchdog.open)
		watchdog.events->signalled(watchdog.arg);
	if (!watchdog.ticking)
		set_clock();
	errno = error;
}

void watchdog_falls(const char *program)
{
	static char space[64 * 1024];
	const stack_t stack = {.ss_sp = space, .ss_size = sizeof(space)};
	struct sigaction fall = {.sa_handler = on_overflow, .sa_flags = SA_ONSTACK | SA_NODEFER};

	snprintf(watchdog.front, sizeof(watchdog.front), "%s", program);
	sigemptyset(&fall.sa_mask);
	if (sigaltstack(&stack, NULL) == 0)
		sigaction(SIGSEGV, &fall, NULL);
}

void watchdog_start(const char *program, double wait_s, const struct watchdog_events *events,
		    void *arg)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART},
			 told = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	watchdog_falls(program);
	watchdog.events = events;
	watchdog.arg = arg;
	watchdog.wait_us = wait_s < 0 ? -1 : (long)(wait_s * 1e6);
	watchdog.tick_us = TICK_US;
	if (wait_s >= 0 && watchdog.wait_us / 4 < TICK_US)
		watchdog.tick_us =
		    watchdog.wait_us / 4 > TICK_LEAST_US ? watchdog.wait_us / 4 : TICK_LEAST_US;
	watchdog.open = 1;
	/* One handler does not interrupt another. */
	sigaddset(&tick.sa_mask, SIGINT);
	sigaddset(&tick.sa_mask, SIGTERM);
	sigaddset(&tick.sa_mask, SIGHUP);
	told.sa_mask = tick.sa_mask;
	sigaddset(&told.sa_mask, SIGALRM);
	sigaction(SIGALRM, &tick, NULL);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &told, NULL);
}

void watchdog_close(void)
{
	watchdog.open = 0;
}

void watchdog_enter(const char *option)
{
	watchdog.running = option[1];
	watchdog.runs++;
	if (!watchdog.ticking && (watchdog.signals || watchdog.wait_us >= 0) && watchdog.open)
		set_clock();
}

void watchdog_leave(void)
{
	watchdog.running = 0;
}
