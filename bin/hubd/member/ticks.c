/* Ticks. Invariant: a pace is in the list of those that are due exactly when the worker's alarm is
 * set for its time or before. */
#include <stdlib.h>

#include "member/member.h"
#include "member/select.h"
#include "wire/wsframe.h"

struct pace {
	struct pace *next, **link; /* of its bucket */
	struct pace *next_due;
	struct session *session; /* borrowed: its seats are members */
	struct selection *sel;	 /* the same: a base, whose areas all go by it */
	uint64_t looked;	 /* up to there for what does not wait, */
	uint64_t hurry;		 /* and up to there nobody has to */
	uint32_t tick_ms;
	uint32_t refs;
	bool due;
	uint64_t at_ms; /* where due */
};

static struct pace **bucket_of(struct worker *w, const struct session *s)
{
	return &w->members->paces[((uintptr_t)s >> 6) % PACE_BUCKETS];
}

struct pace *pace_get(struct worker *w, struct session *s, struct selection *sel, uint64_t from)
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
		p->looked = from - 1;
		p->tick_ms = sel->wish.tick_ms;
		p->next = *first;
		p->link = first;
		if (p->next)
			p->next->link = &p->next;
		*first = p;
	}
	p->refs++;
	return p;
}

static void drop(struct pace *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	free(p);
}

/* One that is due goes when its time comes. */
void pace_unref(struct pace *p)
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

/* Looks for records that do not wait. */
static void look(struct pace *p, const struct log_view *view)
{
	const struct chunk *c = view->chunk;
	uint64_t seq = p->looked + 1;

	if (seq < c->first)
		seq = c->first; /* all have had what is before */
	for (; seq <= view->head; seq++) {
		const struct slot *slot;
		const unsigned char *frame;
		size_t header;

		c = chunk_find(c, seq);
		slot = chunk_slot(c, seq - c->first);
		frame = c->data + slot->offset;
		header = wsframe_header_len(frame);
		if (select_hurries(p->sel, slot, (const char *)frame + header, slot->len - header))
			p->hurry = seq;
		p->looked = seq;
	}
}

bool pace_hurries(struct pace *p, const struct log_view *view, uint64_t cursor)
{
	if (p->sel->wish.first.list.n && view && view->chunk)
		look(p, view);
	return cursor <= p->hurry;
}

bool pace_is(const struct pace *p, const struct selection *sel)
{
	return sel && p->sel == sel->base;
}

void pace_comes(struct pace *p, uint64_t head)
{
	if (head > p->hurry)
		p->hurry = head;
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

void paces_free(struct worker *w)
{
	for (unsigned i = 0; i < PACE_BUCKETS; i++)
		while (w->members->paces[i])
			drop(w->members->paces[i]);
}
