/* A thread: waits for sockets and for what is due, and looks at what the run wants of it at every
 * tick. Nothing waits for long in between, so that what is due goes out at its time. */
#include "load/loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "load/bench_member.h"
#include "load/crowd.h"
#include "load/measure.h"
#include "load/publisher.h"
#include "load/talk.h"
#include "net/ahead.h"

#define EVENTS 512
#define TICK_NS (10 * MS)
#define PENDING_MAX 256 /* connections on their way at a time */
#define OPEN_MAX 8	/* begun in one turn, so that they do not wait for each other */
#define TIMEOUT_S 10	/* without an answer */
#define TIMEOUT_EVERY_NS (250 * MS)
#define FRAMES_LEN (64u << 10)

/* --- what the run wants */

static void open_idle(struct loop *l)
{
	uint64_t soonest = NEVER;
	unsigned opened = 0;

	for (uint32_t i = 0; i < l->nmembers && l->idle; i++) {
		struct member *m = &l->members[i];

		if (m->state != MEMBER_IDLE)
			continue;
		if (m->wake_ns > l->now) {
			soonest = m->wake_ns < soonest ? m->wake_ns : soonest;
		} else if (l->pending < PENDING_MAX && opened++ < OPEN_MAX) {
			talk_open(l, m);
			if (m->state == MEMBER_IDLE && m->wake_ns < soonest)
				soonest = m->wake_ns;
		} else {
			soonest = l->now;
			break;
		}
	}
	l->wake_ns = soonest;
}

static void check_timeouts(struct loop *l)
{
	if (l->now < l->timeout_ns || !l->pending)
		return;
	l->timeout_ns = l->now + TIMEOUT_EVERY_NS;
	for (uint32_t i = 0; i < l->nmembers; i++) {
		struct member *m = &l->members[i];

		if ((m->state == MEMBER_CONNECTING || m->state == MEMBER_JOINING) &&
		    l->now > m->since_ns && l->now - m->since_ns > TIMEOUT_S * (uint64_t)SECOND)
			talk_timeout(l, m, TIMEOUT_S);
	}
}

/* Members go one after the other, evenly over the time, and others come in their places. */
static void churn(struct loop *l)
{
	const struct run *r = l->run;
	uint64_t until = l->now < r->to_ns ? l->now : r->to_ns, wanted;

	if (r->plan->churn <= 0 || l->now < r->start_ns)
		return;
	wanted = (uint64_t)((double)(until - r->start_ns) / 1e9 * r->plan->churn / r->threads);
	for (uint32_t looked = 0; l->churned < wanted && looked < l->nmembers; looked++) {
		struct member *m = &l->members[l->churn_at++ % l->nmembers];

		if (m->state == MEMBER_JOINED && !m->publisher) {
			talk_leave(l, m);
			l->churned++;
		}
	}
}

/* All at once, without a word. Where nothing that was missed comes again, publishers stay. */
static void storm(struct loop *l)
{
	if (l->stormed || l->now < l->run->storm_ns)
		return;
	l->stormed = true;
	for (uint32_t i = 0; i < l->nmembers; i++)
		if (l->members[i].state == MEMBER_JOINED &&
		    (l->run->dialect->resumes || !l->members[i].publisher))
			bench_member_drop(l, &l->members[i], l->now);
}

/* A signal goes to one process, from one thread. */
static void kill_node(struct loop *l)
{
	pid_t pid = (pid_t)l->run->o->kill_node;

	if (l->killed || l->index || l->now < l->run->kill_ns)
		return;
	l->killed = true;
	if (kill(pid, SIGKILL) < 0)
		load_error(l->run, "--kill-node: %d: %s", (int)pid, strerror(errno));
}

static void pause_slow(struct loop *l)
{
	const struct run *r = l->run;
	bool slow = l->now >= r->slow_from_ns && l->now < r->slow_to_ns;

	if (slow == l->slowed)
		return;
	l->slowed = slow;
	for (uint32_t i = 0; i < l->nmembers; i++) {
		struct member *m = &l->members[i];

		if (!m->slow || m->conn.fd < 0 || (slow && m->state != MEMBER_JOINED))
			continue;
		bench_conn_pause(&l->io, &m->conn, slow);
	}
}

static void loop_tick(struct loop *l, int phase)
{
	/* Being late here is being late for everything. */
	if (l->measuring)
		hist_add(&l->metric[METRIC_LAG], l->now - l->tick_ns);
	l->tick_ns += TICK_NS;
	if (l->tick_ns <= l->now)
		l->tick_ns = l->now + TICK_NS;
	if (phase == PHASE_PUBLISH && !l->publishing) {
		measure_start(l);
		publisher_start(l);
	}
	measure_tick(l);
	check_timeouts(l);
	if (l->publishing) {
		churn(l);
		storm(l);
		kill_node(l);
		pause_slow(l);
	}
	measure_snapshot(l, phase);
}

