/* The shape of a run. One process, N threads; each thread (struct loop) has its own epoll instance,
 * its own connections (struct conn) and the publishers (struct publisher) that speak over them. The
 * main thread, run.c, says which phase it is, samples once a second, and adds up at the end.
 *
 * What threads share: struct run, which does not change while they run but for its atomics; and
 * each loop's snapshot, under its mutex. Nothing else.
 *
 * All instants are nanoseconds of CLOCK_MONOTONIC. */
#ifndef HUBBENCH_BENCH_H
#define HUBBENCH_BENCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "net.h"
#include "options.h"
#include "plan.h"
#include "report/result.h"
#include "schedule.h"

#define NEVER UINT64_MAX
#define SECOND 1000000000u
#define MS 1000000u

struct conn;
struct json_paths;
struct loop;

enum phase {
	PHASE_CONNECT, /* clients connect and join; nothing is published */
	PHASE_PUBLISH, /* from start_ns to to_ns, and on while a backlog goes out */
	PHASE_DRAIN,   /* what is under way arrives */
	PHASE_END,
};

/* In every request to upgrade (RFC 6455 section 4.1): the answer tells whether the server is one.
 * Nothing is hidden by the key, so one will do for all. */
#define RUN_KEY "aHViYmVuY2ggaXMgYSB0ZQ=="

/* A group of clients that get each other's messages. */
struct session {
	_Atomic uint64_t published; /* messages, those that the server refused not counted */
	_Atomic uint64_t head;	    /* hub: `seq` before the first of them */
	_Atomic bool unsure; /* a publisher lost its connection, and what was on its way has no ack
			      */
	uint32_t publishers;
};

/* Messages of one publisher that wait for an ack, at most; by number modulo that. And of a session:
 * so many does a hub remember (hub(7)), and knows them again when they are sent again. */
#define WINDOW 1024
#define WINDOW_SESSION 4096

struct publisher {
	_Atomic uint64_t sent; /* messages handed to the kernel: the number of the next */
	struct conn *conn;
	uint32_t index, session;
	struct schedule schedule;
	bool queued;		    /* in the loop's heap */
	uint32_t under_way;	    /* closed model */
	uint64_t *due_ns, *sent_ns; /* with acks: of message n at n mod WINDOW; due 0: answered */
	uint64_t unacked;	    /* before it all are answered */
	uint64_t again;		    /* from here on they are sent again after a reconnect */
};

struct run {
	const struct plan *plan;
	const struct options *o;
	const struct dialect *dialect;
	struct target target;
	struct json_paths *paths; /* of the dialect; NULL: it reads no JSON */
	char *request;		  /* the HTTP upgrade */
	char *join, *answer_to, *answer;
	uint32_t clients, sessions, npublishers, threads;
	uint32_t closed; /* messages in flight; 0: open model */
	uint64_t coalesce_ns;
	uint32_t window; /* with acks, messages in flight of one publisher */
	bool acks;	 /* messages ask for an ack */
	bool echo;	 /* publishers get their own messages */
	bool answered;	 /* the own message is the answer */
	bool spread;	 /* a message has more than one receiver */
	uint64_t run;	 /* the first bytes of our marks */
	char name[MARK_RUN_LEN + 1];
	struct timetable timetable;
	struct message_template *messages; /* message i of all has the one of i mod nmessages */
	size_t nmessages, message_max;

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
	uint64_t storm_ns, slow_from_ns, slow_to_ns; /* NEVER: not */

	bool cut_off; /* at the end something was still coming in, and was not waited for */

	pthread_mutex_t error_mutex;
	char first_error[256];
};

/* The first thing that went wrong, kept for the report. */
void run_error(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
