/* Invariant: `running` is not NULL exactly while its thread is between guard_begin() and
 * guard_end(); the handler runs in that thread, too. */
#include "rules/guard.h"

#include <jq.h>
#include <jv.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "rules/rules.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

struct guard {
	_Atomic(struct jq_state *) running;
	atomic_uint ticks; /* while it ran */
	atomic_bool halted;
	bool armed;
};

/* A signal has no other way to its thread's. */
static _Thread_local struct guard guard;

static void on_tick(int signum)
{
	struct jq_state *jq = atomic_load(&guard.running);

	(void)signum;
	if (!jq || atomic_load(&guard.halted) || atomic_fetch_add(&guard.ticks, 1) == 0)
		return;
	atomic_store(&guard.halted, true);
	jq_halt(jq, jv_invalid(), jv_invalid()); /* sets fields of it, no more */
}

/* The timer ticks for as long as the thread lives, but only while it works. Without one, rules
 * run without an end; that is said to nobody, since it takes a kernel without timers. */
static void arm(void)
{
	struct sigaction act = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM};
	const long half = RULES_CPU_MS / 2 * 1000000L;
	struct itimerspec every = {.it_interval = {.tv_nsec = half}, .it_value = {.tv_nsec = half}};
	timer_t timer;

	guard.armed = true;
	sigemptyset(&act.sa_mask);
	event.sigev_notify_thread_id = gettid();
	if (sigaction(SIGVTALRM, &act, NULL) == 0 &&
	    timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0)
		timer_settime(timer, 0, &every, NULL);
}

void guard_begin(struct jq_state *jq)
{
	if (!guard.armed)
		arm();
	atomic_store_explicit(&guard.ticks, 0, memory_order_relaxed);
	atomic_store_explicit(&guard.halted, false, memory_order_relaxed);
	atomic_store_explicit(&guard.running, jq, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

bool guard_end(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&guard.running, NULL, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(&guard.halted, memory_order_relaxed);
}
