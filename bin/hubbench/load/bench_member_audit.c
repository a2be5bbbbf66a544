/* What a member should have: one stream for each numbering that it sees, the session's `seq` or
 * that of each publisher in it. */
#include <stdlib.h>

#include "load/audit.h"
#include "load/bench_member.h"
#include "load/crowd.h"
#include "load/publisher.h"
#include "plan/need.h"

/* The publisher that a stream is of, where publishers number. Client i is in session i mod
 * sessions, and the first clients publish. */
static const struct publisher *stream_publisher(const struct run *r, const struct member *m,
						uint32_t stream)
{
	return &r->publisher[m->session + stream * r->sessions];
}

/* The number behind the last that a stream should have. */
static uint64_t stream_target(const struct run *r, const struct member *m, uint32_t stream)
{
	const struct session *s = &r->session[m->session];
	const struct publisher *p;

	if (r->dialect->seq)
		return atomic_load(&s->head) + atomic_load(&s->published) + m->foreign + 1;
	p = stream_publisher(r, m, stream);
	return atomic_load_explicit(&p->sent, memory_order_relaxed);
}

/* Its own messages, where it does not get these. */
static bool stream_own(const struct run *r, const struct member *m, uint32_t stream)
{
	return !r->echo && !r->dialect->seq && stream_publisher(r, m, stream) == m->publisher;
}

void bench_member_start_streams(struct loop *l, struct member *m)
{
	const struct run *r = l->run;
	bool first = atomic_load(&r->phase) == PHASE_CONNECT;
	/* What a crowd's members get is conflated: it has no numbers of its own. */
	uint32_t n = r->dialect->seq || r->crowd ? 1 : r->session[m->session].publishers;

	if (m->streams) {
		for (uint32_t i = 0; i < n && !r->dialect->resumes; i++)
			stream_restart(&m->streams[i]);
		return;
	}
	m->streams = need(calloc(n ? n : 1, sizeof(*m->streams)));
	m->nstreams = n;
	/* Who comes in the middle cannot know what was under way. */
	for (uint32_t i = 0; i < n; i++)
		m->streams[i].next = first ? 0 : STREAM_ANY;
}

bool bench_member_settled(const struct loop *l, const struct member *m)
{
	if (m->state == MEMBER_FAILED)
		return true;
	if (m->state != MEMBER_JOINED)
		return false;
	if (l->run->crowd)
		return crowd_settled(l->run, m);
	for (uint32_t i = 0; i < m->nstreams; i++)
		if (!stream_own(l->run, m, i) &&
		    !stream_complete(&m->streams[i], stream_target(l->run, m, i)))
			return m->broken;
	return !l->run->acks || !m->publisher || publisher_all_acked(m->publisher);
}

void bench_member_audit(struct loop *l, struct member *m, bool left)
{
	for (uint32_t i = 0; i < m->nstreams; i++) {
		struct stream *s = &m->streams[i];
		uint64_t end = left || m->broken ? 0 : stream_target(l->run, m, i);

		if (stream_own(l->run, m, i))
			end = 0;
		/* It was told that it is not there, and what it has missed is not lost in silence.
		 */
		else if (m->state != MEMBER_JOINED && end)
			stream_withhold(s, end - 1);
		/* A log that has more than was published has something twice. */
		if (l->run->dialect->seq && end && s->next != STREAM_ANY && s->next > end) {
			l->audit.duplicated += s->next - end;
			l->audit.delivered -= s->next - end;
		}
		stream_end(s, end, &l->audit);
	}
	free(m->streams);
	m->streams = NULL;
	m->nstreams = 0;
}
