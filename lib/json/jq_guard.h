/* libjq 1.6 ends the process where it finds what it did not think of: an assertion, a division that
 * traps, no memory. Within this that is a failure of the call alone.
 *
 * What is not caught is a stack that overflows, as by what is nested a hundred thousand deep: there
 * nothing in the process can be relied on any more. */
#ifndef HUB_JQ_GUARD_H
#define HUB_JQ_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* Calls run(arg). False where libjq gave up in it, with what it says in why (cut at cap): then run
 * did not return, and what it held is lost; a jq_state is good for jq_start(). Not nested. For any
 * thread. */
bool jq_guard(void (*run)(void *arg), void *arg, char *why, size_t cap);

#endif