/* --- waiting */

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / SECOND), (long)(ns % SECOND)};
}

static int loop_wait(struct loop *l, struct epoll_event *events)
{
	uint64_t until = l->tick_ns, left;
	struct timespec timeout;

	if (l->nheap && l->heap[0]->schedule.due < until)
		until = l->heap[0]->schedule.due;
	if (l->wake_ns < until && l->pending < PENDING_MAX)
		until = l->wake_ns;
	if (l->sample_ns < until)
		until = l->sample_ns;
	if (l->now < l->read_ns) {
		/* What comes gathers, but nothing that is due waits for that. */
		timeout = timespec_of(until < l->read_ns ? until : l->read_ns);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &timeout, NULL);
		if (until < l->read_ns)
			return 0;
		l->now = l->read_ns;
	}
	left = until > l->now ? until - l->now : 0;
	timeout = timespec_of(left);
	return epoll_pwait2(l->io.epoll, events, EVENTS, &timeout, NULL);
}

static void loop_due(struct loop *l)
{
	measure_due(l);
	publisher_due(l);
	if (l->sample_ns <= l->now)
		crowd_sample(l);
}

/* From the next of them, as many as can be at a time. */
static void read_ahead(struct loop *l, const struct epoll_event *events, int n)
{
	struct bench_conn *c[AHEAD_MAX];
	unsigned count = 0;

	for (int i = 0; i < n && i < AHEAD_MAX; i++) {
		struct member *m = events[i].data.ptr;

		if (events[i].events == EPOLLIN && !crowd_counts_only(l->run, m))
			c[count++] = &m->conn;
	}
	bench_conns_read(&l->io, c, count);
}

void *loop_main(void *loop)
{
	struct loop *l = loop;
	struct epoll_event events[EVENTS];
	int phase, n;

	prctl(PR_SET_TIMERSLACK, 1);
	l->now = clock_mono_ns();
	l->tick_ns = l->now + TICK_NS;
	while ((phase = atomic_load(&l->run->phase)) != PHASE_END) {
		n = loop_wait(l, events);
		l->now = clock_mono_ns();
		if (n > 0)
			l->read_ns = l->now + l->run->coalesce_ns;
		for (int i = 0; i < n; i++) {
			struct member *m = events[i].data.ptr;

			if (i % AHEAD_MAX == 0)
				read_ahead(l, events + i, n - i);
			_Static_assert(offsetof(struct member, conn) == 0, "see load.h");
			if (m->conn.fd >= 0)
				talk_ready(l, m, events[i].events);
			loop_due(l);
		}
		loop_due(l);
		if (l->idle && l->wake_ns <= l->now && l->pending < PENDING_MAX)
			open_idle(l);
		if (l->now >= l->tick_ns)
			loop_tick(l, phase);
	}
	return NULL;
}

/* --- beginning and end */

int loop_init(struct loop *l, struct run *r, unsigned index)
{
	uint32_t most = (r->clients + r->threads - 1) / r->threads;
	int err;

	memset(l, 0, sizeof(*l));
	l->run = r;
	l->index = index;
	l->wake_ns = l->edge_ns = NEVER;
	l->sample_ns = r->crowd ? 0 : NEVER;
	pthread_mutex_init(&l->mutex, NULL);
	err = bench_io_init(&l->io, r->timetable.seed * 2 + 2 * index + 1);
	if (err < 0)
		return err;
	l->io.deflate = r->o->deflate;
	l->frames_cap = FRAMES_LEN + r->message_max + WSIO_HEADER_MAX;
	l->members = calloc(most ? most : 1, sizeof(*l->members));
	l->heap = calloc(r->npublishers / r->threads + 1, sizeof(struct publisher *));
	l->text = malloc(r->message_max + 1);
	l->frames = malloc(l->frames_cap);
	if (!l->members || !l->heap || !l->text || !l->frames)
		return -ENOMEM;
	for (uint32_t i = index; i < r->clients; i += r->threads) {
		struct member *m = &l->members[l->nmembers++];
		double at = r->plan->ramp_s * 1e9 * i / r->clients;

		bench_member_init(l, m, i, r->begin_ns + (uint64_t)at);
		m->session = i % r->sessions;
		/* Those of each session are everywhere. */
		m->node = (i % r->sessions + i / r->sessions) % r->plan->nodes;
		m->slow = i >= r->clients - r->plan->slow;
		if (i < r->npublishers) {
			m->publisher = &r->publisher[i];
			m->publisher->member = m;
		}
	}
	return 0;
}

void loop_free(struct loop *l)
{
	for (uint32_t i = 0; i < l->nmembers; i++)
		bench_member_free(&l->members[i]);
	measure_free(l);
	bench_io_free(&l->io);
	pthread_mutex_destroy(&l->mutex);
	free(l->members);
	free(l->heap);
	free(l->text);
	free(l->frames);
}
