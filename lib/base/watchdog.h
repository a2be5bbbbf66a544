/* Signals, and what ends the program where its loop cannot: a jq program that runs for ever keeps
 * the loop from turning, and one that makes what is nested too deep overflows the stack. One for
 * the process, since signals know no other. */
#ifndef HUB_WATCHDOG_H
#define HUB_WATCHDOG_H

#define WATCHDOG_GRACE_S 2 /* for a jq program that runs when a signal comes */

/* Both are run in signal handlers, and may do what signal-safety(7) allows. */
struct watchdog_events {
	void (*signalled)(void *arg); /* the first signal has come: the loop is to be told */
	void (*dying)(void *arg);     /* the process ends right behind this; NULL: no matter */
};

/* Takes SIGINT, SIGTERM and SIGHUP. The first is told; the second ends the process with 1. So does
 * a jq program that has not ended wait_s seconds after it began (negative: for ever), or
 * WATCHDOG_GRACE_S after the first signal; not sooner, but it may be half as much later. program,
 * the name for messages, and events live for ever. */
void watchdog_start(const char *program, double wait_s, const struct watchdog_events *events,
		    void *arg);

/* The part of it for who has no loop: where the stack overflows in a jq program, the process ends
 * with 1 and a word. In the main thread. */
void watchdog_falls(const char *program);

/* Tells no more. */
void watchdog_close(void);

/* Around each run of the jq program of that option, "-f" or another letter. Costs nothing but where
 * somebody waits for its end. */
void watchdog_enter(const char *option);
void watchdog_leave(void);

#endif
