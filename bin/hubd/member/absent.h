/* Clients whose connection was lost and that may come back: in which rooms of a namespace they
 * were, and how far. For ABSENT_MS, and no more than ABSENT_BYTES of them all: the oldest go first.
 * For any thread. */
#ifndef HUBD_ABSENT_H
#define HUBD_ABSENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"
#include "member/trail.h"
#include "wire/log_place.h"

#define ABSENT_MS (2 * 60 * 1000)
#define ABSENT_BYTES ((size_t)32 << 20)

struct conn;
struct members;
struct seat;
struct worker;

struct absent_log {
	struct log_place place; /* of its log; its seq once it is known */
	uint64_t base, begin;	/* as of struct trail_log */
	uint32_t number;
	bool echo;
	uint8_t id_len;
	char id[ENVELOPE_SESSION_MAX];
};

/* One of them. */
struct absent {
	struct absent *next;		/* in its bucket */
	struct absent *younger, *older; /* of all */
	uint64_t client, until_ms;	/* monotonic */
	size_t bytes;
	unsigned logs, steps;
	bool forgot;
	struct trail_step *step; /* behind log */
	struct absent_log log[]; /* the namespace, then its rooms */
};

struct absents;

/* wait_ms: for how long another hub has time to answer. NULL: no memory. */
struct absents *absents_new(uint64_t wait_ms);
void absents_free(struct absents *all); /* NULL is fine */

/* Its connection ends. Nothing where it has no trail, or memory is out. */
void absent_note(const struct seat *seat);

/* Takes what was noted of a client in a session: free() it. NULL: nothing was. */
struct absent *absent_take(struct members *members, uint64_t client, struct span session);

/* Sets where it was in each when the record at that place was the last that it had got. False where
 * that cannot be told, or it had not had what a room begins with. */
bool absent_reach(struct absent *a, const struct log_place *last);

/* A client comes back whose connection may not have been found lost yet: ends that one, notes it,
 * and then calls back with the text, unless c closes meanwhile; c is held. False where there is
 * none such, or no memory. */
bool absent_fetch(struct conn *c, struct span session, uint64_t client, struct span text,
		  void (*back)(struct conn *c, struct span text));

/* The same of one that was at another of the hubs that share the sessions, for what absent_take()
 * then gives; or not, once that has had its time. False where there are no others. */
bool absent_ask(struct conn *c, struct span session, uint64_t client, struct span text,
		void (*back)(struct conn *c, struct span text));

/* A word of another hub, as of ARCHIVE_KEEP, on any thread; w: any worker. False where it is about
 * something else. */
bool absent_heard(struct worker *w, struct span name, struct span value);

/* About once a second: who has waited long enough goes on; now: all do. */
void absent_second(struct worker *w, bool now);

#endif
