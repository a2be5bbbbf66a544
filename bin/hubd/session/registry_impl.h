/* The registry in its parts; private to them: registry_sweep.c calls registry.c, and that
 * registry_list.c. All but the first under the registry's lock. */
#ifndef HUBD_REGISTRY_IMPL_H
#define HUBD_REGISTRY_IMPL_H

#include "session/registry.h"
#include "session/session_impl.h"

#define REGISTRY_STEP 64 /* sessions between two looks at the clock */

/* --- registry_list.c */
void registry_list_init(struct registry *r);
void registry_list_news(struct registry *r, struct span id); /* of another hub */
void registry_list_append(struct registry *r, struct session *s);
void registry_list_remove(struct registry *r, struct session *s);

/* --- registry.c */

/* Out of the list of idle sessions; of those with state that goes in time. */
void registry_idle_unlink(struct registry *r, struct session *s);
void registry_timed_unlink(struct registry *r, struct session *s);

/* Takes out the session that has been idle longest, of those that have been for ttl_ms and do not
 * have to wait for the archive; NULL: none of the first few. The reference is the caller's to give
 * up without the lock. */
struct session *registry_take_idle(struct registry *r, uint64_t now_ms, uint64_t ttl_ms);

#endif
