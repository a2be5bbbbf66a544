/* Invariant: an avatar's place is that of the newest of its moves that was written, and what an
 * observer knows of it is never newer. */
#include "load/crowd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "load/bench_member.h"
#include "load/measure.h"
#include "plan/need.h"
#include "plan/schedule.h"

#define PACE 5.0	    /* units a second: somebody who walks fast, where a unit is a metre */
#define TURN 0.35	    /* radians that a walk turns at each step, at most */
#define SAMPLE_NS (40 * MS) /* between two looks of a thread, on average */

/* --- the world */

static double random_of(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (double)(*state * 0x2545f4914f6cdd1du >> 11) / 9007199254740992.0;
}

static void place(struct crowd_avatar *a)
{
	atomic_store_explicit(&a->x, (uint32_t)(a->at_x * 100), memory_order_relaxed);
	atomic_store_explicit(&a->z, (uint32_t)(a->at_z * 100), memory_order_relaxed);
}

/* Turned back at the walls. */
static double within(double at, double side, bool *turned)
{
	*turned = at < 0 || at > side;
	return at < 0 ? -at : at > side ? 2 * side - at : at;
}

static void walk(const struct crowd *w, struct crowd_avatar *a)
{
	bool x, z;

	a->yaw += (random_of(&a->random) - 0.5) * 2 * TURN;
	a->at_x = within(a->at_x + cos(a->yaw) * a->pace * w->step_s, w->side, &x);
	a->at_z = within(a->at_z + sin(a->yaw) * a->pace * w->step_s, w->side, &z);
	if (x || z)
		a->yaw += M_PI;
	a->moves++;
}

struct crowd *crowd_new(const struct run *r, const char *text)
{
	const struct plan *p = r->plan;
	const char *mark = strstr(text, "{mark}");
	struct crowd *w = calloc(1, sizeof(*w));

	if (!w || !mark)
		goto fail;
	w->avatar = calloc(r->npublishers ? r->npublishers : 1, sizeof(*w->avatar));
	w->head = strndup(text, (size_t)(mark - text));
	w->tail = strdup(mark + strlen("{mark}"));
	if (!w->avatar || !w->head || !w->tail)
		goto fail;
	w->head_len = strlen(w->head);
	w->tail_len = strlen(w->tail);
	w->side = p->crowd.world;
	w->observers = p->crowd.observers;
	w->step_s = r->npublishers / p->rate;
	for (w->bases = p->o->delta; w->bases && w->bases < r->npublishers;)
		w->bases *= 2;
	for (uint32_t i = 0; i < r->npublishers; i++) {
		struct crowd_avatar *a = &w->avatar[i];

		a->random = (p->seed + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)(i + 1) << 20;
		a->at_x = random_of(&a->random) * w->side;
		a->at_z = random_of(&a->random) * w->side;
		a->yaw = random_of(&a->random) * 2 * M_PI;
		a->pace = PACE * (0.5 + random_of(&a->random));
		place(a);
	}
	return w;
fail:
	crowd_free(w);
	return NULL;
}

void crowd_free(struct crowd *w)
{
	if (!w)
		return;
	free(w->avatar);
	free(w->head);
	free(w->tail);
	free(w);
}

size_t crowd_write(const struct run *r, char *out, uint32_t publisher, uint64_t number)
{
	const struct crowd *w = r->crowd;
	struct crowd_avatar *a = &w->avatar[publisher];
	size_t len = w->head_len;

	/* What the socket did not take is written again. */
	while (a->moves <= number)
		walk(w, a);
	place(a);
	memcpy(out, w->head, len);
	len += avatar_put(&r->script, out + len,
			  &(struct avatar_move){publisher, number, a->x, a->z}, r->plan->bytes);
	memcpy(out + len, w->tail, w->tail_len);
	return len + w->tail_len;
}

/* --- areas */

#define FOLLOWS 8 /* an area follows once that part of it was walked */

struct dialect_area crowd_area(const struct run *r, struct member *m)
{
	struct dialect_area area = {.r = r->plan->crowd.area};
	struct crowd_avatar *a = &r->crowd->avatar[m->client % r->npublishers];

