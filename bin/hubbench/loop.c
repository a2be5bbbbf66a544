/* A thread: waits for sockets and for what is due, and ten times in a second or oftener looks at
 * what the run wants of it. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "conn.h"
#include "dialect.h"
#include "member.h"
#include "publish.h"

#define EVENTS 512
#define TICK_NS (10 * MS)
#define PENDING_MAX 256 /* connections on their way at a time */
#define OPEN_MAX 8	/* begun in one turn, so that they do not wait for each other */
#define TIMEOUT_NS (10 * (uint64_t)SECOND)
#define TIMEOUT_EVERY_NS (250 * MS)
#define FRAMES_LEN (64u << 10)

/* --- CPU time */

static double thread_cpu(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_THREAD, &u) < 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- what the run wants */

static void open_idle(struct loop *l)
{
	uint64_t soonest = NEVER;
	unsigned opened = 0;

	for (uint32_t i = 0; i < l->nconns && l->idle; i++) {
		struct conn *c = &l->conns[i];

		if (c->state != CONN_IDLE)
			continue;
		if (c->wake_ns > l->now) {
			soonest = c->wake_ns < soonest ? c->wake_ns : soonest;
		} else if (l->pending < PENDING_MAX && opened++ < OPEN_MAX) {
			conn_open(l, c);
			if (c->state == CONN_IDLE && c->wake_ns < soonest)
				soonest = c->wake_ns;
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
	for (uint32_t i = 0; i < l->nconns; i++) {
		struct conn *c = &l->conns[i];

		if (c->state >= CONN_CONNECTING && c->state <= CONN_JOINING &&
		    l->now - c->since_ns > TIMEOUT_NS && l->now > c->since_ns)
			conn_timeout(l, c);
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
	for (uint32_t looked = 0; l->churned < wanted && looked < l->nconns; looked++) {
		struct conn *c = &l->conns[l->churn_at++ % l->nconns];

		if (c->state == CONN_JOINED && !c->publisher) {
			member_leave(l, c);
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
	for (uint32_t i = 0; i < l->nconns; i++)
		if (l->conns[i].state == CONN_JOINED &&
		    (l->run->dialect->resumes || !l->conns[i].publisher))
			conn_drop(l, &l->conns[i], l->now);
}

static void pause_slow(struct loop *l)
{
	const struct run *r = l->run;
	bool slow = l->now >= r->slow_from_ns && l->now < r->slow_to_ns;

	if (slow == l->slowed)
		return;
	l->slowed = slow;
	for (uint32_t i = 0; i < l->nconns; i++) {
		struct conn *c = &l->conns[i];

		if (!c->slow || c->fd < 0 || (slow && c->state != CONN_JOINED))
			continue;
		c->paused = slow;
		conn_watch(l, c);
	}
}

static bool all_settled(const struct loop *l)
{
	for (uint32_t i = 0; i < l->nconns; i++)
		if (!member_settled(l, &l->conns[i]))
			return false;
	return true;
}

static void take_snapshot(struct loop *l, int phase)
{
	struct snapshot *s = &l->snapshot;
	unsigned wanted = atomic_load(&l->run->snap);
	uint64_t backlog;

	if (s->number == wanted)
		return;
	backlog = l->publishing ? publish_backlog(l, l->now, false) : 0;
	pthread_mutex_lock(&l->mutex);
	s->number = wanted;
	s->counts = l->counts;
	s->counts.due = l->counts.sent + backlog;
	s->backlog = backlog;
	s->joined = l->joined;
	s->failed = l->failed;
	s->sent_all = l->publishing && backlog == 0 && l->now >= l->run->to_ns;
	s->settled = phase == PHASE_DRAIN && all_settled(l);
	s->cpu_s = thread_cpu();
	s->every = l->metric[METRIC_EVERY];
	s->ack = l->metric[METRIC_ACK];
	pthread_mutex_unlock(&l->mutex);
}

void loop_edge(struct loop *l)
{
	static const enum metric of_messages[] = {METRIC_ACK, METRIC_ACK_SENT, METRIC_EVERY,
						  METRIC_EVERY_SENT, METRIC_LAG};
	const struct run *r = l->run;

	if (l->measuring) {
		l->edge_ns = NEVER;
		l->window_span = r->to_ns - r->from_ns;
		/* What was due until now and waits for this thread alone still counts. */
		publish_due(l);
		l->at_to = l->counts;
		l->cpu_s = thread_cpu() - l->cpu_s;
		l->measuring = false;
		return;
	}
	for (size_t i = 0; i < sizeof(of_messages) / sizeof(of_messages[0]); i++)
		memset(&l->metric[of_messages[i]], 0, sizeof(l->metric[0]));
	l->at_from = l->counts;
	l->at_from.due = l->counts.sent + publish_backlog(l, r->from_ns, true);
	l->cpu_s = thread_cpu();
	l->measuring = true;
	l->window_from = r->from_ns;
	l->window_span = r->to_ns - r->from_ns;
	l->edge_ns = r->to_ns;
	/* Where each message has one receiver, its first and last delivery are the same. */
	if (r->spread)
		l->spread = mmap(NULL, SPREADS_MAX * sizeof(*l->spread), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->spread == MAP_FAILED)
		l->spread = NULL;
}

static void start_publishing(struct loop *l)
{
	const struct run *r = l->run;

	l->window_from = r->start_ns;
	l->window_span = r->from_ns - r->start_ns;
	l->edge_ns = r->from_ns;
	publish_start(l);
}

static void loop_tick(struct loop *l, int phase)
{
	/* Being late here is being late for everything. */
	if (l->measuring)
		hist_add(&l->metric[METRIC_LAG], l->now - l->tick_ns);
	l->tick_ns += TICK_NS;
	if (l->tick_ns <= l->now)
		l->tick_ns = l->now + TICK_NS;
	if (phase == PHASE_PUBLISH && !l->publishing)
		start_publishing(l);
	if (l->edge_ns != NEVER)
		l->edge_ns =
		    l->measuring ? atomic_load(&l->run->to_ns) : atomic_load(&l->run->from_ns);
	if (l->now >= l->edge_ns)
		loop_edge(l);
	check_timeouts(l);
	if (l->publishing) {
		churn(l);
		storm(l);
		pause_slow(l);
	}
	take_snapshot(l, phase);
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
	return epoll_pwait2(l->epoll, events, EVENTS, &timeout, NULL);
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
			struct conn *c = events[i].data.ptr;

			if (c->fd >= 0)
				conn_ready(l, c, events[i].events);
			publish_due(l);
		}
		publish_due(l);
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

	memset(l, 0, sizeof(*l));
	l->run = r;
	l->index = index;
	l->wake_ns = l->edge_ns = NEVER;
	l->random = r->timetable.seed * 2 + 2 * index + 1;
	pthread_mutex_init(&l->mutex, NULL);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return -errno;
	l->frames_cap = FRAMES_LEN + r->message_max + WSIO_HEADER_MAX;
	l->conns = calloc(most ? most : 1, sizeof(*l->conns));
	l->heap = calloc(r->npublishers / r->threads + 1, sizeof(struct publisher *));
	l->room = malloc(LOOP_ROOM + LOOP_READ);
	l->text = malloc(r->message_max + 1);
	l->frames = malloc(l->frames_cap);
	if (!l->conns || !l->heap || !l->room || !l->text || !l->frames)
		return -ENOMEM;
	for (uint32_t i = index; i < r->clients; i += r->threads) {
		struct conn *c = &l->conns[l->nconns++];
		double at = r->plan->ramp_s * 1e9 * i / r->clients;

		conn_init(l, c, i, r->begin_ns + (uint64_t)at);
		c->session = i % r->sessions;
		c->slow = i >= r->clients - r->plan->slow;
		loop_wake(l, c->wake_ns);
		if (i < r->npublishers) {
			c->publisher = &r->publisher[i];
			c->publisher->conn = c;
		}
	}
	return 0;
}

void loop_free(struct loop *l)
{
	for (uint32_t i = 0; i < l->nconns; i++)
		conn_free(&l->conns[i]);
	if (l->spread)
		munmap(l->spread, SPREADS_MAX * sizeof(*l->spread));
	if (l->epoll >= 0)
		close(l->epoll);
	pthread_mutex_destroy(&l->mutex);
	free(l->conns);
	free(l->heap);
	free(l->room);
	free(l->text);
	free(l->frames);
}
