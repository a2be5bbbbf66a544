/* Members whose area moves. Invariant: what a member has been told is in its area just before its
 * cursor, and all of it; so the cells that it enters are looked at as of one record, and it has the
 * new area from that one on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "member/member_impl.h"
#include "member/select_impl.h"
#include "session/seek.h"

struct interest {
	struct selection *to;	   /* a reference: what was asked for last; NULL with !asked */
	struct selection *turning; /* the same of one that has begun */
	bool asked, begun;
	uint64_t at;	     /* where begun: behind that record */
	struct chunk *state; /* a reference: n records; NULL where n is 0 */
	uint64_t n;
	struct interest_left left;
	int status; /* of making that */
	struct buf msg_id, turn_id;
};

/* --- what has left */

int interest_left_add(struct interest_left *left, struct span type, struct span key)
{
	bool quoted = key.len && *key.p == '"';
	bool same = left->n && left->type_len == type.len &&
		    memcmp(left->text.data + left->type_at, type.p, type.len) == 0;
	struct buf *b = &left->text;
	int r = 0;

	if (!same) {
		r = buf_puts(b, left->n ? "]},{\"type\":" : "[{\"type\":");
		left->type_at = b->len;
		left->type_len = type.len;
		if (r == 0)
			r = buf_put(b, type.p, type.len);
		if (r == 0)
			r = buf_puts(b, ",\"keys\":[");
	} else {
		r = buf_puts(b, ",");
	}
	left->n++;
	if (r == 0 && !quoted)
		r = buf_puts(b, "\"");
	if (r == 0)
		r = buf_put(b, key.p, key.len);
	return r == 0 && !quoted ? buf_puts(b, "\"") : r;
}

int interest_left_end(struct interest_left *left)
{
	return buf_puts(&left->text, left->n ? "]}]" : "[]");
}

/* --- the seat's */

static void let_go(struct interest *in)
{
	select_unref(in->turning);
	chunk_unref(in->state);
	buf_free(&in->left.text);
	in->turning = NULL;
	in->state = NULL;
	in->left = (struct interest_left){0};
	in->begun = false;
	in->n = 0;
}

void interest_drop(struct seat *seat)
{
	struct interest *in = seat_interest(seat);

	if (!in)
		return;
	let_go(in);
	select_unref(in->to);
	buf_free(&in->msg_id);
	buf_free(&in->turn_id);
	free(in);
	seat->more->interest = NULL;
}

uint64_t interest_at(const struct seat *seat)
{
	const struct interest *in = seat_interest(seat);

	return in && in->begun ? in->at : INTEREST_NOT_YET;
}

static void say_entered(struct seat *seat, uint64_t n, struct span msg_id, bool overtaken)
{
	struct conn *c = seat->conn;
	struct buf *b = worker_scratch(c->worker);

	if (c->door->dialect->area_entered)
		conn_send_scratch(
		    c, b,
		    c->door->dialect->area_entered(b, seat->m.session->id, n, msg_id, overtaken));
	else
		worker_scratch_done(c->worker, b);
}

static void say_left(struct seat *seat, struct interest_left *left)
{
	struct conn *c = seat->conn;
	struct buf *b;

	if (!left->n || !c->door->dialect->area_left)
		return;
	b = worker_scratch(c->worker);
	conn_send_scratch(
	    c, b,
	    c->door->dialect->area_left(b, seat->m.session->id,
					(struct span){left->text.data, left->text.len}));
}

/* A record of the state leaves. */
static void leave(struct state_look look, void *arg)
{
	struct interest *in = arg;
	struct buf text = {0};
	size_t type_len;

	if (in->status < 0)
		return;
	in->status = buf_put_json(&text, look.type.p, look.type.len);
	type_len = text.len;
	if (in->status == 0)
		in->status = buf_put_json(&text, look.key.p, look.key.len);
	if (in->status == 0)
		in->status =
		    interest_left_add(&in->left, (struct span){text.data, type_len},
				      (struct span){text.data + type_len, text.len - type_len});
	buf_free(&text);
}

