/* What is said and heard. A member's streams begin when it has joined, and end when it has left;
 * what comes at another time than that is none of its messages. */
#include "load/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "load/audit.h"
#include "load/bench_member.h"
#include "load/crowd.h"
#include "load/measure.h"
#include "load/publisher.h"
#include "plan/need.h"
#include "speak/guess.h"

#define FULL_NS (2 * MS) /* where the server's queue of new connections is full */

/* --- coming and going */

/* timed: the server was asked and has answered. */
static void joined(struct loop *l, struct member *m, bool timed)
{
	if (timed)
		hist_add(&l->metric[METRIC_JOIN], l->now - m->since_ns);
	if (m->away) {
		l->reconnects++;
		hist_add(&l->metric[METRIC_BACK], l->now - m->try_ns);
	}
	m->try_ns = 0;
	bench_member_set(l, m, MEMBER_JOINED);
	m->attempts = 0;
	bench_member_start_streams(l, m);
	crowd_joined(l, m);
	m->away = false;
	if (m->publisher)
		publisher_again(l, m->publisher);
}

/* Says what makes it a member; where that has no answer, it is one at once. */
static void join(struct loop *l, struct member *m)
{
	const struct run *r = l->run;
	struct dialect_client who = {.session = m->session};
	struct buf text = {0};
	int said;

	if (m->away && m->streams && m->seat) {
		who.seat = m->seat;
		who.since = m->streams->next - 1;
	}
	if (r->crowd && r->plan->crowd.area > 0)
		who.area = crowd_area(r, m);
	said = r->dialect->join(&r->script, &who, &text);
	if (said < 0)
		err_die(EX_OSERR, "out of memory");
	if (said)
		bench_member_say(l, m, text.data, text.len);
	buf_free(&text);
	if (!r->dialect->answers && m->conn.fd >= 0)
		joined(l, m, r->dialect->greets);
}

static void greet(struct loop *l, struct member *m)
{
	const struct run *r = l->run;
	struct dialect_client who = {.session = m->session};
	struct buf text = {0};

	if (r->dialect->hello(&r->script, &who, &text) < 0)
		err_die(EX_OSERR, "out of memory");
	bench_member_say(l, m, text.data, text.len);
	buf_free(&text);
}

/* It has got all that was for it. */
static void left(struct loop *l, struct member *m)
{
	bench_member_audit(l, m, true);
	free(m->seat);
	m->seat = NULL;
	bench_member_set(l, m, MEMBER_LEAVING);
	m->away = false;
	m->lost_ns = m->try_ns = 0;
	m->foreign = m->order = 0;
	bench_member_drop(l, m, l->now);
}

void talk_leave(struct loop *l, struct member *m)
{
	const char *leave = l->run->dialect->leave;

	if (!leave) {
		left(l, m);
		return;
	}
	bench_member_set(l, m, MEMBER_LEAVING);
	bench_member_say(l, m, leave, strlen(leave));
}

/* --- messages */

/* One of the run's has come, for the first time. */
static void deliver(struct loop *l, struct member *m, const struct mark *mark)
{
	uint64_t latency = l->now > mark->due ? l->now - mark->due : 0;
	struct publisher *own = m->publisher;

	l->counts.delivered++;
	if (m->lost_ns) {
		hist_add(&l->metric[METRIC_RESUME], l->now - m->lost_ns);
		m->lost_ns = 0;
	}
	if (measure_counts(l, mark->due) && !m->slow)
		measure_delivery(l, mark, latency);
	if (own && own->index == mark->publisher && !l->run->acks) {
		if (l->run->answered && measure_counts(l, mark->due)) {
			measure_ack(l, latency, latency > mark->late ? latency - mark->late : 0);
			l->counts.acked++;
		}
		publisher_answered(own);
		m->refill |= publisher_wants(l, own);
	}
}

/* A sum, so that it does not matter what came twice or late. */
static void note_order(struct member *m, const struct mark *mark, uint64_t seq)
{
	uint64_t x = seq * 0x9e3779b97f4a7c15u ^ mark->number * 0xc2b2ae3d27d4eb4fu ^
		     (uint64_t)mark->publisher << 40;

	x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9u;
	m->order += x ^ x >> 29;
}

/* Whether the mark is of a publisher in the member's session. */
static bool is_ours(const struct run *r, const struct member *m, const struct mark *mark)
{
	return mark->publisher < r->npublishers && mark->publisher % r->sessions == m->session;
}

/* A message that the server numbers. */
static void take_message(struct loop *l, struct member *m, const struct dialect_news *news)
{
	if (!m->streams || !is_ours(l->run, m, &news->mark))
		l->audit.unknown++;
	else if (m->broken)
		l->counts.delivered++;
	else if (stream_take(m->streams, news->seq, &l->audit) <= STREAM_LATE) {
		if (l->run->ordered)
			note_order(m, &news->mark, news->seq);
		deliver(l, m, &news->mark);
	}
}

