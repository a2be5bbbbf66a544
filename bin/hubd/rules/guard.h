/* Programs that run too long are ended: libjq looks at each of its steps whether it was halted, and
 * a timer of the thread's own CPU time does that. What no step ends is one call of a function that
 * libjq has in C (a regular expression, a sort). Costs a running program nothing. */
#ifndef HUBD_RULES_GUARD_H
#define HUBD_RULES_GUARD_H

#include <stdbool.h>

struct jq_state;

/* For the calling thread: jq is about to run. */
void guard_begin(struct jq_state *jq);

/* And has run. True where it was halted: it had RULES_CPU_MS / 2 at least. */
bool guard_end(void);

#endif
