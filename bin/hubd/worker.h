/* A worker: one thread, one event loop, its connections and its timers. */
#ifndef HUBD_WORKER_H
#define HUBD_WORKER_H

#include <stdint.h>

#include "base/buf.h"
#include "conn.h"
#include "hub.h"
#include "mailbox.h"

struct uv_loop_s;
struct ws;

#define WORKER_SCRATCH 65536 /* bytes of the shared read buffer */

/* The public part, for the modules that run on the worker's thread. */
struct worker {
	struct hub *hub;
	struct ws *ws; /* the WebSocket transport's context */
	unsigned index;
	atomic_uint connections; /* of this worker; others read it to share out new ones */
	atomic_size_t direct;	 /* bytes of direct messages in its mailbox */
	struct stats stats;	 /* written by this worker only */
	struct buf record;	 /* scratch: the record being made */
	struct buf answer;	 /* scratch: the answer being made */
	struct buf reframed;	 /* scratch: records for a transport that does not take frames */
	const struct chunk
	    *reframed_chunk; /* what it holds: records [from, to) of a chunk, this turn */
	uint64_t reframed_from, reframed_to;
	uint64_t wall_ms;      /* of this loop turn; see worker_wall_ms() */
	struct watch *watches; /* its connections that are told of sessions */
	struct mail sessions;  /* embedded; in the mailbox while sessions_woken */
	atomic_bool sessions_woken;
	char input[WORKER_SCRATCH]; /* where transports read to */
};

/* Adds to a counter of the worker's own. */
#define worker_count(w, field, n)                                                             \
	atomic_store_explicit(&(w)->stats.field,                                              \
			      atomic_load_explicit(&(w)->stats.field, memory_order_relaxed) + \
				  (uint_fast64_t)(n),                                         \
			      memory_order_relaxed)

/* Creates a worker with its loop and transports, not running yet. Returns NULL after logging why.
 */
struct worker *worker_new(struct hub *hub, unsigned index);

/* Runs until a MAIL_DRAIN has been carried out. */
void worker_run(struct worker *w);
void worker_free(struct worker *w);

/* A connection that was counted when it was accepted has ended. */
void worker_connection_gone(struct worker *w);

struct uv_loop_s *worker_loop(struct worker *w);

/* Monotonic time of this loop turn, wall-clock time of this loop turn. */
uint64_t worker_now_ms(struct worker *w);
uint64_t worker_wall_ms(struct worker *w);

/* There are new sessions. For any thread. */
void worker_sessions(struct worker *w);

/* At the end of the turn: flush the session's members everywhere; flush the connection; reap it. */
void worker_dirty(struct worker *w, struct session *s);
void worker_flush_later(struct worker *w, struct conn *c);
void worker_reap_later(struct worker *w, struct conn *c);

/* Calls conn_check() in about so many seconds. */
void worker_check_in(struct worker *w, struct conn *c, uint32_t seconds);
void worker_uncheck(struct conn *c);

#endif