static void begin(struct seat *seat)
{
	struct interest *in = seat->more->interest;
	struct session *s = seat->m.session;
	struct session_entered entered;
	struct buf id = in->msg_id;

	in->turning = in->to;
	in->to = NULL;
	in->asked = false;
	in->begun = true;
	in->msg_id = in->turn_id;
	in->turn_id = id;
	in->msg_id.len = 0;
	pthread_mutex_lock(&s->lock);
	in->status = session_enter(s, select_area(seat_selection(seat)), select_area(in->turning),
				   leave, in, &entered);
	pthread_mutex_unlock(&s->lock);
	in->at = entered.head;
	in->state = entered.state;
	in->n = entered.n;
	if (in->status == 0 && in->left.n)
		in->status = interest_left_end(&in->left);
	if (in->status < 0)
		conn_close(seat->conn, CLOSE_INTERNAL, "out of memory");
}

void interest_begin(struct seat *seat)
{
	if (seat->more->interest->asked && !seat->more->interest->begun)
		begin(seat);
}

/* As soon as it may. */
static void begin_or_wait(struct seat *seat)
{
	struct conn *c = seat->conn;

	if (seat_pace(seat)) {
		pace_due(c->worker, seat_pace(seat));
		return;
	}
	begin(seat);
	c->flush_seats = true;
	worker_later(c->worker, TURN_CONNECTIONS, &c->flush);
}

/* The message that had that msg_id is not answered for itself. */
static void overtake(struct seat *seat, struct buf *id)
{
	if (id->len)
		say_entered(seat, 0, (struct span){id->data, id->len}, true);
	id->len = 0;
}

/* A message that changes nothing is answered now, or where one is under way (id is of that) with
 * it. */
static enum hub_code name(struct seat *seat, struct buf *id, struct span msg_id)
{
	if (!msg_id.len)
		return HUB_OK;
	if (!id) {
		say_entered(seat, 0, msg_id, false);
		return HUB_OK;
	}
	overtake(seat, id);
	return buf_put(id, msg_id.p, msg_id.len) == 0 ? HUB_OK : HUB_INTERNAL;
}

enum hub_code interest_say(struct seat *seat, const struct area *area, struct span msg_id)
{
	struct worker *w = seat->conn->worker;
	struct interest *in = seat_interest(seat);
	struct seat_more *more;
	struct selection *sel, *last;
	bool ok;

	sel = select_in(w, seat_selection(seat), area, &ok);
	if (!ok)
		return HUB_INTERNAL;
	last = in && in->asked ? in->to : in && in->begun ? in->turning : seat_selection(seat);
	if (sel == last || seat->blind) {
		select_unref(sel);
		return in && !seat->blind
			   ? name(seat, in->asked ? &in->msg_id : &in->turn_id, msg_id)
			   : name(seat, NULL, msg_id);
	}
	more = seat_more(seat);
	if (!in && more)
		in = more->interest = calloc(1, sizeof(*in));
	if (!in) {
		select_unref(sel);
		return HUB_INTERNAL;
	}
	overtake(seat, &in->msg_id);
	select_unref(in->to);
	in->to = sel;
	in->asked = true;
	if (buf_put(&in->msg_id, msg_id.p, msg_id.len) < 0)
		return HUB_INTERNAL;
	if (!in->begun)
		begin_or_wait(seat);
	return HUB_OK;
}

/* What it turned to it has now. */
static bool turned(struct seat *seat, uint64_t n)
{
	struct interest *in = seat->more->interest;
	struct span id = {in->turn_id.data, in->turn_id.len};

	if (seat_select(seat, in->turning) < 0) {
		conn_close(seat->conn, CLOSE_INTERNAL, "out of memory");
		return false;
	}
	say_entered(seat, n, id, false);
	let_go(in);
	if (in->asked)
		begin_or_wait(seat);
	else
		interest_drop(seat);
	return true;
}

bool interest_turn(struct seat *seat)
{
	struct interest *in = seat->more->interest;
	uint64_t n = in->n;

	if (seat->conn->closing)
		return false;
	if (seat->blind)
		return turned(seat, 0);
	say_left(seat, &in->left);
	seat->more->ahead = 0; /* it is behind that; of the state nothing has come */
	if (n) {
		struct chunk *state = in->state;

		n = in->turning ? select_count(in->turning, state, n) : n;
		in->state = NULL;
		if (member_catch_up(&seat->m, state, in->n, 0) < 0) {
			conn_close(seat->conn, CLOSE_INTERNAL, "out of memory");
			return false;
		}
	}
	return turned(seat, n);
}

void interest_skip(struct seat *seat)
{
	if (interest_at(seat) == INTEREST_NOT_YET)
		return;
	say_left(seat, &seat->more->interest->left);
	turned(seat, 0);
}
