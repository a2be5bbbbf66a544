/* What operators have set, in words that outlive the hub: JSON, with the fields of steering. */
#ifndef HUBD_KEPT_H
#define HUBD_KEPT_H

#include "auth/ended.h"
#include "dialect/steering.h"

/* How an order is called that takes the place of an earlier one of that name, and what it says;
 * that is empty where it only ends one. limits: a session's, of STEER_LIMIT. Appends; 0 or -ENOMEM.
 */
int kept_put(struct buf *name, struct buf *value, const struct steering *st,
	     const struct session_limits *limits);

/* The same for those whose tokens have died: a user, or n clients. */
int kept_put_ended(struct buf *name, struct buf *value, struct span user, const uint64_t *clients,
		   size_t n, uint64_t at_ms);

/* Reads that again, into ended; ttl_ms as ended_client(). Returns 1, 0 where the value is about
 * something else, -EINVAL for what is none. */
int kept_read_ended(struct ended *ended, struct span value, uint64_t ttl_ms);

/* Reads how a ban is called, for one that is no more: st->verb is STEER_UNBAN. Whose tokens have
 * died, as one who is sent away: STEER_CLOSE; of clients the i-th, from 0 on. False for what is
 * none. */
bool kept_read_name(struct steering *st, struct span name);
bool kept_read_gone(struct steering *st, struct span value, size_t i);

/* Reads whom another hub sends away just now: STEER_CLOSE. False where it is about something else.
 */
bool kept_read_close(struct steering *st, struct span value);

/* Reads what another hub asks for: STEER_CONNECTIONS. The same. */
bool kept_read_list(struct steering *st, struct span value);

/* Reads what it says: st->verb is STEER_BAN or STEER_LIMIT. False for what is none. */
bool kept_read(struct steering *st, struct span value);

#endif