/* Messages that publishers number; p: the first mark. */
static void take_marks(struct loop *l, struct member *m, const char *p, const char *end)
{
	const struct run *r = l->run;

	if (m->state != MEMBER_JOINED) {
		l->audit.unknown++;
		return;
	}
	for (; p; p = script_next_mark(&r->script, p, end)) {
		struct mark mark;

		if (!mark_read(p, &mark) || !is_ours(r, m, &mark)) {
			l->audit.unknown++;
			p += MARK_RUN_LEN;
			continue;
		}
		p += MARK_LEN;
		if (stream_take(&m->streams[mark.publisher / r->sessions], mark.number,
				&l->audit) <= STREAM_LATE)
			deliver(l, m, &mark);
	}
}

/* A record of another member: it has its place in the log all the same. */
static void take_foreign(struct loop *l, struct member *m, uint64_t seq)
{
	struct audit_counts aside = {0};

	l->audit.unknown++;
	if (m->streams && seq != DIALECT_NO_NUMBER &&
	    stream_take(m->streams, seq, &aside) == STREAM_NEW)
		m->foreign++;
}

/* --- answers */

static void take_joined(struct loop *l, struct member *m, const struct dialect_news *news)
{
	bool back = m->away && m->streams;

	if (!m->seat)
		m->seat = need(calloc(1, sizeof(*m->seat)));
	if (back && m->seat->epoch[0] && strcmp(news->seat.epoch, m->seat->epoch) != 0) {
		load_error(l->run, "client %u: the session is a new one", m->client);
		m->broken = true;
	}
	*m->seat = news->seat;
	joined(l, m, true);
	if (!back) {
		m->streams->next = news->seq + 1;
		m->late = atomic_load(&l->run->phase) != PHASE_CONNECT;
		if (atomic_load(&l->run->phase) == PHASE_CONNECT)
			atomic_store(&l->run->session[m->session].head, news->seq);
		/* State records of before the join. */
		if (news->snapshot)
			stream_withhold(m->streams, news->seq);
	} else if (!news->recovered && !m->broken) {
		stream_withhold(m->streams, news->seq);
	}
}

static void take_ack(struct loop *l, struct member *m, uint64_t number)
{
	struct publisher *p = m->publisher;
	uint64_t due, sent;

	if (!p || !publisher_acked(p, number, &due, &sent))
		return;
	l->counts.acked++;
	if (measure_counts(l, due))
		measure_ack(l, l->now > due ? l->now - due : 0, l->now > sent ? l->now - sent : 0);
	m->refill = true;
}

/* The server has refused one of its messages, or does not let it in. */
static void take_refused(struct loop *l, struct member *m, const struct dialect_news *news)
{
	uint64_t due, sent;

	load_error(l->run, "client %u: refused: %.*s", m->client, (int)news->len, news->p);
	l->errors++;
	if (!m->publisher)
		return;
	atomic_fetch_sub(&l->run->session[m->session].published, 1);
	if (!l->run->acks)
		publisher_answered(m->publisher);
	else if (news->number != DIALECT_NO_NUMBER)
		publisher_acked(m->publisher, news->number, &due, &sent);
	m->refill = true;
}

static void take_denied(struct loop *l, struct member *m, const struct dialect_news *news)
{
	char why[128];

	snprintf(why, sizeof(why), "refused%s%.*s", news->len ? ": " : "", (int)news->len, news->p);
	bench_member_fail(l, m, why);
}

/* Something that is none of ours: perhaps the server speaks otherwise, as its first words tell. */
static void take_strange(struct loop *l, const struct member *m, const char *p, size_t len)
{
	const struct dialect *d;

	if (l->counts.delivered || m->away)
		return;
	d = guess_message(p, len);
	if (d && d != l->run->dialect)
		atomic_store(&l->run->other, d);
}

void talk_take(struct loop *l, struct member *m, const char *p, size_t len)
{
	const struct run *r = l->run;
	struct dialect_news news;

	switch (r->dialect->take(&r->script, p, len, &news)) {
	case DIALECT_NOTHING:
		take_strange(l, m, p, len);
		break;
	case DIALECT_UNKNOWN:
		take_strange(l, m, p, len);
		l->audit.unknown++;
		break;
	case DIALECT_BAD:
		take_strange(l, m, p, len);
		load_error(l->run, "client %u: what came is not JSON", m->client);
		l->audit.unknown++;
		break;
	case DIALECT_MESSAGE:
		take_message(l, m, &news);
		break;
	case DIALECT_MARKS:
		take_marks(l, m, news.p, p + len);
		break;
	case DIALECT_FOREIGN:
		take_foreign(l, m, news.seq);
		break;
	case DIALECT_GAP:
		if (m->streams)
			stream_withhold(m->streams, news.seq);
		break;
	case DIALECT_ACK:
		take_ack(l, m, news.number);
		break;
	case DIALECT_REFUSED:
		if (m->state == MEMBER_JOINING)
			take_denied(l, m, &news);
		else
			take_refused(l, m, &news);
		break;
	case DIALECT_OPENED:
		if (m->state == MEMBER_JOINING)
			greet(l, m);
		break;
	case DIALECT_GREETED:
		if (m->state == MEMBER_JOINING)
			join(l, m);
		break;
	case DIALECT_JOINED:
		if (m->state == MEMBER_JOINING)
			take_joined(l, m, &news);
		break;
	case DIALECT_LEFT:
		if (m->state == MEMBER_LEAVING)
			left(l, m);
		break;
	case DIALECT_DENIED:
		take_denied(l, m, &news);
		break;
	case DIALECT_SAY:
		bench_member_say(l, m, news.p, news.len);
		break;
	}
}

