/* Flushing. Invariant: a member's cursor only moves over records that were handed to the door,
 * skipped as its own, or named in a gap. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/sends.h"
#include "member/member_impl.h"
#include "member/span.h"
#include "member/trail.h"
#include "member/watch.h"
#include "session/members.h"
#include "session/seek.h"

#define READ_BYTES (64 * 1024)	 /* from the archive at a time */
#define STEP_BYTES (1024 * 1024) /* of its past that one member gets in a turn */

void deliver_queue(struct conn *c)
{
	bool some = c->out.len > 0;

	conn_flush(c);
	if (some && !c->out.len)
		direct_taken(c);
}

static bool has_archive(const struct seat *seat)
{
	return seat->m.session->env->archive != NULL;
}

/* --- from the archive */

struct reading {
	struct archive_job job; /* first */
	struct conn *conn;
	uint64_t client;
	uint32_t version; /* of the seat, which may be gone or moved when the answer comes */
};

static void have_read(struct worker *w, struct mail *mail);

/* Asks for the seat's next records, up to where the log has them, or it has another area. Returns
 * 0, then they come later, or -ENOMEM. */
static int read_back(struct seat *seat, uint64_t tail)
{
	uint64_t turn = interest_at(seat);
	struct session *s = seat->m.session;
	struct reading *r = NULL;

	if (!log_memory_tight(s->env->memory) && seat->conn->busy < CONN_BUSY_MAX)
		r = malloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct reading){.job = {.done = {.run = have_read},
				      .worker = seat->conn->worker,
				      .session = session_ref(s),
				      .what = ARCHIVE_READ,
				      .from = seat->m.cursor,
				      .to = turn < tail ? turn : tail - 1,
				      .max = READ_BYTES},
			      .conn = seat->conn,
			      .client = seat->m.client,
			      .version = seat->m.version};
	seat->reading = true;
	conn_busy(seat->conn);
	s->env->archive->ask(s->env->archive, &r->job);
	return 0;
}

/* --- a member's records */

/* Others are not to wait for it. */
static void go_on_later(struct conn *c)
{
	c->flush_seats = true;
	worker_next_turn(c->worker, TURN_CONNECTIONS, &c->flush);
}

/* Writes what it is to get of the records from *cursor on, as far as a step goes. */
static bool write_some(const struct seat *seat, struct log_view *view, uint64_t *cursor,
		       uint64_t skip, bool live, size_t *bytes)
{
	bool echo = live && seat->m.echo;

	if (seat_selection(seat))
		return select_write(seat, view, cursor, skip, echo, live, bytes);
	return span_write(seat, view, cursor, skip, echo, live, bytes);
}

/* Whether it is to wait for its tick, and then does. */
static bool waits_for_tick(const struct conn *c, const struct seat *seat)
{
	struct pace *pace = seat_pace(seat);

	if (!pace || seat->m.cursor <= pace->hurry || seat->m.catchup || seat->reading ||
	    seat->leaving || seat->awaited || c->finishing || interest_at(seat) != INTEREST_NOT_YET)
		return false;
	pace_due(c->worker, pace);
	return true;
}

/* What it gets before its next record; true where it has had it all. */
static bool catch_up(struct conn *c, struct seat *seat)
{
	struct catchup *up = seat->m.catchup;
	struct log_view view = {.chunk = up->chunk, .tail = 1, .head = up->n};
	size_t bytes = 0;

	if (c->flush_seats)
		return false; /* it had its part of this turn, or is flushed at the end of it */
	while (up->at <= up->n) {
		if (!write_some(seat, &view, &up->at, up->skip, false, &bytes))
			break;
		if (bytes >= STEP_BYTES && up->at <= up->n) {
			go_on_later(c);
			break;
		}
	}
	if (up->at <= up->n)
		return false;
	member_drop_catchup(&seat->m);
	if (c->door->dialect->caught_up) {
		c->door->dialect->caught_up(c, seat);
		deliver_queue(c);
	}
	return !c->closing && !c->blocked;
}

static void close_slow(struct conn *c)
{
	counter_add(&c->worker->counters, slow_disconnects, 1);
	conn_close(c, CLOSE_SLOW, "too slow: fell behind the session's history");
}

/* The seat's next records are no longer to be had. True where it may go on. */
static bool overtaken(struct conn *c, struct seat *seat)
{
	uint64_t from = seat->m.cursor, to;

	if (c->worker->members->resyncs) {
		if (c->blocked)
			return false; /* until it reads, or the write timeout ends it */
		interest_skip(seat);
		if (session_resync(&seat->m, select_area(seat_selection(seat)), &to) == 0) {
			counter_add(&c->worker->counters, slow_resyncs, 1);
			deliver_gap(seat, from, to);
			deliver_queue(c);
			return !c->closing && !c->blocked;
		}
	}
	close_slow(c);
	return false;
}

