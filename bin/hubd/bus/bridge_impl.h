/* What the files of the bridge share: bridge_link.c has its two connections, bridge_lease.c who
 * hears of several hubds, bridge_tell.c and bridge_hear.c the two ways, and bridge.c the thread. */
#ifndef HUBD_BRIDGE_IMPL_H
#define HUBD_BRIDGE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "bus/adapter.h"
#include "bus/bridge.h"
#include "bus/redis_conn.h"
#include "bus/redis_url.h"

#define BRIDGE_LEASE_KEY "hub:socketio:"

/* A record on its way. */
struct told {
	struct told *next;
	size_t session_len, len;
	char text[]; /* the session, then the record */
};

struct bridge {
	const struct bridge_settings *set;
	struct redis_url url;
	struct ssl_ctx_st *tls;
	char uid[ADAPTER_UID + 1];
	pthread_t thread;
	bool started;
	int wake_fd; /* eventfd */

	pthread_mutex_t lock;
	struct told *first, **last; /* lock */
	size_t queued;		    /* lock; bytes */
	bool stop;		    /* lock */
	atomic_size_t heard;	    /* bytes that are not taken yet */
	atomic_bool paused;	    /* it waits for that */
	_Atomic(const char *) why;  /* of what was dropped last */
	atomic_uint_fast64_t told, dropped;
	uint64_t told_before, dropped_before; /* when they were asked for; of who asks */

	/* The thread's. */
	struct redis_conn pub, sub;
	unsigned attempt, patterns; /* how many it listens to */
	bool up, said;
	uint64_t began_ms, again_ms, pause_ms, tick_ms, say_ms;
	uint64_t dropped_said;
	char holder[24];		    /* of a lease: this hubd */
	bool asked, listens;		    /* for the lease; it has said so to Redis */
	uint64_t asked_ms;		    /* when it was asked for last */
	uint64_t lease_ms;		    /* until when it holds it */
	struct buf channel, message, event; /* to work in */
};

/* Has the thread look again. For any thread. */
void bridge_wake(struct bridge *b);

/* Counts what is dropped; why: static text. For any thread. */
void bridge_drop(struct bridge *b, const char *why);

/* All below is for the bridge's thread. */

/* --- bridge_link.c */

/* Connects both. */
void bridge_begin(struct bridge *b, uint64_t now_ms);

/* Gives up both, after saying why, until it is time to try again. */
void bridge_fail(struct bridge *b, const char *why);

/* Both are there. */
void bridge_set_up(struct bridge *b);

/* Queues what a connection begins with. Returns 0 or -ENOMEM. */
int bridge_greet(struct bridge *b, struct redis_conn *c);

/* Begins to listen, or ends it: PSUBSCRIBE or PUNSUBSCRIBE. The same. */
int bridge_put_listen(struct bridge *b, const char *command);

/* --- bridge_lease.c */

/* Asks for the lease, and has the answer; gives it back. */
int bridge_put_lease(struct bridge *b, uint64_t now_ms);
void bridge_on_lease(struct bridge *b, bool has);
void bridge_put_release(struct bridge *b);

/* --- bridge_tell.c: encodes what waits, as much as is to wait in the connection. */
void bridge_tell_all(struct bridge *b);

/* --- bridge_hear.c */

/* Takes a message of a channel. */
void bridge_hear(struct bridge *b, struct span channel, struct span bytes);

/* Whether more may be read of what is heard; where not, who takes it wakes the thread. */
bool bridge_may_hear(struct bridge *b);

#endif
