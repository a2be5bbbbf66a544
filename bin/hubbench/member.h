/* A connection as a member: what dialects tell of it, and what is counted. For the loop that owns
 * it. */
#ifndef HUBBENCH_MEMBER_H
#define HUBBENCH_MEMBER_H

#include "loop.h"

/* The server has taken it in. timed: it was asked and has answered. */
void member_joined(struct loop *l, struct conn *c, bool timed);

/* The member goes for good; another comes in its place. */
void member_leave(struct loop *l, struct conn *c);
void member_left(struct loop *l, struct conn *c); /* and has got all that was for it */

/* A message of ours has come, for the first time. */
void member_deliver(struct loop *l, struct conn *c, const struct mark *m);

/* The server has answered its message of that number. */
void member_acked(struct loop *l, struct conn *c, uint64_t number);

/* The server has refused a message of its; NEVER: it does not say which. */
void member_refused(struct loop *l, struct conn *c, uint64_t number, const char *code);

/* Whether it has all that it is to get. */
bool member_settled(const struct loop *l, const struct conn *c);

/* The end of its part in the audit. left: nobody knows what it would have got. */
void member_audit(struct loop *l, struct conn *c, bool left);

#endif
