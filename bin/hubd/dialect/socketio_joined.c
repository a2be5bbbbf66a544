/* What a client is told that is in a namespace now, or in a room of it, or again. One that has come
 * back is told so when it has had all that it has missed, in the namespace and in its rooms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/comeback.h"
#include "dialect/socketio_impl.h"
#include "member/trail.h"
#include "wire/id.h"

/* --- places */

static size_t put_place(const struct seat *seat, char *out)
{
	struct log_place place = session_place(seat->m.session, seat->m.cursor - 1);

	*out = '\0';
	return seat->m.catchup ? 0 : place_text(&place, out);
}

/* The place of who is in rooms, as of the last record that he has had. */
static int put_places(struct buf *b, const struct seat *above)
{
	const struct seat *last = seat_trail(above) ? trail_last(above) : above;
	char room[PLACE_MAX] = "", text[PLACE_MAX];

	if (last != above)
		put_place(last, room);
	put_place(above, text);
	return buf_printf(b, "\"%s/%s\"", room, text);
}

static int put_offset(struct buf *b, const struct seat *above)
{
	int r = buf_puts(b, ",");

	return r == 0 ? put_places(b, above) : r;
}

/* As its seq, which is a number in records, and nobody else's to say. */
int socketio_place(struct buf *out, const struct seat *seat)
{
	const struct seat *above = seat->above ? seat->above : seat;
	struct socketio *io = socketio_of(seat->conn);
	char text[PLACE_MAX];
	int r;

	if (!io || !io->offsets || (!above->rooms && above->m.catchup))
		return 0;
	r = buf_puts(out, ",\"seq\":");
	if (r == 0 && above->rooms)
		return put_places(out, above);
	put_place(above, text);
	return r == 0 ? buf_printf(out, "\"%s\"", text) : r;
}

/* A rule has put it into a room. */
static void greet_room(struct conn *c, struct seat *seat, const struct session_joined *joined)
{
	const struct session *above = seat->above->m.session;
	struct buf *b = worker_scratch(c->worker);
	int r = buf_puts(b, "2");

	if (r == 0)
		r = socketio_put_place(b, above->id, above->id_len);
	if (r == 0)
		r = buf_printf(
		    b,
		    "[\"hub:joined\",{\"session_id\":\"%s\",\"seq\":%ju,\"recovered\":%s,"
		    "\"snapshot\":%ju,\"user_count\":%u}",
		    seat->m.session->id, (uintmax_t)joined->seq,
		    joined->recovered ? "true" : "false", (uintmax_t)joined->snapshot,
		    joined->user_count);
	if (r == 0 && socketio_of(c)->offsets)
		r = put_offset(b, seat->above);
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "]") : r);
	if (joined->gap_to)
		deliver_gap(seat, joined->since + 1, joined->gap_to);
}

/* A new one to come back with, to here. */
static size_t make_pid(const struct conn *c, const struct log_place *place, char pid[PID_MAX])
{
	char *end = pid + RESUME_LEN;

	comeback_token(c, c->id, pid);
	end += snprintf(end, 11, ".%08x.", c->born);
	end += place_text(place, end);
	return (size_t)(end - pid);
}

static void greet(struct conn *c, struct seat *seat, const char *pid, size_t len)
{
	struct buf *b = worker_scratch(c->worker);
	char client[ID_LEN + 1];
	int r = buf_puts(b, "0");

	id_text(c->id, client);
	if (r == 0)
		r = socketio_put_place(b, seat->m.session->id, seat->m.session->id_len);
	if (r == 0)
		r = buf_printf(b, "{\"sid\":\"%s\"", client);
	if (r == 0 && len)
		r = buf_printf(b, ",\"pid\":\"%.*s\"", (int)len, pid);
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "}") : r);
}

/* Of one that comes back with the seat, or NULL. */
static struct socketio_back **find_back(struct conn *c, const struct seat *seat)
{
	struct socketio *io = socketio_of(c);
	struct socketio_back **link = io ? &io->back : NULL;

	while (link && *link && (*link)->seat != seat)
		link = &(*link)->next;
	return link && *link ? link : NULL;
}

