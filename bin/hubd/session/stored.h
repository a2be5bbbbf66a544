/* What an archive has of a session, and says of it: for who waits until a record is kept, and for
 * the archives themselves (session/archive.h is what they are asked). */
#ifndef HUBD_STORED_H
#define HUBD_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "log/dedup.h"
#include "log/log.h"
#include "log/state.h"
#include "loop/worker.h"

struct offer;
struct session;
struct session_env;

/* --- who waits */

/* Who waits until its record is durable: allocated by malloc() with this first, so that a session
 * that ends, or another connection that waits for the same, can give it up by free(). */
struct stored_wait {
	struct mail done; /* posted to worker, with `session` a reference that is its own */
	struct worker *worker;
	struct session *session;
	uint64_t seq;
	uint32_t version; /* of the member that waits; 0: no member does */
	/* Where records are numbered elsewhere: HUB_OK, or why there is none, with static text; of
	 * HUB_CONFLICT `seq` is the key's last record. */
	enum hub_code code;
	const char *why;
};

/* All of a session's, one of a member for a seq at most, in the order of it: a ring. Zeroed at the
 * start. */
struct waits {
	struct stored_wait **at;
	uint32_t cap; /* a power of two */
	uint32_t first, n;
};

/* For who is no member: waits until seq is durable. Returns 1: wait was taken, and will be told; 0:
 * it is so already, or nothing ever is; or -ENOMEM. wait->done.run and worker are set. */
int session_await(struct session *s, struct stored_wait *wait, uint64_t seq);

/* --- what is kept: stored.c */

/* The heads that earlier runs of the hub left behind where they ended in a crash, by run. */
struct crashes {
	size_t n;
	struct crash {
		uint32_t run;
		uint64_t head;
	} at[];
};

/* What an archive keeps of a session, read without any lock. */
struct session_image {
	bool found;
	uint64_t epoch, head;
	struct state state;
	struct dedup dedup;
	struct crashes *crashes; /* by malloc(), or NULL */
};

/* An image is empty at the start, and is freed whether session_load() has taken what it holds or
 * not. */
void session_image_init(struct session_image *image, const struct session_env *env);
void session_image_free(struct session_image *image, const struct session_env *env);

/* All of its state has been put into it. */
void session_image_place(struct session_image *image, const struct session_env *env);

/* A message of the dedup window, the oldest first. Returns 0 or -ENOMEM. */
int session_image_ack(struct session_image *image, const struct session_env *env, uint64_t sender,
		      uint64_t hash, uint64_t seq);

/* Whether that is to be read at all; and that it was: takes what the image holds, and makes the
 * session loaded, but once. For the archive's thread. */
bool session_wants_image(struct session *s);
void session_load(struct session *s, struct session_image *image);

/* The session has its share of the archive, or has not any more. */
void session_set_full(struct session *s, bool full);

/* Nothing up to seq can be lost any more: tells those who wait for it. */
void session_durable(struct session *s, uint64_t seq);

/* All of that, and it can be read from the archive: memory may let go of it. */
void session_stored(struct session *s, uint64_t seq);

/* --- records that are numbered elsewhere: numbered.c */

/* Ends an offer, and takes it: it is record seq (which need not be here yet: who waits is told when
 * it is); or another code says why not. */
void session_offered(struct offer *o, enum hub_code code, uint64_t seq, const char *why);

/* A record that has come; all of it is borrowed. */
struct incoming {
	struct slot tags;	     /* all but its place and `key` */
	struct span body, key, type; /* up to its seq; key and type where tags.class wants them */
	uint64_t due_ms;	     /* monotonic: when it goes; TIES_NEVER */
};

/* Takes n records, the first of which is the log's next, and tells all who are to know. Returns 0,
 * or -ENOMEM, then some are missing. */
int session_take(struct session *s, const struct incoming *in, size_t n);

/* Puts a record of the state into an image. Returns 0 or -ENOMEM. */
int session_image_state(struct session_image *image, const struct incoming *in, uint64_t seq);

#endif
