/* What to make of a run: one word and one reason, from the figures alone. */
#ifndef HUBBENCH_VERDICT_H
#define HUBBENCH_VERDICT_H

#include "report/result.h"

/* What the result itself does not hold. */
struct verdict_facts {
	uint64_t unsent;  /* messages due that never went out */
	uint64_t unasked; /* members that the server dropped */
	uint64_t broken;  /* members whose session is another one now */
	uint64_t behind;  /* deliveries under way at the end of measuring */
	uint64_t away;	  /* members that were lost, and are not back */
	bool cluster;	  /* members are to be lost, but nothing else */
	bool trend;	  /* the server's memory is not to grow */
	bool cut_off;	  /* what is lost may have been under way when the wait for it ended */
};

/* Sets r->verdict and its reason. The first that applies:
 *
 * failed: messages were lost, and nobody said so; members saw them in different orders; the server
 * refused every single one; clients could not connect; or, where the scenario looks at it, the
 * server's memory grows, members do not come back, or were told that they have missed something.
 *
 * generator-bound: hubbench itself may have been the limit. Its busiest thread used more than 85 %
 * of a CPU in the middle one of all seconds; or, in the open model, 1 % of what it had to do was
 * done later than 5 ms after its time, and later than a quarter of the P99 that was measured.
 *
 * saturated: the server took less than was offered. Less than 99 % of the messages that were due
 * went out while measuring; some never did; or at its end more deliveries were under way than one
 * second brings, and more than 1 % of all; or it dropped members.
 *
 * ok: none of this. */
void verdict_make(struct result *r, const struct verdict_facts *f);

#endif
