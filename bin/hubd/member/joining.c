/* Joining, and moving a seat, which both may need the archive first: then the connection is held,
 * and the same is tried again when the answer has come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "member/member_impl.h"
#include "member/trail.h"
#include "session/members.h"
#include "session/seek.h"

#define SEAT_NUMBERS ((1u << SEAT_NUMBER_BITS) - 1)
#define MSG_ID_ROOM (6 * ENVELOPE_MSG_ID_MAX + 2) /* all of it escaped, and its quotes */

/* A join under way. */
struct joining {
	struct archive_job job; /* first */
	struct conn *conn;
	struct session
	    *session; /* the join is one of its users; what a move is about is the seat's */
	struct session_from from;
	bool echo, hidden, ordered, settles;
	bool blind; /* it may not read */
	bool stays; /* the seat is there already, */
	bool knows; /* and has had all that it wants now */
	uint64_t ahead;
	bool granted;
	struct selection *select; /* of one that waits: a reference */
	struct seat *above;	  /* may have gone, and another be in its place */
	uint32_t above_number;
	void (*done)(struct conn *c, struct seat *seat, enum hub_code code, const char *why,
		     uint32_t retry_s);
	uint16_t msg_id_len;
	char msg_id[MSG_ID_ROOM];
};

static void fail_for(struct joining *j, enum hub_code code, const char *why, uint32_t retry_s)
{
	struct span msg_id = {j->msg_id_len ? j->msg_id : NULL, j->msg_id_len};

	if (j->done) {
		j->done(j->conn, NULL, code, why, retry_s);
		return;
	}
	j->conn->door->dialect->refused(j->conn, code, why, msg_id, retry_s);
}

static void fail(struct joining *j, enum hub_code code, const char *why)
{
	fail_for(j, code, why, 0);
}

static void release(struct joining *j)
{
	struct worker *w = j->conn->worker;

	registry_release(w->members->registry, j->session, worker_now_ms(w));
}

/* What became of a wish to go on behind `since`. */
static enum count_resume resumed(const struct session_joined *joined)
{
	if (joined->recovered)
		return RESUMED;
	return strcmp(joined->reason, "trimmed") == 0 ? RESUME_TRIMMED : RESUME_EPOCH_CHANGED;
}

/* What it selects from now on. Who stays where it is, and is to see other cells, does so once it
 * has had what is under way. */
static int choose(const struct joining *j, struct seat *seat)
{
	struct worker *w = j->conn->worker;
	struct selection *sel = j->select;
	bool stays = j->stays && !j->from.has_since, ok = true;
	int r;

	if (stays && seat_ahead(seat) >= seat->m.cursor) {
		/* Who would get some of it twice otherwise gets all that it waits for. */
		deliver_now(seat);
		if (seat_ahead(seat) >= seat->m.cursor)
			return -EAGAIN;
	}
	interest_drop(seat);
	if (!stays)
		return seat_select(seat, sel);
	sel = select_in(w, sel, select_area(seat_selection(seat)), &ok);
	r = ok ? seat_select(seat, sel) : -ENOMEM;
	select_unref(sel);
	return r;
}

/* What it has had, as far as its past does not tell. */
static void know(const struct joining *j, struct seat *seat, const struct session_joined *joined)
{
	if (j->stays && !j->from.has_since) {
		seat->whole |= (j->echo && !seat->m.echo) || !j->knows;
		return;
	}
	if (seat->more)
		seat->more->ahead = joined->recovered && j->ahead <= joined->seq ? j->ahead : 0;
	/* Of what it may not have had there are no patches. */
	seat->whole = j->from.bare || joined->rest || joined->gap_to;
}

/* It may have to see other cells. Who stays has no snapshot to tell it so. */
static void turn(const struct joining *j, struct seat *seat)
{
	struct span msg_id = {j->msg_id, j->stays && !j->from.has_since ? j->msg_id_len : 0};

	if (interest_say(seat, select_area(j->select), msg_id) != HUB_OK)
		conn_close(seat->conn, CLOSE_INTERNAL, "out of memory");
}

/* Up to there it has had all: what was read for it may not have been written yet. */
static uint64_t place_of(const struct seat *seat)
{
	const struct catchup *up = seat->m.catchup;

	return up && up->first ? up->first + up->at - 2 : seat->m.cursor - 1;
}

