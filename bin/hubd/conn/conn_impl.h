/* What the files of the connection share; private to the room. */
#ifndef HUBD_CONN_IMPL_H
#define HUBD_CONN_IMPL_H

#include "conn/conn.h"

/* --- conn_self.c */

/* Counts it as the user's. Returns 0 or -EBUSY. */
int conn_share_take(struct conn *c, const struct identity *id);

/* At its end: it is nobody any more. */
void conn_self_free(struct conn *c);

/* --- conn_input.c */

/* Made where there is none; NULL: no memory. */
struct conn_input *conn_input(struct conn *c);

/* Gives it up where nothing is in it; in any case. */
void conn_input_shrink(struct conn *c);
void conn_input_free(struct conn *c);

/* Something has changed that pauses it or not. */
void conn_set_paused(struct conn *c);

/* --- conn.c */

/* Looks at its timers, which may be due earlier now. */
void conn_check(struct conn *c);

/* --- conn_log.c */

/* conn_peer() where it counts for that address; else false. */
bool conn_counts(struct conn *c, struct address *a);

#endif
