/* Which members of a session are flushed when. Invariant: a shard's `low` is not behind the cursor
 * of any of its members. */
#include "member/member_impl.h"

static void lower(uint64_t *low, const struct member *m)
{
	if (m->cursor < *low && !seat_of((struct member *)(uintptr_t)m)->conn->closing)
		*low = m->cursor;
}

/* All that a pace's members wait for leaves, up to the head of the view. */
static void flush_pace(struct shard *shard, struct pace *p, struct log_view *view)
{
	struct log_view part = *view;
	struct member *m;

	if (view->head > p->hurry)
		p->hurry = view->head;
	/* As much at a time as it is looked at for all of them. */
	do {
		sift_extend(&p->sift, p->sel, view);
		if (p->sel->wish.delta && p->sift.to > p->sift.from)
			delta_make(&p->delta, &p->sift, p->sel->wish.conflate);
		if (p->sift.to > p->sift.from && p->sift.to <= view->head)
			part.head = p->sift.to - 1;
		else
			part.head = view->head;
		p->low = UINT64_MAX;
		for (m = shard->ticking; m; m = m->shard_next) {
			if (seat_pace(seat_of(m)) != p)
				continue;
			deliver_seat(seat_of(m), &part);
			lower(&p->low, m);
		}
		sift_begin(&p->sift);
	} while (part.head < view->head);
}

/* Whether half of what the log may keep has come since the last tick of some: who waited on could
 * lose records. Who has stalled is not looked for again and again. */
static bool is_far_behind(struct pace *p, const struct log_view *view)
{
	uint64_t kept = view->head - view->tail;

	if (view->tail <= 1 || p->low > view->head || 2 * (view->head - p->low) <= kept ||
	    view->head - p->walked <= kept / 4)
		return false;
	p->walked = view->head;
	return true;
}

/* What does not wait leaves, before what does; where the words for that are missing, with it. */
static void send_ahead(struct shard *shard, struct pace *p, struct log_view *view)
{
	struct member *m;

	for (m = shard->ticking; m; m = m->shard_next) {
		struct seat *seat = seat_of(m);

		if (seat_pace(seat) != p)
			continue;
		if (seat->conn->door->dialect->ahead)
			deliver_ahead(seat);
		else
			deliver_seat(seat, view);
	}
	p->ahead = p->sift.to - 1;
}

/* There are new records for a pace. */
static void wake_pace(struct worker *w, struct shard *shard, struct pace *p, struct log_view *view)
{
	bool full = false;

	if (p->low > view->head)
		return;
	if (p->sel->wish.first.list.n) {
		sift_extend(&p->sift, p->sel, view);
		full = p->sift.to <= view->head;
		if (p->sift.first > p->ahead)
			send_ahead(shard, p, view);
	}
	if (full || is_far_behind(p, view))
		flush_pace(shard, p, view);
	else
		pace_due(w, p);
}

void deliver_wake(struct worker *w, struct session *s)
{
	struct shard *shard = session_shard(s, w->index);
	struct pace *p, *next;
	struct log_view view;
	struct member *m;
	uint64_t low, since_ns = shard ? session_since(shard) : 0;

	if (!shard || !shard_first(shard))
		return;
	session_view(s, atomic_load_explicit(&shard->low, memory_order_relaxed), &view);
	if (!view.chunk)
		return;
	low = view.head + 1;
	for (m = shard->members; m; m = m->shard_next) {
		deliver_seat(seat_of(m), &view);
		lower(&low, m);
	}
	for (p = shard->ticking ? pace_first(w, s) : NULL; p; p = next) {
		next = pace_next(p);
		wake_pace(w, shard, p, &view);
		low = p->low < low ? p->low : low;
	}
	atomic_store_explicit(&shard->low, low, memory_order_relaxed);
	deliver_drop_view(w, &view);
	if (since_ns)
		worker_delivered(w, since_ns);
}

/* The tick of some of a session's members. */
static void on_tick(struct worker *w, struct session *s, struct pace *p)
{
	struct shard *shard = session_shard(s, w->index);
	struct log_view view;
	struct member *m;

	for (m = shard->ticking; m; m = m->shard_next)
		if (seat_pace(seat_of(m)) == p && seat_interest(seat_of(m)))
			interest_begin(seat_of(m));
	session_view(s, atomic_load_explicit(&shard->low, memory_order_relaxed), &view);
	flush_pace(shard, p, &view);
	deliver_drop_view(w, &view);
}

void deliver_ticks(struct worker *w)
{
	paces_run(w, on_tick);
}

void deliver_session(struct worker *w, struct turn_entry *e)
{
	struct session *s = session_turn(w, e);

	deliver_wake(w, s);
	session_unref(s);
}