/* --- getting there */

/* A step is done: it is noted how long it took, and the next begins. */
static void end_step(struct loop *l, struct member *m, enum metric metric)
{
	hist_add(&l->metric[metric], l->now - m->since_ns);
	m->since_ns = l->now;
}

void talk_stands(struct loop *l, struct member *m)
{
	bench_member_set(l, m, MEMBER_JOINING);
	if (!l->run->dialect->greets)
		join(l, m);
}

static enum conn_step upgrade(struct loop *l, struct member *m)
{
	enum conn_step step;
	size_t len;
	/* Where rooms are in the URL, the path has {session} in it. */
	char *request = need(template_for_session(l->run->request[m->node], m->session, &len));

	step = bench_conn_upgrade(&l->io, &m->conn, request, len);
	free(request);
	return step;
}

/* As far as it gets without waiting. */
static void proceed(struct loop *l, struct member *m, enum conn_step step)
{
	if (step == CONN_CONNECTED) {
		/* To the server: of a proxy's way there the first of two does not count. */
		if (!m->conn.target->tunnel || m->conn.tunnelled)
			end_step(l, m, METRIC_CONNECT);
		step = bench_conn_secure(&l->io, &m->conn);
	}
	if (step == CONN_SECURE) {
		if (m->conn.tls) {
			l->now = clock_mono_ns();
			end_step(l, m, METRIC_TLS);
		}
		step = upgrade(l, m);
	}
	if (step == CONN_STANDS)
		talk_stands(l, m);
	else if (step == CONN_LOST)
		bench_member_fail(l, m, l->io.why);
}

void talk_open(struct loop *l, struct member *m)
{
	enum conn_step step;

	l->now = clock_mono_ns();
	if (m->away && !m->try_ns)
		m->try_ns = l->now;
	bench_member_set(l, m, MEMBER_CONNECTING);
	step = bench_conn_open(&l->io, &m->conn, &l->run->target[m->node], m->client, m->slow);
	if (step == CONN_FULL) {
		bench_member_drop(l, m, l->now + FULL_NS);
		return;
	}
	if (step == CONN_CONNECTED)
		l->now = clock_mono_ns();
	proceed(l, m, step);
}

void talk_timeout(struct loop *l, struct member *m, unsigned seconds)
{
	const char *stage = bench_conn_stage(&m->conn);
	char why[64];

	snprintf(why, sizeof(why), "%s: no answer for %u seconds", stage ? stage : "join", seconds);
	bench_member_fail(l, m, why);
}

/* --- reading */

/* All that is whole. Returns false when the connection is gone. */
static bool take_all(struct loop *l, struct member *m, size_t n)
{
	struct bench_conn *c = &m->conn;
	struct wsio_message text;
	enum conn_step step = bench_conn_feed(&l->io, c, n);

	while (step != CONN_LOST && (step = bench_conn_next(&l->io, c, &text)) > CONN_LOST) {
		if (step == CONN_MESSAGE) {
			if (!l->run->crowd || m->state != MEMBER_JOINED ||
			    !crowd_take(l, m, text.p, text.len))
				talk_take(l, m, text.p, text.len);
		} else {
			end_step(l, m, METRIC_HANDSHAKE);
			talk_stands(l, m);
		}
		if (c->fd < 0)
			return false;
	}
	if (step == CONN_LOST)
		bench_member_fail(l, m, l->io.why);
	return step != CONN_LOST;
}

static void receive(struct loop *l, struct member *m)
{
	bool counts = crowd_counts_only(l->run, m);
	ssize_t n;

	do {
		n = counts ? bench_conn_discard(&l->io, &m->conn)
			   : bench_conn_read(&l->io, &m->conn);
		/* One look at the clock for all that came together. */
		l->now = clock_mono_ns();
		if (n == 0)
			break;
		if (n < 0) {
			bench_member_fail(l, m, l->io.why);
			return;
		}
		measure_due(l);
		if (m->conn.fd < 0)
			return;
		l->counts.bytes_in += (uint64_t)n;
		if (m->view && l->measuring)
			l->observed_bytes += (uint64_t)n;
		if (!counts && !take_all(l, m, (size_t)n))
			return;
	} while (m->conn.tls);
	if (m->refill) {
		m->refill = false;
		publisher_go(l, m->publisher);
	}
}

void talk_ready(struct loop *l, struct member *m, uint32_t events)
{
	enum conn_step step = bench_conn_ready(&l->io, &m->conn, events);

	if (step & CONN_FLUSHED && m->publisher)
		publisher_go(l, m->publisher);
	if (!(step & CONN_READABLE))
		proceed(l, m, step);
	else if (m->conn.fd >= 0)
		receive(l, m);
}
