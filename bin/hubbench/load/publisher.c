/* Publishing. A publisher is in the loop's heap, by the instant of its next message, or it waits:
 * for its connection, for room in the socket, for acks, or, in the closed model, for its own
 * messages to come back. */
#include "load/publisher.h"

#include "base/clock.h"
#include "load/bench_member.h"
#include "load/crowd.h"
#include "plan/schedule.h"
#include "speak/template.h"

#define BATCH 64 /* messages handed to the kernel at once */

/* --- the heap */

static bool before(const struct publisher *a, const struct publisher *b)
{
	return a->schedule.due < b->schedule.due;
}

static void heap_push(struct loop *l, struct publisher *p)
{
	uint32_t i = l->nheap++;

	while (i > 0 && before(p, l->heap[(i - 1) / 2])) {
		l->heap[i] = l->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	l->heap[i] = p;
	p->queued = true;
}

static struct publisher *heap_pop(struct loop *l)
{
	struct publisher *top = l->heap[0], *last = l->heap[--l->nheap];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < l->nheap) {
		if (child + 1 < l->nheap && before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!before(l->heap[child], last))
			break;
		l->heap[i] = l->heap[child];
		i = child;
	}
	l->heap[i] = last;
	top->queued = false;
	return top;
}

/* --- what may go out */

static bool window_full(const struct run *r, const struct publisher *p, uint64_t number)
{
	return r->acks && number - p->unacked >= r->window;
}

/* Whether message `number`, the next, is to go out now. */
static bool may_send(const struct loop *l, const struct publisher *p, uint64_t number)
{
	const struct run *r = l->run;

	if (window_full(r, p, number))
		return false;
	if (r->closed)
		return p->under_way + (number - p->sent) < r->closed && l->now < r->to_ns;
	return p->schedule.due <= l->now && p->schedule.due < r->to_ns;
}

static bool connected(const struct publisher *p)
{
	return p->member->state == MEMBER_JOINED && !p->member->conn.out_len;
}

static const struct template *template_of(const struct run *r, const struct publisher *p,
					  uint64_t number)
{
	return &r->messages[(p->index + number * r->npublishers) % r->nmessages];
}

/* Frames one message; returns where its frame ends. */
static size_t put_message(struct loop *l, const struct publisher *p, size_t at,
			  const struct mark *m)
{
	size_t len;

	if (l->run->crowd) {
		len = crowd_write(l->run, l->text, p->index, m->number);
	} else {
		const struct template *t = template_of(l->run, p, m->number);

		template_write(t, l->text, m, p->session);
		len = t->len;
	}
	return at + bench_conn_frame(&l->io, &p->member->conn, l->frames + at, l->text, len);
}

/* --- handing over */

struct batch {
	size_t end[BATCH]; /* of each frame */
	uint64_t number[BATCH], due[BATCH];
	struct schedule schedule[BATCH]; /* before it */
	unsigned n;
};

/* Writes the frames; returns how many messages the kernel has begun to take, and keeps the rest of
 * the last of them. Negative: the connection is gone. */
static int hand_over(struct loop *l, struct publisher *p, const struct batch *b)
{
	struct bench_conn *c = &p->member->conn;
	size_t all = b->n ? b->end[b->n - 1] : 0;
	ssize_t put = all ? bench_conn_write(&l->io, c, l->frames, all) : 0;
	unsigned n = 0;

	if (put < 0)
		goto lost;
	while (n < b->n && b->end[n] <= (size_t)put)
		n++;
	if (n < b->n && (size_t)put > (n ? b->end[n - 1] : 0)) {
		if (bench_conn_rest(&l->io, c, l->frames + put, b->end[n] - (size_t)put) ==
		    CONN_LOST)
			goto lost;
		n++;
	} else if (n < b->n) {
		/* Nothing of the next one: epoll tells when there is room. */
		bench_conn_block(&l->io, c);
	}
	return (int)n;
lost:
	bench_member_fail(l, p->member, l->io.why);
	return -1;
}

static void note_sent(struct loop *l, struct publisher *p, const struct batch *b, unsigned n,
		      uint64_t sent_ns)
{
	const struct run *r = l->run;

	for (unsigned i = 0; i < n && r->acks; i++) {
		p->due_ns[b->number[i] % WINDOW] = b->due[i];
		p->sent_ns[b->number[i] % WINDOW] = sent_ns;
	}
	l->counts.sent += n;
	p->under_way += n;
	p->again += n;
	atomic_fetch_add_explicit(&p->sent, n, memory_order_relaxed);
	atomic_fetch_add_explicit(&r->session[p->session].published, n, memory_order_relaxed);
}

