/* A member's states. Whatever goes wrong ends in bench_member_drop(), after which the connection is
 * closed and the member is idle or given up. */
#include "load/bench_member.h"

#include <stdlib.h>

#define ATTEMPTS 3	   /* of a client that never was a member */
#define ATTEMPTS_AWAY 20   /* of one that was */
#define DELAY_NS (50 * MS) /* before the second attempt; doubles, up to 64 times */

static uint32_t *count_of(struct loop *l, enum member_state state)
{
	switch (state) {
	case MEMBER_IDLE:
		return &l->idle;
	case MEMBER_CONNECTING:
	case MEMBER_JOINING:
		return &l->pending;
	case MEMBER_JOINED:
		return &l->joined;
	case MEMBER_FAILED:
		return &l->failed;
	default:
		return NULL;
	}
}

void bench_member_set(struct loop *l, struct member *m, enum member_state state)
{
	uint32_t *from = count_of(l, m->state), *to = count_of(l, state);

	if (from)
		--*from;
	if (to)
		++*to;
	m->state = (uint8_t)state;
	m->since_ns = l->now;
}

/* An idle one wants to open then. */
static void wake(struct loop *l, struct member *m, uint64_t wake_ns)
{
	m->wake_ns = wake_ns;
	if (wake_ns < l->wake_ns)
		l->wake_ns = wake_ns;
}

void bench_member_init(struct loop *l, struct member *m, uint32_t client, uint64_t wake_ns)
{
	*m = (struct member){.client = client, .state = MEMBER_IDLE};
	bench_conn_init(&m->conn);
	l->idle++;
	wake(l, m, wake_ns);
}

void bench_member_free(struct member *m)
{
	bench_conn_close(&m->conn);
	free(m->streams);
	free(m->seat);
	free(m->view);
	free(m->bases);
	m->bases = NULL;
	m->streams = NULL;
	m->seat = NULL;
	m->view = NULL;
}

void bench_member_drop(struct loop *l, struct member *m, uint64_t wake_ns)
{
	if (m->state == MEMBER_JOINED) {
		if (m->publisher && !l->run->acks)
			atomic_store(&l->run->session[m->session].unsure, true);
		m->away = true;
		if (!m->lost_ns)
			m->lost_ns = l->now;
	}
	bench_conn_close(&m->conn);
	m->refill = false;
	bench_member_set(l, m, MEMBER_IDLE);
	wake(l, m, wake_ns);
}

static uint64_t delay(struct loop *l, const struct member *m)
{
	unsigned doubled = m->attempts < 6 ? m->attempts : 6;
	uint64_t most = (uint64_t)DELAY_NS << doubled;

	return most / 2 + bench_io_random(&l->io) % (most / 2);
}

/* Any other than where it was. */
static void go_elsewhere(struct loop *l, struct member *m)
{
	uint32_t nodes = l->run->plan->nodes;

	if (nodes > 1)
		m->node = (m->node + 1 + (uint32_t)(bench_io_random(&l->io) % (nodes - 1))) % nodes;
}

void bench_member_fail(struct loop *l, struct member *m, const char *why)
{
	load_error(l->run, "client %u: %s", m->client, why);
	go_elsewhere(l, m);
	if (m->state == MEMBER_JOINED || m->state == MEMBER_LEAVING) {
		/* Who does not read has asked for it. */
		l->unasked += !m->slow;
		bench_member_drop(l, m,
				  l->now + bench_io_random(&l->io) % (2 * (uint64_t)DELAY_NS));
		return;
	}
	bench_member_drop(l, m, l->now + delay(l, m));
	if (++m->attempts >= (m->away ? ATTEMPTS_AWAY : ATTEMPTS))
		bench_member_set(l, m, MEMBER_FAILED);
}

void bench_member_say(struct loop *l, struct member *m, const char *text, size_t len)
{
	if (bench_conn_send(&l->io, &m->conn, text, len) == CONN_LOST)
		bench_member_fail(l, m, l->io.why);
}