/* A rule has put it there, or it comes back to it. */
static void room_joined(struct conn *c, struct seat *seat, const struct session_from *from,
			const struct session_joined *joined)
{
	struct socketio_back **link = find_back(c, seat->above);
	bool back = link && (*link)->rooms && !(*link)->restored;

	if (socketio_of(c)->offsets)
		trail_enter(seat, back && joined->recovered ? from->since + 1 : 0);
	if (!back)
		greet_room(c, seat, joined);
	else if (joined->recovered)
		seat->awaited = true;
	else
		(*link)->fresh = true;
}

void socketio_joined(struct conn *c, struct seat *seat, const struct session_from *from,
		     const struct session_joined *joined)
{
	struct log_place place = session_place(seat->m.session, joined->seq);
	struct socketio *io = socketio_of(c);
	char pid[PID_MAX];

	if (!io)
		return;
	if (seat->above) {
		room_joined(c, seat, from, joined);
		return;
	}
	io->joins++;
	if (joined->recovered && io->back && !io->back->seat) {
		io->back->seat = seat;
		seat->awaited = true;
		if (io->back->rooms) {
			seat->returned = seat->rooms = true;
			trail_begin(seat, from->since + 1);
		}
		return;
	}
	socketio_drop_pid(io);
	greet(c, seat, pid, io->offsets ? make_pid(c, &place, pid) : 0);
	if (joined->gap_to)
		deliver_gap(seat, joined->since + 1, joined->gap_to);
}

static bool is_awaited(const struct conn *c, const struct seat *above)
{
	for (const struct seat *seat = c->seats; seat; seat = seat->next)
		if (seat->awaited && (seat == above || seat->above == above))
			return true;
	return false;
}

/* It is told when it has had all, of its rooms, too. */
static void greet_if_done(struct conn *c, struct seat *seat)
{
	struct socketio_back **link = find_back(c, seat), *back = link ? *link : NULL;

	if (!back || (back->rooms && !back->restored) || is_awaited(c, seat))
		return;
	*link = back->next;
	if (back->len) {
		greet(c, seat, back->pid, back->len);
	} else {
		struct log_place place = session_place(seat->m.session, seat->m.cursor - 1);
		char pid[PID_MAX];

		greet(c, seat, pid, make_pid(c, &place, pid));
	}
	free(back);
}

void socketio_at_head(struct conn *c, struct seat *seat)
{
	greet_if_done(c, seat->above ? seat->above : seat);
}

/* In all or in none: what has become of them otherwise its rules know. */
void socketio_restored(struct conn *c, struct seat *seat)
{
	struct socketio_back **link = seat ? find_back(c, seat) : NULL;
	struct seat *room, *next;
	unsigned n = 0;

	if (!link)
		return;
	for (room = c->seats; room; room = room->next)
		n += room->above == seat;
	for (room = c->seats; room && (n < (*link)->rooms || (*link)->fresh); room = next) {
		next = room->next;
		if (room->above == seat)
			seat_free(room);
	}
	if (n < (*link)->rooms || (*link)->fresh) {
		trail_leave(seat);
		(*link)->len = 0;
	}
	seat->returned = false;
	(*link)->restored = true;
	greet_if_done(c, seat);
}

/* State is older than where it began: a client that comes back must not come back to there. */
void socketio_caught_up(struct conn *c, struct seat *seat)
{
	const struct seat *above = seat->above ? seat->above : seat;
	struct socketio *io = socketio_of(c);
	char text[PLACE_MAX];
	struct buf *b;
	int r;

	if (!io || !io->offsets)
		return;
	trail_go(seat);
	b = worker_scratch(c->worker);
	r = buf_puts(b, "2");
	if (r == 0)
		r = socketio_put_place(b, above->m.session->id, above->m.session->id_len);
	if (r == 0)
		r = buf_puts(b, "[\"hub:place\"");
	if (r == 0 && above->rooms) {
		r = put_offset(b, above);
	} else if (r == 0) {
		put_place(above, text);
		r = buf_printf(b, ",\"%s\"", text);
	}
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "]") : r);
}
