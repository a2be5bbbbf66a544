/* A connection's seats. Invariant: a linked seat is a member of its session and one of the
 * session's users. */
#include <stdlib.h>
#include <string.h>

#include "member/member.h"
#include "member/watch.h"

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

uint32_t seat_free(struct seat *seat)
{
	struct worker *w = seat->conn->worker;
	struct session *s = seat->m.session;
	uint32_t left;

	seat_unlink(seat);
	left = session_leave(&seat->m);
	registry_release(w->members->registry, s, worker_now_ms(w));
	free(seat);
	return left;
}

void seat_reap(struct worker *w, struct turn_entry *e)
{
	struct conn *c = (struct conn *)(void *)((char *)e - offsetof(struct conn, reap));

	(void)w;
	while (c->seats)
		seat_free(c->seats);
	watch_stop(c);
	conn_end(c);
}
