/* The room load/: the load itself. One process, N threads; each thread (struct loop) has an epoll
 * instance, members, and the publishers that speak over their connections. This header has the
 * shape of all that; the files beside it are what a thread does, from below:
 *
 *	audit.h		what of a numbered stream has come
 *	bench_member.h	the states of a member, and what it should have
 *	publisher.h	what is due goes out
 *	measure.h	when messages count, and what a thread shows
 *	talk.h		a member's way: connects, joins, takes what comes, leaves
 *	loop.h		the thread: waits, and calls all of these
 *
 * run/ makes struct run and its loops, says which phase it is, and adds up at the end. What threads
 * share: struct run, which does not change while they run but for its atomics; and each loop's
 * snapshot, under its mutex. Nothing else.
 *
 * All instants are nanoseconds of CLOCK_MONOTONIC. */
#ifndef HUBBENCH_LOAD_H
#define HUBBENCH_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "load/audit.h"
#include "net/bench_conn.h"
#include "net/net.h"
#include "plan/bench_options.h"
#include "plan/plan.h"
#include "plan/schedule.h"
#include "report/result.h"
#include "speak/dialect.h"
#include "speak/template.h"

#define NEVER UINT64_MAX
#define SECOND 1000000000u
#define MS 1000000u

enum phase {
	PHASE_CONNECT, /* clients connect and join; nothing is published */
	PHASE_PUBLISH, /* from start_ns to to_ns, and on while a backlog goes out */
	PHASE_DRAIN,   /* what is under way arrives */
	PHASE_END,
};

/* A group of clients that get each other's messages. */
struct session {
	_Atomic uint64_t published; /* messages, those that the server refused not counted */
	_Atomic uint64_t head;	    /* hub: `seq` before the first of them */
	_Atomic bool unsure; /* a publisher lost its connection, and what was on its way has no ack
			      */
	uint32_t publishers;
};

struct publisher {
	_Atomic uint64_t sent; /* messages handed to the kernel: the number of the next */
	struct member *member;
	uint32_t index, session;
	struct schedule schedule;
	bool queued;		    /* in the loop's heap */
	uint32_t under_way;	    /* closed model */
	uint64_t *due_ns, *sent_ns; /* with acks: of message n at n mod WINDOW; due 0: answered */
	uint64_t unacked;	    /* before it all are answered */
	uint64_t again;		    /* from here on they are sent again after a reconnect */
};

struct crowd;

struct run {
	const struct plan *plan;
	const struct options *o;
	const struct dialect *dialect;
	struct script script;
	struct target target[OPT_LIST_MAX]; /* of each node */
	char *request[OPT_LIST_MAX]; /* the HTTP upgrade, with {session} where the URL has it */
	uint32_t clients, sessions, npublishers, threads;
	uint32_t closed; /* messages in flight; 0: open model */
	uint64_t coalesce_ns;
	uint32_t window; /* with acks, messages in flight of one publisher */
	bool acks;	 /* messages ask for an ack */
	bool echo;	 /* publishers get their own messages */
	bool answered;	 /* the own message is the answer */
	bool spread;	 /* a message has more than one receiver */
	bool ordered;	 /* it is to be the same order at all */
	struct timetable timetable;
	struct template *messages; /* message i of all has the one of i mod nmessages */
	size_t nmessages, message_max;
	struct crowd *crowd; /* in place of these; NULL: they are what is said */

	struct session *session;
	struct publisher *publisher;
	struct loop *loop;
	uint64_t begin_ns; /* of connecting */

	_Atomic int phase;
	_Atomic unsigned snap; /* the snapshot that is wanted */
	/* Set before PHASE_PUBLISH: of publishing, and of measuring [from, to); an interrupt brings
	 * the last two forward. */
	uint64_t start_ns;
	_Atomic uint64_t from_ns, to_ns;
	uint64_t storm_ns, kill_ns, slow_from_ns, slow_to_ns; /* NEVER: not */

	/* What the server was heard to speak, where that is not what it was asked to; NULL:
	 * nothing. */
	const struct dialect *_Atomic other;

	bool cut_off; /* at the end something was still coming in, and was not waited for */

	pthread_mutex_t error_mutex;
	char first_error[256];
};

enum member_state {
	MEMBER_IDLE,	   /* no connection; opens one at wake_ns */
	MEMBER_CONNECTING, /* until its connection stands */
	MEMBER_JOINING,	   /* until the server has taken it in */
	MEMBER_JOINED,	   /* gets messages, and may publish */
	MEMBER_LEAVING,	   /* until the server says that it has left */
	MEMBER_FAILED,	   /* given up */
};

struct member {
	struct bench_conn conn;		/* stands first: epoll hands it out */
	uint32_t client, session, node; /* where it is, or tries next */
	uint8_t state, attempts;
	bool slow;	   /* reads late, so that what it gets tells nothing of the server's time */
	bool away;	   /* was a member, and comes back to be the same one */
	bool broken;	   /* the server's log is another one: its numbers tell nothing */
	bool late;	   /* came when something was published already */
	bool refill;	   /* closed model: its publisher may have something to send */
	uint64_t since_ns; /* of the state, or of the connection's */
	uint64_t wake_ns;
	uint64_t lost_ns; /* when it was lost; 0: it is here, and had a message since */
	uint64_t try_ns;  /* since then: its first attempt to come back; 0: none */
	struct stream *streams;
	uint32_t nstreams;
	uint64_t foreign; /* records of its session that are none of ours */
	uint64_t order;	  /* which message has had which `seq`: the same at all that have all */
	struct publisher *publisher;
	struct seat *seat;	  /* NULL: the server gave none */
	struct dialect_area area; /* of a crowd's: as the server was told last; r 0: all */
	struct crowd_base *bases; /* of each publisher, where there are patches */
	uint64_t *view; /* what an observer knows: of each avatar its newest move, plus 1 */
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
	uint64_t now;
	struct bench_io io;

	struct member *members;
	uint32_t nmembers;
	uint32_t idle, pending, joined, failed; /* of them */
	uint64_t wake_ns;			/* when the next idle one may want to open */
	uint64_t churned;
	uint32_t churn_at; /* who goes next */
	bool stormed, killed, slowed, publishing;

	struct publisher **heap; /* by the instant of their next message */
	uint32_t nheap;

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

	/* Of a crowd's observers: moves that came and their bytes, and at the end what is not
	 * known. */
	uint64_t observed, observed_bytes, missing, ghosts;
	uint64_t sample_ns; /* when the next is looked at; NEVER: there are none */
	uint32_t sample_at;

	pthread_mutex_t mutex;
	struct snapshot snapshot;
};

/* The first thing that went wrong, kept for the report; any thread may call. */
void load_error(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whether there was any; any thread may call. */
bool load_failed(struct run *r);

#endif
