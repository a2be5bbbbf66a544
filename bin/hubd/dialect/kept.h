/* What operators have set, in words that outlive the hub: JSON, with the fields of steering. */
#ifndef HUBD_KEPT_H
#define HUBD_KEPT_H

#include "dialect/steering.h"

/* How an order is called that takes the place of an earlier one of that name, and what it says;
 * that is empty where it only ends one. limits: a session's, of STEER_LIMIT. Appends; 0 or -ENOMEM.
 */
int kept_put(struct buf *name, struct buf *value, const struct steering *st,
	     const struct session_limits *limits);

/* Reads what it says: st->verb is STEER_BAN or STEER_LIMIT. False for what is none. */
bool kept_read(struct steering *st, struct span value);

#endif