/* Gets the cursor into the log, or to where the seat has another area. True where it is there and
 * more may be written. */
static bool reach_log(struct conn *c, struct seat *seat, const struct log_view *view)
{
	for (;;) {
		if (c->closing)
			return false;
		if (seat->m.catchup &&
		    atomic_load_explicit(&seat->m.catchup->chunk->revoked, memory_order_relaxed)) {
			close_slow(c);
			return false;
		}
		if (c->blocked) {
			/* Who stalls is found out here, where nothing but the log could help. */
			if (seat->m.cursor < view->tail && !seat->m.catchup && !has_archive(seat))
				overtaken(c, seat);
			return false;
		}
		if (seat->m.catchup && !catch_up(c, seat))
			return false;
		if (seat->m.cursor >= view->tail || seat->m.cursor > interest_at(seat))
			return true;
		if (seat->reading || (has_archive(seat) && read_back(seat, view->tail) == 0))
			return false;
		if (!overtaken(c, seat))
			return false;
	}
}

/* Writes what the seat may read of the log up to head. True where it has had all. */
static bool write_log(struct conn *c, struct seat *seat, struct log_view *view, uint64_t head,
		      size_t *bytes)
{
	uint64_t all = view->head;
	bool goes_on = true;

	view->head = head;
	while (goes_on && seat->m.cursor <= head) {
		uint64_t skip =
		    (!seat->m.echo || seat->others) && seat->m.last_sent >= seat->m.cursor
			? seat->m.client
			: 0;

		goes_on = write_some(seat, view, &seat->m.cursor, skip, true, bytes);
		if (goes_on && *bytes >= STEP_BYTES && seat->m.cursor <= head) {
			go_on_later(c);
			goes_on = false;
		}
	}
	view->head = all;
	return goes_on;
}

/* As far as the door takes it, sends what is queued, and what the seat may read of the view. */
static void flush_records(struct seat *seat, struct log_view *view)
{
	struct conn *c = seat->conn;
	size_t bytes = 0;
	uint64_t turn;

	if (c->closing)
		return;
	deliver_queue(c);
	if (seat->blind)
		seat->m.cursor = view->head + 1;
	else if (!reach_log(c, seat, view))
		return;
	/* Up to there it has one area, then another one, whose state comes between. */
	while ((turn = interest_at(seat)) <= view->head) {
		if (!write_log(c, seat, view, turn, &bytes) || !interest_turn(seat))
			return;
		deliver_queue(c);
		if (!reach_log(c, seat, view))
			return;
	}
	if (!write_log(c, seat, view, view->head, &bytes))
		return;
	if (seat->awaited) {
		seat->awaited = false;
		c->door->dialect->at_head(c, seat);
		deliver_queue(c);
	}
}

/* Where it has had all that is before the sift, and nothing else is to come first. */
void deliver_ahead(struct seat *seat)
{
	struct conn *c = seat->conn;

	if (c->closing)
		return;
	deliver_queue(c);
	if (!c->closing && !c->blocked && !c->out.len && !seat->m.catchup && !seat->reading &&
	    !seat->blind && !seat->leaving && interest_at(seat) == INTEREST_NOT_YET &&
	    seat->m.cursor >= seat->more->pace->sift.from)
		select_ahead(seat);
}

static void drop_chunk(void *chunk)
{
	chunk_unref(chunk);
}

void deliver_drop_view(struct worker *w, struct log_view *view)
{
	sends_keep(w->sends, view->chunk, drop_chunk);
}

void deliver_seat(struct seat *seat, struct log_view *view)
{
	uint64_t before = seat->m.cursor;
	bool up = seat->m.catchup;

	flush_records(seat, view);
	if (seat->m.cursor != before || (up && !seat->m.catchup))
		trail_go(seat);
}

/* Returns the session's head. */
static uint64_t flush_to_head(struct seat *seat)
{
	struct log_view view;

	session_view(seat->m.session, seat->m.cursor, &view);
	deliver_seat(seat, &view);
	deliver_drop_view(seat->conn->worker, &view);
	return view.head;
}

void deliver_now(struct seat *seat)
{
	flush_to_head(seat);
}

void deliver_gap(struct seat *seat, uint64_t from, uint64_t to)
{
	struct conn *c = seat->conn;
	struct buf *b = worker_scratch(c->worker);

	conn_send_scratch(
	    c, b, c->door->dialect->gap(b, seat->m.session->id, seat_above(seat), from, to));
}

/* --- leaving */

/* False where more is due to the seat, that will come. */
static bool had_all(struct seat *seat)
{
	struct conn *c = seat->conn;
	uint64_t head;

	if (seat->acks_due)
		return false;
	head = flush_to_head(seat);
	if (c->closing)
		return true;
	if (!c->blocked &&
	    (seat->reading || seat->m.catchup || (c->flush_seats && seat->m.cursor <= head)))
		return false;
	if (seat->m.cursor <= head)
		deliver_gap(seat, seat->m.cursor, head);
	return true;
}

