/* New records. Publishing wakes nobody: session_changed(). */
#ifndef HUBD_PUBLISH_H
#define HUBD_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "json/terms.h"
#include "log/log.h"

struct session;
struct stored_wait;

/* A record to be. */
struct publication {
	struct span body; /* the record up to its seq */
	struct span type;
	struct span key;  /* where tags.class says that there is one */
	struct slot tags; /* all but its place and `key` */
	/* Where not NULL: waits for the record to be durable, where it is not yet. Its done.run,
	 * worker and version are set. */
	struct stored_wait *wait;
	bool trusted; /* the sender has no share of the state's records, but all */
	bool member;  /* it is in the session: state may be its own */
	bool heard;   /* where env->published() tells it to */
	struct terms terms;
	uint64_t current; /* set for HUB_CONFLICT: the seq of the key's last record; 0: none */
};

/* What became of it. */
struct published {
	uint64_t seq;  /* 0: not known yet; then the wait is told */
	bool repeated; /* a message with that tags.msg was published before, as seq */
	bool waits;    /* the wait was taken, and will be told */
	bool waited;   /* it was not: the member waits for the same already */
	bool lags; /* the archive has much to do for this session: the publisher is to be slower */
	bool over; /* of HUB_RATE_LIMITED: it is the session's own limit */
	const char *why; /* of an archive that numbers records: static text, or NULL */
};

/* Appends a record, and makes it part of the state; the publisher need be no member. A repeat of a
 * message with an ack changes nothing and gives the first one's seq. Nobody is woken:
 * session_changed(). Returns HUB_OK, HUB_SESSION_FULL (too many state keys), HUB_HUB_FULL (no room
 * for more state), HUB_STORE_FULL (nor in the archive), HUB_RATE_LIMITED (the archive does not keep
 * up with this session, or its limit), HUB_NOT_FOUND (it was deleted), HUB_CONFLICT (p->terms are
 * not met), HUB_NOT_MEMBER (nor can they be) or HUB_INTERNAL (memory, or the archive fails). */
enum hub_code session_publish(struct session *s, struct publication *p, uint64_t now_ms,
			      struct published *out);

/* Whether a message with an ack was published before, and its seq, 0 where it is not logged. */
bool session_finds(struct session *s, uint64_t msg, uint64_t *seq);

/* Of messages with an ack that are not logged: whether it was seen before; that it was. */
bool session_knows(struct session *s, uint64_t msg);
void session_remember(struct session *s, uint64_t sender, uint64_t msg);

#endif
