/* The states of a member (enum member_state), and what it should have. It keeps each loop's count
 * of its members by state, and it knows nothing of what a member does in one. For the thread that
 * owns the loop. */
#ifndef HUBBENCH_BENCH_MEMBER_H
#define HUBBENCH_BENCH_MEMBER_H

#include "load/load.h"

/* An idle member that opens at wake_ns; bench_member_free() gives back what it holds, not *m. */
void bench_member_init(struct loop *l, struct member *m, uint32_t client, uint64_t wake_ns);
void bench_member_free(struct member *m);

void bench_member_set(struct loop *l, struct member *m, enum member_state state);

/* Closes its connection without a word; it opens again at wake_ns. */
void bench_member_drop(struct loop *l, struct member *m, uint64_t wake_ns);

/* It did not get where it wanted, or lost its place: why, as one phrase. Closes its connection; it
 * tries again, later and later, or is given up. */
void bench_member_fail(struct loop *l, struct member *m, const char *why);

/* Sends a text. Afterwards its connection may be closed: then conn.fd is -1. */
void bench_member_say(struct loop *l, struct member *m, const char *text, size_t len);

/* --- bench_member_audit.c: what it should have */

/* It is one now: its streams begin, or go on. Out of memory ends the program. */
void bench_member_start_streams(struct loop *l, struct member *m);

/* Whether it has all that it is to get. */
bool bench_member_settled(const struct loop *l, const struct member *m);

/* The end of its part in the audit, and of its streams. left: nobody knows what it would have got.
 */
void bench_member_audit(struct loop *l, struct member *m, bool left);

#endif
