/* Outgoing messages of a client, kept until the hub is known to have handled them. Fences (pings
 * with an id of ours) lie among the messages; since the hub answers in order, the pong of a fence
 * confirms all that stands before it. After a reconnect what is not confirmed goes out again. */
#ifndef HUB_SENDQ_H
#define HUB_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENDQ_FENCES 8

struct sendq {
	size_t limit; /* bytes of messages held; set by the owner */
	char tag[12]; /* begins our ping ids, NUL-terminated; needs no escaping; set by the owner */

	/* Below: for sendq.c only, but for reading sent and len. */
	char *data;
	size_t cap;
	size_t start; /* of the first byte not confirmed */
	size_t len;   /* of all that is not confirmed */
	size_t sent;  /* of len: handed to the connection */
	size_t bare;  /* of len: at the end, without a fence behind it */
	struct {
		uint64_t id;
		size_t end; /* where the fence ends, from start */
	} fence[SENDQ_FENCES];
	unsigned nfence;
	uint64_t last_id;
	uint64_t confirmed; /* bytes, since the start */
};

/* Adds whole messages, one per line (a last line feed may be missing). Returns 0; -EAGAIN where
 * they do not fit now; -EMSGSIZE where they never will; -ENOMEM. Nothing is added in part. */
int sendq_put(struct sendq *q, const char *data, size_t len);

/* What is still to be sent; *len is 0 where nothing is. Good until the next sendq_put(). */
const char *sendq_unsent(const struct sendq *q, size_t *len);

/* Says that n bytes of that are sent. */
void sendq_advance(struct sendq *q, size_t n);

/* Puts a fence behind the last message where one is due: with force wherever there is none yet,
 * else where no fence is under way, or much stands behind the last one. Returns 0 or -ENOMEM. */
int sendq_fence(struct sendq *q, bool force);

/* Takes a pong's id as the hub sent it, without quotes. Returns true if it is of one of our fences,
 * then everything before that one is confirmed and gone. */
bool sendq_confirm(struct sendq *q, const char *id, size_t len);

/* Before sending all again on a new connection. Returns how many whole messages had been sent
 * already and may now arrive twice. */
size_t sendq_rewind(struct sendq *q);

/* How many messages are not confirmed. */
size_t sendq_messages(const struct sendq *q);

void sendq_free(struct sendq *q);

#endif
