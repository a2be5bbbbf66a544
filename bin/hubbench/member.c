/* Members and what they get. See member.h. */
#include "member.h"

#include <stdlib.h>

#include "base/clock.h"
#include "conn.h"
#include "dialect.h"
#include "need.h"
#include "publish.h"

/* The publisher that a stream is of, where publishers number. Client i is in session i mod
 * sessions, and the first clients publish. */
static const struct publisher *stream_publisher(const struct run *r, const struct conn *c,
						uint32_t stream)
{
	return &r->publisher[c->session + stream * r->sessions];
}

/* The number behind the last that a stream should have. */
static uint64_t stream_target(const struct run *r, const struct conn *c, uint32_t stream)
{
	const struct session *s = &r->session[c->session];
	const struct publisher *p;

	if (r->dialect->seq)
		return atomic_load(&s->head) + atomic_load(&s->published) + c->foreign + 1;
	p = stream_publisher(r, c, stream);
	return atomic_load_explicit(&p->sent, memory_order_relaxed);
}

/* Its own messages, where it does not get these. */
static bool stream_own(const struct run *r, const struct conn *c, uint32_t stream)
{
	return !r->echo && !r->dialect->seq && stream_publisher(r, c, stream) == c->publisher;
}

static void start_streams(struct loop *l, struct conn *c)
{
	const struct run *r = l->run;
	bool first = atomic_load(&r->phase) == PHASE_CONNECT;
	uint32_t n = r->dialect->seq ? 1 : r->session[c->session].publishers;

	if (c->streams) {
		for (uint32_t i = 0; i < n && !r->dialect->resumes; i++)
			stream_restart(&c->streams[i]);
		return;
	}
	c->streams = need(calloc(n ? n : 1, sizeof(*c->streams)));
	c->nstreams = n;
	/* Who comes in the middle cannot know what was under way. */
	for (uint32_t i = 0; i < n; i++)
		c->streams[i].next = first ? 0 : STREAM_ANY;
}

void member_joined(struct loop *l, struct conn *c, bool timed)
{
	if (timed)
		hist_add(&l->metric[METRIC_JOIN], l->now - c->since_ns);
	if (c->away)
		l->reconnects++;
	conn_set_joined(l, c);
	start_streams(l, c);
	c->away = false;
	if (c->publisher)
		publish_again(l, c->publisher);
}

void member_leave(struct loop *l, struct conn *c)
{
	const struct dialect *d = l->run->dialect;

	if (!d->leave) {
		member_left(l, c);
		return;
	}
	conn_set_leaving(l, c);
	d->leave(l, c);
}

void member_left(struct loop *l, struct conn *c)
{
	member_audit(l, c, true);
	free(c->seat);
	c->seat = NULL;
	conn_set_leaving(l, c);
	c->away = false;
	c->lost_ns = 0;
	c->foreign = 0;
	conn_drop(l, c, l->now);
}

/* When it came first and last, over all receivers. */
static void spread_note(struct loop *l, const struct mark *m, uint64_t latency)
{
	uint64_t i = m->number * l->run->npublishers + m->publisher;
	struct spread *s;

	if (i >= SPREADS_MAX)
		return;
	s = &l->spread[i];
	if (!s->first)
		s->first = latency + 1;
	if (latency + 1 > s->last)
		s->last = latency + 1;
}

void member_deliver(struct loop *l, struct conn *c, const struct mark *m)
{
	uint64_t latency = l->now > m->due ? l->now - m->due : 0;
	struct publisher *own = c->publisher;

	l->counts.delivered++;
	if (c->lost_ns) {
		hist_add(&l->metric[METRIC_RESUME], l->now - c->lost_ns);
		c->lost_ns = 0;
	}
	if (m->due - l->window_from < l->window_span && !c->slow) {
		hist_add(&l->metric[METRIC_EVERY], latency);
		hist_add(&l->metric[METRIC_EVERY_SENT], latency > m->late ? latency - m->late : 0);
		if (l->spread)
			spread_note(l, m, latency);
	}
	if (own && own->index == m->publisher && !l->run->acks) {
		if (l->run->answered && m->due - l->window_from < l->window_span) {
			hist_add(&l->metric[METRIC_ACK], latency);
			hist_add(&l->metric[METRIC_ACK_SENT],
				 latency > m->late ? latency - m->late : 0);
			l->counts.acked++;
		}
		publish_answered(own);
		c->refill |= publish_wants(l, own);
	}
}

void member_acked(struct loop *l, struct conn *c, uint64_t number)
{
	struct publisher *p = c->publisher;
	uint64_t due, sent;

	if (!p || !publish_acked(p, number, &due, &sent))
		return;
	l->counts.acked++;
	if (due - l->window_from < l->window_span) {
		hist_add(&l->metric[METRIC_ACK], l->now > due ? l->now - due : 0);
		hist_add(&l->metric[METRIC_ACK_SENT], l->now > sent ? l->now - sent : 0);
	}
	c->refill = true;
}

void member_refused(struct loop *l, struct conn *c, uint64_t number, const char *code)
{
	uint64_t due, sent;

	run_error(l->run, "client %u: refused: %s", c->client, code);
	l->errors++;
	if (!c->publisher)
		return;
	atomic_fetch_sub(&l->run->session[c->session].published, 1);
	if (!l->run->acks)
		publish_answered(c->publisher);
	else if (number != NEVER)
		publish_acked(c->publisher, number, &due, &sent);
	c->refill = true;
}

bool member_settled(const struct loop *l, const struct conn *c)
{
	if (c->state == CONN_FAILED)
		return true;
	if (c->state != CONN_JOINED)
		return false;
	for (uint32_t i = 0; i < c->nstreams; i++)
		if (!stream_own(l->run, c, i) &&
		    !stream_complete(&c->streams[i], stream_target(l->run, c, i)))
			return c->broken;
	return !l->run->acks || !c->publisher || publish_all_acked(c->publisher);
}

void member_audit(struct loop *l, struct conn *c, bool left)
{
	for (uint32_t i = 0; i < c->nstreams; i++) {
		struct stream *s = &c->streams[i];
		uint64_t end = left || c->broken ? 0 : stream_target(l->run, c, i);

		if (stream_own(l->run, c, i))
			end = 0;
		/* It was told that it is not there, and what it has missed is not lost in silence.
		 */
		else if (c->state != CONN_JOINED && end)
			stream_withhold(s, end - 1);
		/* A log that has more than was published has something twice. */
		if (l->run->dialect->seq && end && s->next != STREAM_ANY && s->next > end) {
			l->audit.duplicated += s->next - end;
			l->audit.delivered -= s->next - end;
		}
		stream_end(s, end, &l->audit);
	}
	free(c->streams);
	c->streams = NULL;
	c->nstreams = 0;
}
