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

#define JQ_LOST_MAX (8 << 20) /* bytes, about, that one program may lose */

/* What libjq held when it gave up has no owner any more. Counts that as what it is, about, for an
 * input of so many bytes of JSON. */
void jq_guard_lost(size_t *lost, size_t input);

/* Whether a program has lost so much that it is not to be run again; then why (cut at cap) says so.
 */
bool jq_guard_over(size_t lost, char *why, size_t cap);

#endif
