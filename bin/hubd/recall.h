/* What operators have set before this hub was started, and its store has kept. */
#ifndef HUBD_RECALL_H
#define HUBD_RECALL_H

#include <stdint.h>

struct members;
struct store;

/* Sets it again, before anybody is there. resume_ms: how long a resume token is good; 0: for ever.
 * What cannot be set is said; 0, or -EIO after saying why.
 */
int recall(struct store *store, const char *file, struct members *members, uint64_t resume_ms);

#endif