	area.x = atomic_load_explicit(&a->x, memory_order_relaxed) / 100.0;
	area.z = atomic_load_explicit(&a->z, memory_order_relaxed) / 100.0;
	m->area = area;
	return area;
}

void crowd_moved(struct loop *l, struct member *m)
{
	const struct run *r = l->run;
	const struct crowd_avatar *a = &r->crowd->avatar[m->publisher->index];
	double step = m->area.r / FOLLOWS;
	struct buf text = {0};

	if (m->area.r <= 0 || m->state != MEMBER_JOINED ||
	    (fabs(a->at_x - m->area.x) < step && fabs(a->at_z - m->area.z) < step))
		return;
	crowd_area(r, m);
	if (r->dialect->move(&m->area, &text) < 0)
		err_die(EX_OSERR, "out of memory");
	bench_member_say(l, m, text.data, text.len);
	buf_free(&text);
}

/* How far it is from the middle of a member's area, in one direction or the other. */
static double far_from(const struct run *r, const struct member *m, uint32_t publisher)
{
	const struct crowd_avatar *a = &r->crowd->avatar[publisher];
	double x = fabs(atomic_load_explicit(&a->x, memory_order_relaxed) / 100.0 - m->area.x);
	double z = fabs(atomic_load_explicit(&a->z, memory_order_relaxed) / 100.0 - m->area.z);

	return x > z ? x : z;
}

/* Whether a member is to see it, wherever its cells end. */
static bool in_view(const struct run *r, const struct member *m, uint32_t publisher)
{
	return m->area.r <= 0 || far_from(r, m, publisher) <= m->area.r;
}

/* --- observers */

bool crowd_counts_only(const struct run *r, const struct member *m)
{
	/* A hub asks for no sign of life of who publishes. */
	return r->crowd && m->state == MEMBER_JOINED && !m->view && m->publisher &&
	       r->dialect->seq && !m->conn.in.lines;
}

void crowd_joined(struct loop *l, struct member *m)
{
	const struct run *r = l->run;

	if (r->crowd && m->client < r->crowd->observers && !m->view)
		m->view = need(calloc(r->npublishers ? r->npublishers : 1, sizeof(*m->view)));
	if (m->view && r->crowd->bases && !m->bases)
		m->bases = need(calloc(r->crowd->bases, sizeof(*m->bases)));
}

static uint64_t due_of(const struct run *r, uint32_t publisher, uint64_t number)
{
	return schedule_fixed(&r->timetable, number * r->npublishers + publisher, r->start_ns);
}

static void observe(struct loop *l, struct member *m, const struct avatar_seen *seen)
{
	uint64_t due = due_of(l->run, seen->publisher, seen->number);

	l->counts.delivered++;
	if (measure_counts(l, due)) {
		hist_add(&l->metric[METRIC_EVERY], l->now > due ? l->now - due : 0);
	}
	l->observed += l->measuring;
	/* A snapshot, or one that was sent again, may be older. */
	if (seen->number + 1 > m->view[seen->publisher])
		m->view[seen->publisher] = seen->number + 1;
}

static uint32_t *bases_at(const struct run *r, struct member *m, uint64_t seq)
{
	return &m->bases[seq & (r->crowd->bases - 1)].list;
}

static void set_base(const struct run *r, struct member *m, uint32_t publisher, uint64_t seq)
{
	struct crowd_base *b = &m->bases[publisher];
	uint32_t *link = bases_at(r, m, b->seq);

	while (b->seq && *link != publisher + 1)
		link = &m->bases[*link - 1].next;
	if (b->seq)
		*link = b->next;
	link = bases_at(r, m, seq);
	b->seq = seq;
	b->next = *link;
	*link = publisher + 1;
}

/* Whose record a patch is of. False: nobody's that is known. */
static bool base_of(const struct run *r, struct member *m, uint64_t seq, uint32_t *publisher)
{
	for (uint32_t i = *bases_at(r, m, seq); i; i = m->bases[i - 1].next)
		if (m->bases[i - 1].seq == seq) {
			*publisher = i - 1;
			return true;
		}
	return false;
}