static void answer(struct joining *j, struct seat *seat, struct session_joined *joined)
{
	struct conn *c = j->conn;
	int r;

	r = choose(j, seat);
	if (r < 0)
		conn_close(c, r == -EAGAIN ? CLOSE_SLOW : CLOSE_INTERNAL,
			   r == -EAGAIN ? "too slow: it has not read what it is to get first"
					: "out of memory");
	if (j->stays && !j->from.has_since)
		joined->seq = place_of(seat);
	know(j, seat, joined);
	if (seat_selection(seat) && joined->snapshot)
		joined->snapshot =
		    select_count(seat_selection(seat), seat->m.catchup->chunk, seat->m.catchup->n);

	seat->m.echo = j->echo;
	seat->leaving = seat->held = false;
	seat->ordered = j->ordered;
	seat->granted |= j->granted;
	if (seat->above && seat->above != j->above)
		trail_leave(seat);
	seat->above = j->above;
	if (j->above)
		j->above->rooms = true;
	seat_link(c, seat);
	if (j->from.has_since)
		counter_add_at(&c->worker->counters, resumes, resumed(joined), 1);
	c->door->dialect->joined(c, seat, &j->from, joined);
	if (select_area(seat_selection(seat)) || select_area(j->select))
		turn(j, seat);
	c->flush_seats = true;
	worker_later(c->worker, TURN_CONNECTIONS, &c->flush);
	if (j->done)
		j->done(c, seat, HUB_OK, NULL, 0);
}

static void opened(struct worker *w, struct mail *mail);

/* Asks the archive, and takes a copy of *j until it answers. */
static void ask(struct joining *j)
{
	struct archive *a = j->session->env->archive;
	struct joining *later = malloc(sizeof(*later));

	if (!later) {
		release(j);
		fail(j, HUB_INTERNAL, "out of memory");
		return;
	}
	*later = *j;
	select_ref(j->select);
	later->job = (struct archive_job){.done = {.run = opened},
					  .worker = j->conn->worker,
					  .session = session_ref(j->session),
					  .what = ARCHIVE_OPEN};
	conn_busy(j->conn);
	conn_hold(j->conn);
	a->ask(a, &later->job);
}

static struct seat *new_seat(struct joining *j)
{
	struct seat *seat = calloc(1, sizeof(*seat));
	struct conn *c = j->conn;

	if (!seat)
		return NULL;
	seat->conn = c;
	seat->number = ++c->worker->members->seats & SEAT_NUMBERS;
	seat->m.client = c->id;
	seat->m.born = c->born;
	seat->m.worker = (uint8_t)c->worker->index;
	seat->m.info = conn_info(c);
	seat->m.echo = j->echo;
	seat->m.hidden = j->hidden;
	seat->m.settles = j->settles;
	seat->blind = j->blind;
	return seat;
}

static void join_or_move(struct joining *j);

/* The session was deleted meanwhile: joins the next one of its name. A reader makes none. */
static bool again(struct joining *j)
{
	struct session *old = j->session, *s;
	enum hub_code code;

	s = registry_use(j->conn->worker->members->registry, session_name(old), &code);
	if (!s)
		return false;
	release(j);
	j->session = s;
	j->from.opened = false;
	join_or_move(j);
	return true;
}

/* Takes the join's use of the session. */
static void join(struct joining *j)
{
	static const char *const reasons[] = {
	    [HUB_SESSION_FULL] = "the session has as many members as it may have",
	    [HUB_NOT_FOUND] = "the session was deleted",
	    [HUB_IN_USE] = "another connection of this client is in the session, and stays",
	    [HUB_INTERNAL] = "out of memory, or the session cannot be read from the store",
	};
	struct seat *seat = new_seat(j);
	struct session_joined joined = {0};
	enum hub_code code;

	j->from.user = identity_sub(conn_identity(j->conn));
	code = seat ? session_join(j->session, &seat->m, &j->from, &joined) : HUB_INTERNAL;

	if (code == HUB_OK && !joined.ask) {
		seat_count(seat);
		answer(j, seat, &joined);
		return;
	}
	free(seat);
	if (code == HUB_OK) {
		ask(j);
		return;
	}
	if (code == HUB_NOT_FOUND && !j->hidden && again(j))
		return;
	release(j);
	if (code == HUB_FORBIDDEN)
		conn_close(j->conn, CLOSE_REPLACED, SEAT_REPLACED);
	else
		fail_for(j, code, reasons[code], joined.retry_s);
}

