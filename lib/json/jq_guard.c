/* Invariant: `fence` is not NULL exactly while its thread is in jq_guard(), in whose frame it
 * points; the handlers run in the thread that has fallen. */
#include "json/jq_guard.h"

#include <assert.h>
#include <jv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

struct fence {
	sigjmp_buf back;
	char *why;
	size_t cap;
};

static _Thread_local struct fence *fence;

/* What assert() calls, in libjq too, for ours is found before that of libc. */
void __assert_fail(const char *what, const char *file, unsigned line, const char *function)
{
	if (fence) {
		snprintf(fence->why, fence->cap, "libjq: %s: Assertion `%s' failed", function,
			 what);
		siglongjmp(fence->back, 1);
	}
	fprintf(stderr, "%s:%u: %s: Assertion `%s' failed\n", file, line, function, what);
	abort();
}

/* What was blocked for the handler is so no more: it does not return. */
static void on_division(int signum, siginfo_t *info, void *context)
{
	(void)info;
	if (fence) {
		pthread_sigmask(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, NULL);
		snprintf(fence->why, fence->cap, "libjq: a division that has no result");
		siglongjmp(fence->back, 1);
	}
	signal(signum, SIG_DFL);
	raise(signum);
}

/* What libjq calls before it would end the process for lack of memory. */
static void on_no_memory(void *arg)
{
	(void)arg;
	if (fence) {
		snprintf(fence->why, fence->cap, "libjq: out of memory");
		siglongjmp(fence->back, 1);
	}
}

static void install(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;
	static _Thread_local bool told; /* libjq's handler is a thread's own */
	struct sigaction act = {.sa_sigaction = on_division, .sa_flags = SA_SIGINFO};

	if (!told)
		jv_nomem_handler(on_no_memory, NULL);
	told = true;
	if (atomic_flag_test_and_set(&done))
		return;
	sigemptyset(&act.sa_mask);
	sigaction(SIGFPE, &act, NULL);
}

bool jq_guard(void (*run)(void *arg), void *arg, char *why, size_t cap)
{
	struct fence here = {.why = why, .cap = cap};

	install();
	if (sigsetjmp(here.back, 0) != 0) {
		fence = NULL;
		return false;
	}
	fence = &here;
	run(arg);
	fence = NULL;
	return true;
}

#define LOST_LEAST 1024 /* for each time: what libjq had made of its own */
#define LOST_PART 8	/* for each byte of JSON: a value has 16, and what is around it */

void jq_guard_lost(size_t *lost, size_t input)
{
	*lost += LOST_LEAST + LOST_PART * (input < JQ_LOST_MAX ? input : JQ_LOST_MAX);
}

bool jq_guard_over(size_t lost, char *why, size_t cap)
{
	if (lost <= JQ_LOST_MAX)
		return false;
	snprintf(why, cap,
		 "libjq gave up in the program so often that it is not run any more: that loses "
		 "memory");
	return true;
}