/* One batch of what is due. Returns whether there may be more. */
static bool send_batch(struct loop *l, struct publisher *p, bool timely)
{
	const struct run *r = l->run;
	struct batch b;
	uint64_t number = p->sent, now = clock_mono_ns();
	size_t at = 0;
	int taken;

	for (b.n = 0; b.n < BATCH && may_send(l, p, number); b.n++, number++) {
		struct mark m = {.number = number, .publisher = p->index, .due = p->schedule.due};

		if (at + r->message_max + WSIO_HEADER_MAX > l->frames_cap)
			break;
		if (r->closed)
			m.due = now;
		m.late = now > m.due ? now - m.due : 0;
		if (timely && !r->closed && l->measuring)
			hist_add(&l->metric[METRIC_LAG], m.late);
		b.schedule[b.n] = p->schedule;
		b.number[b.n] = number;
		b.due[b.n] = m.due;
		at = put_message(l, p, at, &m);
		b.end[b.n] = at;
		if (!r->closed)
			schedule_next(&p->schedule, &r->timetable, r->start_ns);
	}
	if (!b.n)
		return false;
	taken = hand_over(l, p, &b);
	if (taken < (int)b.n)
		p->schedule = b.schedule[taken < 0 ? 0 : taken];
	if (taken > 0)
		note_sent(l, p, &b, (unsigned)taken, now);
	if (taken > 0 && r->crowd)
		crowd_moved(l, p->member);
	return taken == (int)b.n && connected(p);
}

/* One batch of what was sent on an earlier connection and has no ack. */
static bool repeat_batch(struct loop *l, struct publisher *p)
{
	struct batch b = {.n = 0};
	uint64_t now = clock_mono_ns(), number = p->again;
	size_t at = 0;
	int taken;

	for (; b.n < BATCH && number < p->sent; number++) {
		struct mark m = {.number = number, .publisher = p->index};

		m.due = p->due_ns[number % WINDOW];
		if (!m.due)
			continue;
		if (at + l->run->message_max + WSIO_HEADER_MAX > l->frames_cap)
			break;
		m.late = now - m.due;
		at = put_message(l, p, at, &m);
		b.end[b.n] = at;
		b.number[b.n++] = number;
	}
	taken = hand_over(l, p, &b);
	if (taken < 0)
		return false;
	p->again = taken < (int)b.n ? b.number[taken] : number;
	return taken == (int)b.n && connected(p);
}

static void go(struct loop *l, struct publisher *p, bool timely)
{
	const struct run *r = l->run;
	bool more = connected(p) && !p->member->conn.blocked;

	while (more && p->again < p->sent)
		more = repeat_batch(l, p);
	while (more)
		more = send_batch(l, p, timely);
	if (r->closed || p->queued || !connected(p) || p->member->conn.blocked ||
	    window_full(r, p, p->sent))
		return;
	if (p->schedule.due < r->to_ns)
		heap_push(l, p);
}

void publisher_go(struct loop *l, struct publisher *p)
{
	if (l->publishing && !p->queued)
		go(l, p, false);
}

void publisher_again(struct loop *l, struct publisher *p)
{
	if (l->run->acks)
		p->again = p->unacked;
	else
		p->under_way = 0;
	if (!l->publishing)
		return;
	/* Out of turn, for what has no ack; then in its turn. */
	while (p->again < p->sent && connected(p) && repeat_batch(l, p))
		;
	publisher_go(l, p);
}

void publisher_due(struct loop *l)
{
	while (l->nheap && l->heap[0]->schedule.due <= l->now)
		go(l, heap_pop(l), true);
}

void publisher_start(struct loop *l)
{
	const struct run *r = l->run;

	l->publishing = true;
	for (uint32_t i = l->index; i < r->npublishers; i += r->threads) {
		struct publisher *p = &r->publisher[i];

		schedule_start(&p->schedule, &r->timetable, i, r->start_ns);
		if (r->closed)
			p->schedule.due = r->start_ns;
		if (p->schedule.due < r->to_ns)
			heap_push(l, p);
	}
}

/* --- answers */

void publisher_answered(struct publisher *p)
{
	if (p->under_way)
		p->under_way--;
}

bool publisher_wants(const struct loop *l, const struct publisher *p)
{
	return l->run->closed && p->under_way <= l->run->closed / 2;
}

bool publisher_acked(struct publisher *p, uint64_t number, uint64_t *due_ns, uint64_t *sent_ns)
{
	if (number < p->unacked || number >= p->sent || !p->due_ns[number % WINDOW])
		return false;
	*due_ns = p->due_ns[number % WINDOW];
	*sent_ns = p->sent_ns[number % WINDOW];
	p->due_ns[number % WINDOW] = 0;
	while (p->unacked < p->sent && !p->due_ns[p->unacked % WINDOW])
		p->unacked++;
	publisher_answered(p);
	return true;
}

bool publisher_all_acked(const struct publisher *p)
{
	return p->unacked == p->sent;
}

uint64_t publisher_backlog(const struct loop *l, uint64_t before_ns, bool exact)
{
	const struct run *r = l->run;
	uint64_t n = 0;

	if (before_ns > r->to_ns)
		before_ns = r->to_ns;
	for (uint32_t i = l->index; i < r->npublishers && !r->closed; i += r->threads) {
		const struct publisher *p = &r->publisher[i];

		if (l->publishing && p->schedule.due < before_ns)
			n += schedule_count(&p->schedule, &r->timetable, r->start_ns, before_ns,
					    exact);
	}
	return n;
}

uint64_t publisher_rest(const struct loop *l)
{
	return publisher_backlog(l, l->run->to_ns, true);
}
