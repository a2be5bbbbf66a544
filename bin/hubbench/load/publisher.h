/* Publishing: what is due goes out at its instant, or, where the socket takes no more, stays due
 * until it does; its instant stays as it is. For the loop that owns the publisher. */
#ifndef HUBBENCH_PUBLISHER_H
#define HUBBENCH_PUBLISHER_H

#include "load/load.h"

/* The loop's publishers begin, at run->start_ns. */
void publisher_start(struct loop *l);

/* Everything that is due. As all that sends, it may close connections: their members have failed.
 */
void publisher_due(struct loop *l);

/* Goes on where it had stopped: the connection takes bytes again, or messages were answered. */
void publisher_go(struct loop *l, struct publisher *p);

/* The connection is back: what has no ack goes out again first. */
void publisher_again(struct loop *l, struct publisher *p);

/* The oldest of its messages under way was answered (closed model). */
void publisher_answered(struct publisher *p);

/* Whether that makes it worth to go on: half a window at a time, so that neither side sends single
 * messages where many are under way. */
bool publisher_wants(const struct loop *l, const struct publisher *p);

/* Its message of that number has its ack: tells when it was due and sent. False: it had it before,
 * or was never sent. For runs with acks only. */
bool publisher_acked(struct publisher *p, uint64_t number, uint64_t *due_ns, uint64_t *sent_ns);
bool publisher_all_acked(const struct publisher *p);

/* Messages of the whole run that never went out; after the loop has ended. */
uint64_t publisher_rest(const struct loop *l);

/* Messages due before the instant and not handed to the kernel; exact or not as schedule_count().
 */
uint64_t publisher_backlog(const struct loop *l, uint64_t before_ns, bool exact);

#endif