/* An array in which there may be patches. */
static void take_patches(struct loop *l, struct member *m, const char *p, const char *end)
{
	const struct run *r = l->run;
	struct avatar_seen seen;
	uint64_t base;
	const char *at, *q;
	size_t len;

	while (avatar_element(&p, end, &at, &len)) {
		uint64_t seq = avatar_seq(at, len);

		q = at;
		if (*at == '[') {
			if (!avatar_patch(at, len, &base, &seen.number) ||
			    !base_of(r, m, base, &seen.publisher))
				continue;
			seen.moved = true;
			observe(l, m, &seen);
			set_base(r, m, seen.publisher, seq);
			continue;
		}
		while (avatar_next(&r->script, &q, at + len, &seen)) {
			if (seen.publisher >= r->npublishers)
				continue;
			if (seen.moved)
				observe(l, m, &seen);
			else
				m->view[seen.publisher] = 0;
			if (seen.moved && seq)
				set_base(r, m, seen.publisher, seq);
		}
	}
}

bool crowd_take(struct loop *l, struct member *m, const char *p, size_t len)
{
	const struct run *r = l->run;
	const char *end = p + len, *from = p;
	struct avatar_seen seen;
	bool some = false;

	if (!m->view)
		return avatar_next(&r->script, &p, end, &seen);
	if (m->bases && len && *p == '[') {
		take_patches(l, m, p, end);
		return true;
	}
	while (avatar_next(&r->script, &p, end, &seen)) {
		if (seen.publisher >= r->npublishers)
			continue;
		if (seen.moved)
			observe(l, m, &seen);
		else
			m->view[seen.publisher] = 0;
		some = true;
	}
	/* Arrays may be of others' avatars alone. */
	return some || (len && *from == '[');
}

/* --- what they know */

static uint64_t moves_of(const struct run *r, uint32_t publisher)
{
	return atomic_load_explicit(&r->publisher[publisher].sent, memory_order_relaxed);
}

/* The age of what is known of it, and for how long something newer has been there. */
static void sample_one(struct loop *l, const struct member *m, uint32_t publisher, uint64_t now)
{
	const struct run *r = l->run;
	uint64_t known = m->view[publisher], moves = moves_of(r, publisher), due;

	/* At the edge of an area it is seen or not from one moment to the next. */
	if (!moves || (m->area.r > 0 && far_from(r, m, publisher) > m->area.r * 3 / 4))
		return;
	due = due_of(r, publisher, known ? known - 1 : 0);
	if (now > due)
		hist_add(&l->metric[METRIC_STALE], now - due);
	due = known < moves ? due_of(r, publisher, known) : now;
	hist_add(&l->metric[METRIC_BEHIND], now > due ? now - due : 0);
}

void crowd_sample(struct loop *l)
{
	const struct run *r = l->run;
	const struct member *m;
	uint32_t n = 0;

	/* At random, or it would be at the server's ticks. */
	l->sample_ns = l->now + SAMPLE_NS / 2 + bench_io_random(&l->io) % SAMPLE_NS;
	while (n < l->nmembers && l->members[n].client < r->crowd->observers)
		n++;
	if (!n || !l->measuring)
		return;
	m = &l->members[l->sample_at++ % n];
	if (m->view && m->state == MEMBER_JOINED)
		for (uint32_t i = 0; i < r->npublishers; i++)
			sample_one(l, m, i, l->now);
}

/* It should have been told that it is out of sight. */
static bool is_ghost(const struct run *r, const struct member *m, uint32_t publisher)
{
	return m->view[publisher] && far_from(r, m, publisher) > 3 * m->area.r;
}

bool crowd_settled(const struct run *r, const struct member *m)
{
	if (!m->view)
		return true;
	for (uint32_t i = 0; i < r->npublishers; i++)
		if (in_view(r, m, i) ? m->view[i] != moves_of(r, i) : is_ghost(r, m, i))
			return false;
	return true;
}

void crowd_end(struct loop *l)
{
	const struct run *r = l->run;

	for (uint32_t i = 0; i < l->nmembers; i++) {
		const struct member *m = &l->members[i];

		if (!m->view)
			continue;
		for (uint32_t a = 0; a < r->npublishers; a++)
			if (in_view(r, m, a))
				l->missing += m->view[a] < moves_of(r, a);
			else
				l->ghosts += is_ghost(r, m, a);
	}
}
