/* Ticks. Invariant: a pace is in the list of those that are due exactly when the worker's alarm is
 * set for its time or before. */
#include <errno.h>
#include <stdlib.h>

#include "member/member_impl.h"
#include "member/select_impl.h"
#include "session/members.h"

static struct pace **bucket_of(struct worker *w, const struct session *s)
{
	return &w->members->paces[((uintptr_t)s >> 6) % PACE_BUCKETS];
}

/* That of a session's members on w with that selection, which has a tick, for one whose next record
 * is `from`: a new reference. NULL: no memory. */
static struct pace *pace_get(struct worker *w, struct session *s, struct selection *sel,
			     uint64_t from)
{
	struct pace **first = bucket_of(w, s), *p = *first;

	sel = sel->base;
	while (p && !(p->session == s && p->sel == sel && p->refs))
		p = p->next;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->session = s;
		p->sel = sel;
		p->low = p->sift.from = p->sift.to = from;
		p->tick_ms = sel->wish.tick_ms;
		p->next = *first;
		p->link = first;
		if (p->next)
			p->next->link = &p->next;
		*first = p;
	}
	if (from < p->low)
		p->low = from;
	p->refs++;
	return p;
}

/* Of s, from p on. */
static struct pace *of_session(struct pace *p, const struct session *s)
{
	while (p && !(p->session == s && p->refs))
		p = p->next;
	return p;
}

struct pace *pace_first(struct worker *w, const struct session *s)
{
	return of_session(*bucket_of(w, s), s);
}

struct pace *pace_next(struct pace *p)
{
	return of_session(p->next, p->session);
}

static void drop(struct pace *p)
{
	sift_free(&p->sift);
	delta_free(&p->delta);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	free(p);
}

/* One that is due goes when its time comes. */
static void pace_unref(struct pace *p)
{
	if (p && --p->refs == 0 && !p->due)
		drop(p);
}

void pace_due(struct worker *w, struct pace *p)
{
	if (p->due)
		return;
	/* The same moments for all members of the session, wherever they are. */
	p->at_ms = (worker_now_ms(w) / p->tick_ms + 1) * p->tick_ms;
	p->due = true;
	p->next_due = w->members->due;
	w->members->due = p;
	worker_alarm(w, p->at_ms);
}

void paces_run(struct worker *w, void (*tick)(struct worker *w, struct session *s, struct pace *p))
{
	struct pace *all = w->members->due, *later = NULL, *p;
	uint64_t now_ms = worker_now_ms(w);

	w->members->due = NULL;
	while ((p = all) != NULL) {
		all = p->next_due;
		if (p->at_ms > now_ms) {
			p->next_due = later;
			later = p;
			continue;
		}
		p->due = false;
		if (!p->refs) {
			drop(p);
			continue;
		}
		/* Its members may go meanwhile. */
		p->refs++;
		tick(w, p->session, p);
		pace_unref(p);
	}
	while ((p = later) != NULL) {
		later = p->next_due;
		p->next_due = w->members->due;
		w->members->due = p;
		worker_alarm(w, p->at_ms);
	}
}

int seat_select(struct seat *seat, struct selection *sel)
{
	struct worker *w = seat->conn->worker;
	struct seat_more *more = sel ? seat_more(seat) : seat->more;
	struct selection *before;
	struct pace *pace;

	if (!more)
		return sel ? -ENOMEM : 0;
	before = more->select;
	pace = more->pace;
	more->select = select_ref(sel);
	more->pace = NULL;
	if (sel && sel->wish.tick_ms)
		more->pace = pace_get(w, seat->m.session, sel, seat->m.cursor);
	session_set_ticks(&seat->m, more->pace != NULL);
	pace_unref(pace);
	select_unref(before);
	return sel && sel->wish.tick_ms && !more->pace ? -ENOMEM : 0;
}

void paces_free(struct worker *w)
{
	for (unsigned i = 0; i < PACE_BUCKETS; i++)
		while (w->members->paces[i])
			drop(w->members->paces[i]);
}
