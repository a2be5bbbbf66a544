/* A worker: one thread with its event loop, its mailbox, its turn and its timers. The lowest room:
 * it knows nobody above, but runs what it is handed.
 *
 * A turn of the loop: the doors read, and what they read is appended to logs; then, once, each
 * thing that was put on one of the turn's lists meanwhile is done, list by list, until all are
 * empty.
 *
 * A worker is new, then running (worker_run()), then draining (worker_drain(): its connections are
 * sent away), then stopped. Posting mail is the only way to reach into another worker. */
#ifndef HUBD_WORKER_H
#define HUBD_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "loop/counters.h"
#include "loop/wheel.h"

#define WORKERS_MAX 64
#define WORKER_INPUT 65536 /* bytes of the shared read buffer */
#define WORKER_SCRATCH 6   /* texts that are being made at a time */
#define WORKER_DRAIN_TICK_MS 50

struct uv_loop_s;
struct worker;

/* What somebody wants done on a worker's thread, embedded by who posts it; run() takes it. */
struct mail {
	struct mail *next;
	void (*run)(struct worker *w, struct mail *mail);
};

/* A turn's lists, in their order. */
enum turn_step {
	TURN_STREAMS,	  /* who has more to read */
	TURN_SESSIONS,	  /* sessions with new records: to their members everywhere */
	TURN_CONNECTIONS, /* connections with something to send */
	TURN_REAP,	  /* connections that are closing */
	TURN_STEPS,
};

/* A place in a list, embedded; zeroed at the start. */
struct turn_entry {
	struct turn_entry *next; /* NULL: in none */
};

/* What the worker runs, all of it on its own thread; the table is main's. */
struct worker_hooks {
	int (*start)(struct worker *w); /* before it runs: 0, or -errno after logging why */
	void (*step[TURN_STEPS])(struct worker *w, struct turn_entry *e); /* of a list, taken out */
	uint32_t (*due)(struct wheel_entry *e, uint32_t now_s); /* of the wheel: seconds to wait */
	void (*second)(struct worker *w);			/* about once a second */
	/* Every WORKER_DRAIN_TICK_MS while draining: sends so many connections away that the last
	 * one goes when left_ms is over; now: even if they have not got all that is due to them. */
	void (*drain)(struct worker *w, uint64_t left_ms, bool now);
	void (*abort)(struct worker *w); /* ends what is left, at once; two turns follow */
	void (*free)(struct worker *w);	 /* gives up what start() made */
};

/* All of them. */
struct workers {
	struct worker *at[WORKERS_MAX];
	unsigned n;
	atomic_bool draining;
	uint64_t drain_ms; /* over which connections are sent away */
};

/* The public part, for the rooms that run on the worker's thread. */
struct worker {
	unsigned index;
	struct workers *all;
	atomic_uint connections; /* accepted for it and not yet gone */
	struct counters counters;
	struct wheel wheel;

	/* What the rooms above keep for a worker; here it is only carried. */
	const struct conn_settings *conns;
	struct members *members;
	const struct hub7 *hub7;
	struct doors *doors;

	char input[WORKER_INPUT]; /* where doors read to */
};

/* A worker with its loop, as one of all, not running yet. Returns NULL after logging why. */
struct worker *worker_new(struct workers *all, const struct worker_hooks *hooks);

/* Calls hooks->start(). Returns 0 or its error. */
int worker_start(struct worker *w);

/* Runs until it has been drained. */
void worker_run(struct worker *w);

/* Sends its connections away, then lets worker_run() return. For any thread; once. */
void worker_drain(struct worker *w);

/* Ends what is left, runs the mail that is left, and frees it. Its thread must have ended. */
void worker_free(struct worker *w);

struct uv_loop_s *worker_loop(struct worker *w);

/* Takes mail. For any thread; never blocks for long, never fails. Mail runs in the order in which
 * it was posted, on a worker that has stopped when it is freed. */
void worker_post(struct worker *w, struct mail *mail);

/* The same for a chain of them, from first to last. */
void worker_post_chain(struct worker *w, struct mail *first, struct mail *last);

/* For later in this turn, or the next; an entry that is in a list stays there. Returns false where
 * it was. */
bool worker_later(struct worker *w, enum turn_step step, struct turn_entry *e);

/* For the next turn, which follows without waiting for an event; as worker_later(). */
bool worker_next_turn(struct worker *w, enum turn_step step, struct turn_entry *e);

/* Monotonic, and wall-clock time of this turn. */
uint64_t worker_now_ms(struct worker *w);
uint64_t worker_wall_ms(struct worker *w);

/* An empty buffer for a text that is made and used within one function, and its end: in reverse
 * order. */
struct buf *worker_scratch(struct worker *w);
void worker_scratch_done(struct worker *w, struct buf *b);

/* A connection that was counted when it was accepted has ended. */
void worker_connection_gone(struct worker *w);

/* The connections of all workers. */
unsigned workers_connections(const struct workers *all);

#endif
