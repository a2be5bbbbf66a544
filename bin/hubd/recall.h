/* What operators have set before this hub was started, and its store has kept, or at another hub.
 */
#ifndef HUBD_RECALL_H
#define HUBD_RECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "json/envelope.h"

struct members;
struct store;
struct workers;

/* Sets it again, before anybody is there. resume_ms: how long a resume token is good; 0: for ever.
 * What cannot be set is said; 0, or -EIO after saying why.
 */
int recall(struct store *store, const char *file, struct members *members, uint64_t resume_ms);

struct recall {
	struct members *members;
	struct workers *workers;
	uint64_t resume_ms;
};

/* What came from other hubs, as kept_put() writes it: sets it here, or ends it; or as of
 * absent_heard(). news: just now, so that those whom it is about are sent away. For any thread. */
void recall_heard(const struct recall *to, struct span name, struct span value, uint64_t until_ms,
		  bool news);

#endif
