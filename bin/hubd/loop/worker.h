/* A worker: one thread with its event loop, its mailbox, its turn and its timers. The lowest room:
 * it knows nobody above, but runs what it is handed.
 *
 * A turn of the loop: the doors read, and what they read is appended to logs; then, once, each
 * thing that was put on one of the turn's lists meanwhile is done, list by list, until all are
 * empty; what is left of TURN_STREAMS after some milliseconds waits for the next turn, which comes
 * first to what has waited.
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
#include "loop/histogram.h"
#include "loop/wheel.h"

#define WORKERS_MAX 64
#define WORKER_INPUT 65536 /* bytes of the shared read buffer */
#define WORKER_SCRATCH 9   /* texts that are being made at a time */
#define WORKER_DRAIN_TICK_MS 50
#define WORKER_DELAY_MS 10

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
	TURN_POLLS,	  /* what was collected for who fetches it */
	TURN_FILES,	  /* files of which more can be sent */
	TURN_REAP,	  /* connections that are closing */
	TURN_RESUME,	  /* what worker_delay() took */
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
	void (*alarm)(struct worker *w);			/* as worker_alarm() asked */
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
	atomic_uint numbered; /* connections so far */
	atomic_bool draining;
	uint64_t drain_ms; /* over which connections are sent away */
};

/* The public part, for the rooms that run on the worker's thread. */
struct worker {
	unsigned index;
	struct workers *all;
	atomic_uint connections;  /* accepted for it and not yet gone */
	_Atomic uint64_t beat_ms; /* when its loop came round last */
	struct counters counters;
	struct histogram lag; /* for how long events were handled before it looked for others */
	struct histogram delivery; /* member/: from a record's arrival to its last write here */
	struct wheel wheel;
	struct sends *sends; /* open while a list of the turn, or mail, is done; NULL: no memory */

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

/* Of workers whose threads have all ended: runs their mail, and the mail that this brings, before
 * the first of them is freed. */
void workers_settle(struct workers *all);

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

/* For TURN_RESUME in about WORKER_DELAY_MS; as worker_later(). */
bool worker_delay(struct worker *w, struct turn_entry *e);

/* Has hooks->alarm() called at that monotonic time, or before: the earliest one counts. */
void worker_alarm(struct worker *w, uint64_t at_ms);

/* Monotonic, and wall-clock time of this turn. */
uint64_t worker_now_ms(struct worker *w);
uint64_t worker_wall_ms(struct worker *w);

/* What was there at that time, in monotonic nanoseconds, leaves with the worker's sends: counts how
 * long that took. */
void worker_delivered(struct worker *w, uint64_t since_ns);

/* Monotonic nanoseconds: when this turn's events were begun with. Costs nothing. */
uint64_t worker_turn_ns(struct worker *w);

/* An empty buffer for a text that is made and used within one function, and its end: in reverse
 * order. */
struct buf *worker_scratch(struct worker *w);
void worker_scratch_done(struct worker *w, struct buf *b);

/* A connection that was counted when it was accepted has ended. */
void worker_connection_gone(struct worker *w);

/* How long it is at most since a worker's loop came round, which it does once a second. */
uint64_t workers_silent_ms(struct worker *w);

/* The number of a connection that has just come: who came later has a greater one. For any thread.
 */
static inline uint32_t workers_number(struct workers *all)
{
	return atomic_fetch_add_explicit(&all->numbered, 1, memory_order_relaxed) + 1;
}

/* The connections of all workers. */
unsigned workers_connections(const struct workers *all);

/* The sum of n numbers that stand behind each other in their struct counters, from that place on.
 */
uint64_t workers_sum(const struct workers *all, size_t offset, unsigned n);

#endif