/* Takes the use of the session that the move has beside the seat's own. */
static void move(struct joining *j, struct seat *seat)
{
	struct session *s = j->session;
	struct session_joined joined = {
	    .epoch = s->epoch, .seq = seat->m.cursor - 1, .user_count = session_user_count(s)};

	if (j->from.has_since && session_seek(&seat->m, &j->from, &joined) != HUB_OK) {
		conn_close(j->conn, CLOSE_INTERNAL, "out of memory");
	} else if (joined.ask) {
		ask(j);
		return;
	} else {
		seat_unlink(seat);
		j->stays = true;
		j->knows = select_knows(seat_selection(seat), j->select);
		trail_jump(seat);
		answer(j, seat, &joined);
	}
	release(j);
}

/* The seat that the join is to be above has gone. */
static bool is_gone(const struct joining *j)
{
	const struct seat *at = j->conn->seats;

	while (at && at != j->above)
		at = at->next;
	return !at || at->number != j->above_number;
}

static void join_or_move(struct joining *j)
{
	struct seat *seat = seat_find_any(j->conn, session_name(j->session));

	if (j->above && is_gone(j)) {
		release(j);
		fail(j, HUB_NOT_MEMBER, "it is not in the session any more that it came by");
		return;
	}
	if (seat)
		move(j, seat);
	else
		join(j);
}

static void opened(struct worker *w, struct mail *mail)
{
	struct joining *j = (struct joining *)mail;
	struct conn *c = j->conn;

	(void)w;
	session_unref(j->job.session);
	conn_release(c); /* it may have to wait again */
	if (c->closing) {
		release(j);
	} else if (j->job.status == -EAGAIN) {
		release(j);
		fail(j, HUB_UNAVAILABLE, "the session cannot be reached just now");
	} else if (j->job.status < 0) {
		release(j);
		fail(j, HUB_INTERNAL,
		     "out of memory, or the session cannot be read from the store");
	} else {
		j->from.opened = true;
		j->from.stored = j->job.tail;
		join_or_move(j);
	}
	select_unref(j->select);
	free(j);
	conn_idle(c);
}

static unsigned count_seats(const struct conn *c)
{
	const struct seat *seat;
	unsigned n = 0;

	for (seat = c->seats; seat; seat = seat->next)
		n++;
	return n;
}

static enum hub_code may(struct conn *c, const struct join_request *request, enum right right,
			 const char **why)
{
	return request->granted ? HUB_OK
				: member_may(c, right, request->session, (struct span){0}, why);
}

void member_join(struct conn *c, const struct join_request *request)
{
	struct workers *all = c->worker->all;
	struct joining j = {.conn = c,
			    .from = request->from,
			    .echo = request->echo,
			    .hidden = request->hidden,
			    .ordered = request->ordered,
			    .settles = request->settles,
			    .granted = request->granted,
			    .ahead = request->ahead,
			    .select = request->select,
			    .above = request->above,
			    .above_number = request->above ? request->above->number : 0,
			    .done = request->done};
	const char *why = NULL;
	enum hub_code code = may(c, request, RIGHT_JOIN, &why);

	/* Who joins one session and stays is not counted at all; readers are by who makes them. */
	if (!c->door->trusted && !request->hidden && (c->seats || c->input))
		meter_work(c, METER_JOIN, METER_JOINS);
	meter_join(c);
	if (request->msg_id.p && request->msg_id.len <= sizeof(j.msg_id)) {
		j.msg_id_len = (uint16_t)request->msg_id.len;
		memcpy(j.msg_id, request->msg_id.p, request->msg_id.len);
	}
	if (code != HUB_OK) {
		fail(&j, code, why);
		return;
	}
	j.from.area = select_area(request->select);
	if (j.from.area)
		j.from.rest = false;
	j.blind = may(c, request, RIGHT_READ, &why) != HUB_OK;
	if (j.blind) {
		j.from.has_since = j.from.rest = false;
		j.from.bare = true;
	}
	if (!seat_find_any(c, request->session)) {
		if (atomic_load_explicit(&all->draining, memory_order_relaxed)) {
			fail(&j, HUB_SHUTTING_DOWN, "the hub is shutting down");
			return;
		}
		if (count_seats(c) >= SEATS_MAX) {
			fail(&j, HUB_SESSION_FULL, "a connection may be in 64 sessions at most");
			return;
		}
		/* Who it is can only change while nobody knows it. */
		if (request->resumes && !c->seats)
			c->id = request->client;
	}
	j.session = registry_use(c->worker->members->registry, request->session, &code);
	if (!j.session)
		fail(&j, code,
		     code == HUB_HUB_FULL
			 ? "the hub has as many sessions as it allows"
			 : "out of memory, or the session cannot be read from the store");
	else
		join_or_move(&j);
}
