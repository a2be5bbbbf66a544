/* What the files of the member room share; private to them. */
#ifndef HUBD_MEMBER_IMPL_H
#define HUBD_MEMBER_IMPL_H

#include "member/member.h"
#include "member/select_impl.h"

/* --- seat.c */

static inline struct seat *seat_of(struct member *m)
{
	return (struct seat *)m;
}

/* Of a room the session above, or NULL. */
static inline const char *seat_above(const struct seat *seat)
{
	return seat->above ? seat->above->m.session->id : NULL;
}

/* Makes it the first of the connection's. */
void seat_link(struct conn *c, struct seat *seat);
void seat_unlink(struct seat *seat);

/* It has just become a member. */
void seat_count(const struct seat *seat);

/* --- ticks.c */

/* From now on it gets what that selects (NULL: all): takes references of its own. Returns 0 or
 * -ENOMEM, then it has no tick, or nothing has changed. */
int seat_select(struct seat *seat, struct selection *sel);

/* --- wake.c */

/* Flushes s to the members of this worker. */
void deliver_wake(struct worker *w, struct session *s);

/* --- deliver.c */

/* As far as the door takes it, sends what is queued. */
void deliver_queue(struct conn *c);

/* The same, and then what the seat may read of the view. */
void deliver_seat(struct seat *seat, struct log_view *view);

/* Gives a view up once what was written from it has left. */
void deliver_drop_view(struct worker *w, struct log_view *view);

/* Of one that waits for its tick: what of that does not wait. */
void deliver_ahead(struct seat *seat);

/* The same up to the head, for one that waited. */
void deliver_now(struct seat *seat);

/* --- direct.c */

/* What another hub sends, for members here; events.direct. */
void direct_from_afar(struct session *s, uint64_t client, struct span user, struct span text);

/* The connection's queue has left: what was in it of messages to its seats alone is taken. */
void direct_taken(struct conn *c);

#endif
