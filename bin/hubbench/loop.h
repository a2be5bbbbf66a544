/* A thread of the run: its connections, its publishers, and what it has counted. */
#ifndef HUBBENCH_LOOP_H
#define HUBBENCH_LOOP_H

#include "audit.h"
#include "base/hist.h"
#include "bench.h"
#include "wsio.h"

#define LOOP_ROOM (64u << 10)  /* before what is read, for what was left of the last piece */
#define LOOP_READ (256u << 10) /* bytes read at once */

enum conn_state {
	CONN_IDLE, /* no socket; opens at wake_ns */
	CONN_CONNECTING,
	CONN_TLS,
	CONN_UPGRADING,
	CONN_JOINING,
	CONN_JOINED,
	CONN_LEAVING,
	CONN_FAILED, /* given up */
};

struct conn {
	int fd; /* -1: none */
	uint32_t client, session;
	uint32_t events; /* that epoll watches */
	uint8_t state, attempts, upgrade;
	bool slow;    /* reads late, so that what it gets tells nothing of the server's time */
	bool paused;  /* does not read */
	bool away;    /* was a member, and comes back to be the same one */
	bool broken;  /* the server's log is another one: its numbers tell nothing */
	bool blocked; /* the socket takes nothing of the next frame */
	bool refill;  /* closed model: its publisher may have something to send */
	struct wsio in;
	char *out; /* what the socket did not take of a frame */
	uint32_t out_len, out_at;
	struct tls *tls;
	uint64_t since_ns; /* of the state */
	uint64_t wake_ns;
	uint64_t lost_ns; /* when it was lost; 0: it is here, and had a message since */
	struct stream *streams;
	uint32_t nstreams;
	uint64_t foreign; /* records of its session that are none of ours */
	struct publisher *publisher;
	void *seat; /* the dialect's */
};

struct counts {
	uint64_t due, sent, acked, delivered, bytes_in;
};

/* What a loop tells once a second. */
struct snapshot {
	unsigned number;
	struct counts counts;
	uint64_t joined, failed, backlog;
	bool sent_all, settled;
	double cpu_s;
	struct hist every, ack;
};

/* First and last delivery of one message, as nanoseconds since it was due, plus 1; 0: none. */
struct spread {
	uint64_t first, last;
};

#define SPREADS_MAX (4u << 20) /* messages whose first and last delivery are told apart */

struct loop {
	struct run *run;
	unsigned index;
	pthread_t thread;
	bool started;
	int epoll;
	uint64_t now;
	uint64_t random;

	struct conn *conns;
	uint32_t nconns;
	uint32_t idle, pending, joined, failed; /* of them */
	uint64_t wake_ns;			/* when the next idle one may want to open */
	uint64_t churned;
	uint32_t churn_at; /* who goes next */
	bool stormed, slowed, publishing;

	struct publisher **heap; /* by the instant of their next message */
	uint32_t nheap;

	char *room;	       /* for reading */
	char *text;	       /* one message */
	unsigned char *frames; /* for writing */
	size_t frames_cap;

	/* The window in which messages count, and the instant at which it changes. */
	uint64_t window_from, window_span, edge_ns;
	bool measuring;
	uint64_t tick_ns, timeout_ns;
	uint64_t read_ns; /* before it nothing is read */

	struct counts counts, at_from, at_to;
	uint64_t errors, reconnects;
	uint64_t unasked; /* members that the server dropped, or that failed */
	struct audit_counts audit;
	struct hist metric[METRICS];
	struct spread *spread;
	double cpu_s;

	pthread_mutex_t mutex;
	struct snapshot snapshot;
};

/* Makes the loop's connections and its epoll instance. Returns 0 or -errno. */
int loop_init(struct loop *l, struct run *r, unsigned index);
void loop_free(struct loop *l);

/* The thread, until PHASE_END. */
void *loop_main(void *loop);

/* Measuring begins, or ends. */
void loop_edge(struct loop *l);

/* An idle connection wants to open then. */
static inline void loop_wake(struct loop *l, uint64_t wake_ns)
{
	if (wake_ns < l->wake_ns)
		l->wake_ns = wake_ns;
}

/* xorshift64*, by Sebastiano Vigna. */
static inline uint64_t loop_random(struct loop *l)
{
	l->random ^= l->random >> 12;
	l->random ^= l->random << 25;
	l->random ^= l->random >> 27;
	return l->random * 0x2545f4914f6cdd1du >> 16;
}

#endif