void deliver_leave(struct seat *seat)
{
	struct conn *c = seat->conn;
	struct session *s;
	const char *above;
	uint32_t left;
	struct buf *b;

	if (!had_all(seat)) {
		seat->leaving = true;
		return;
	}
	s = session_ref(seat->m.session);
	above = seat_above(seat);
	left = seat_free(seat);
	b = worker_scratch(c->worker);
	conn_send_scratch(c, b, c->door->dialect->left(b, s->id, above, left));
	session_unref(s);
}

/* --- all of a connection */

/* Closes a connection that is to end, once it has got all that is due to it. */
static void end_if_done(struct conn *c)
{
	const struct seat *seat;

	if (c->closing || c->blocked || c->out.len || c->busy || c->flush_seats)
		return;
	for (seat = c->seats; seat; seat = seat->next)
		if (seat->acks_due || seat->m.catchup)
			return;
	if (c->watching && watch_behind(c))
		return;
	conn_close(c, (enum close_code)c->code, c->reason);
}

static void flush_all(struct conn *c)
{
	struct seat *seat, *next;

	deliver_queue(c);
	while (c->watching && !c->closing && !c->blocked && watch_next(c))
		deliver_queue(c);
	for (seat = c->seats; seat && !c->closing && !c->blocked; seat = next) {
		next = seat->next;
		if (seat->leaving) {
			/* Its rooms go with it. */
			while (next && next->above == seat)
				next = next->next;
			deliver_leave(seat);
		} else if (!waits_for_tick(c, seat)) {
			flush_to_head(seat);
		} else if (seat->more->pace->sift.first > seat->more->ahead &&
			   c->door->dialect->ahead) {
			deliver_ahead(seat);
		}
	}
	if (c->finishing)
		end_if_done(c);
}

void deliver_connection(struct worker *w, struct turn_entry *e)
{
	struct conn *c = (struct conn *)(void *)((char *)e - offsetof(struct conn, flush));
	bool all = c->flush_seats || c->finishing;

	(void)w;
	c->flush_seats = false;
	if (all)
		flush_all(c);
	else
		deliver_queue(c);
}

void deliver_writable(struct conn *c)
{
	conn_progress(c);
	if (c->closing)
		return;
	if (c->blocked)
		conn_heard(c); /* who takes what was sent lives */
	c->blocked = false;
	flush_all(c);
}

void deliver_finish(struct conn *c, enum close_code code, const char *reason)
{
	if (c->closing || c->finishing)
		return;
	c->finishing = true;
	c->code = (unsigned)code & 0x1fff;
	c->reason = reason;
	worker_later(c->worker, TURN_CONNECTIONS, &c->flush);
}

/* --- at the end of the hub */

#define GOODBYE "the hub is shutting down"

static void count_open(struct conn *c, void *arg)
{
	size_t *n = arg;

	*n += !c->closing && !c->finishing;
}

static void send_away(struct conn *c, void *arg)
{
	size_t *n = arg;

	if (*n == 0 || c->closing || c->finishing)
		return;
	conn_hold(c); /* what it says now would never end */
	deliver_finish(c, CLOSE_RESTART, GOODBYE);
	--*n;
}

static void send_away_now(struct conn *c, void *arg)
{
	(void)arg;
	conn_close(c, CLOSE_RESTART, GOODBYE);
}

void deliver_drain(struct worker *w, uint64_t left_ms, bool now)
{
	size_t n = 0;

	conns_each(w, count_open, &n);
	if (left_ms > WORKER_DRAIN_TICK_MS)
		n = (n * WORKER_DRAIN_TICK_MS + left_ms / 2) / left_ms; /* evenly */
	conns_each(w, send_away, &n);
	if (now)
		conns_each(w, send_away_now, NULL);
}

static void have_read(struct worker *w, struct mail *mail)
{
	struct reading *r = (struct reading *)mail;
	struct session *s = r->job.session;
	struct member *m = session_find(s, r->client, r->version, w->index);
	struct seat *seat = m ? seat_of(m) : NULL;
	struct conn *c = r->conn;
	struct chunk *chunk = r->job.chunk;

	if (seat) {
		seat->reading = false;
		/* Else it was moved meanwhile. */
		if (m->cursor == r->job.from && !m->catchup) {
			if (chunk && select_area(seat_selection(seat)))
				session_find_places(s, chunk, r->job.n);
			if (chunk &&
			    member_catch_up(m, chunk, r->job.n, m->echo ? 0 : m->client) == 0) {
				m->catchup->first = m->cursor;
				m->cursor += r->job.n;
			} else {
				overtaken(c, seat);
			}
			chunk = NULL;
		}
		c->flush_seats = true;
		worker_later(w, TURN_CONNECTIONS, &c->flush);
	}
	chunk_unref(chunk);
	free(r);
	session_unref(s);
	conn_idle(c);
}
