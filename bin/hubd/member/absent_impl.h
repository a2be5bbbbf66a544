/* What the files of absent.h share: absent.c keeps who is absent, absent_text.c writes and reads
 * one of them, absent_far.c asks other hubs. */
#ifndef HUBD_ABSENT_IMPL_H
#define HUBD_ABSENT_IMPL_H

#include <pthread.h>

#include "base/buf.h"
#include "member/absent.h"

#define ABSENT_BUCKETS 4096 /* a power of two */

struct ask; /* of absent_far.c */
struct session;

struct absents {
	pthread_mutex_t lock;
	size_t bytes;
	uint64_t wait_ms; /* constant */
	struct absent *youngest, *oldest;
	struct absent *bucket[ABSENT_BUCKETS]; /* by the client's id, which is random */
	struct ask *asks;		       /* under way to other hubs */
};

/* Keeps it, from now_ms on. */
void absent_add(struct absents *all, struct absent *a, uint64_t now_ms);

/* Ends the client's connection at this worker, where it has one, and notes it. */
void absent_end(struct worker *w, struct session *s, uint64_t client);

/* The worker at which the client is a member of the session, or NULL. */
struct worker *absent_locate(struct session *s, uint64_t client);

/* --- absent_text.c */

/* Appends all that it is, for another hub of this version or another. Returns 0 or -ENOMEM. */
int absent_put(const struct absent *a, struct buf *out);

/* The inverse; NULL: no memory, or the text is none of that. */
struct absent *absent_read(struct span text);

#endif
