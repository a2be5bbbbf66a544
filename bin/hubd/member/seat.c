/* A connection's seats. Invariants: a linked seat is a member of its session and one of the
 * session's users; rooms stand before the seat above them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "member/member_impl.h"
#include "member/trail.h"
#include "member/watch.h"
#include "session/members.h"

static bool is_called(const struct seat *seat, struct span id)
{
	const struct session *s = seat->m.session;

	return s->id_len == id.len && memcmp(s->id, id.p, id.len) == 0;
}

struct seat *seat_find(const struct conn *c, struct span id)
{
	struct seat *seat = c->seats;

	while (seat && (seat->leaving || (id.p && !is_called(seat, id))))
		seat = seat->next;
	return seat;
}

struct seat *seat_find_any(const struct conn *c, struct span id)
{
	struct seat *seat = c->seats;

	while (seat && !is_called(seat, id))
		seat = seat->next;
	return seat;
}

void seat_link(struct conn *c, struct seat *seat)
{
	seat->next = c->seats;
	c->seats = seat;
}

void seat_unlink(struct seat *seat)
{
	struct seat **link = &seat->conn->seats;

	while (*link != seat)
		link = &(*link)->next;
	*link = seat->next;
}

void seat_count(const struct seat *seat)
{
	const struct conn *c = seat->conn;

	counter_add_at(&c->worker->counters, members, c->door->counted, 1);
	counter_add_at(&c->worker->counters, joins, c->door->counted, 1);
}

uint32_t seat_free(struct seat *seat)
{
	struct worker *w = seat->conn->worker;
	struct session *s = seat->m.session;
	struct seat *room = seat->rooms ? seat->conn->seats : NULL, *next;
	uint32_t left;

	for (; room; room = next) {
		next = room->next;
		if (room->above == seat)
			seat_free(room);
	}
	trail_leave(seat);
	seat_unlink(seat);
	counter_sub_at(&w->counters, members, seat->conn->door->counted, 1);
	interest_drop(seat);
	seat_select(seat, NULL);
	free(seat->more);
	left = session_leave(&seat->m);
	registry_release(w->members->registry, s, worker_now_ms(w));
	free(seat);
	return left;
}

void seat_reap(struct worker *w, struct turn_entry *e)
{
	struct conn *c = (struct conn *)(void *)((char *)e - offsetof(struct conn, reap));

	(void)w;
	if (c->seats && !c->gone && c->door->dialect->parting)
		c->door->dialect->parting(c);
	if (c->door->dialect->ending)
		c->door->dialect->ending(c);
	while (c->seats)
		seat_free(c->seats);
	watch_stop(c);
	conn_end(c);
}
