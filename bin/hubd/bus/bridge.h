/* The bridge: records go to servers of Socket.IO that share a Redis (bus/adapter.h), and what these
 * broadcast comes here. It listens by patterns alone, so that they do not count it as one of them
 * and wait for no answer of it.
 *
 * A thread of its own with two connections, one that publishes and one that hears. What is told
 * while Redis is away waits, within bounds; what is said there meanwhile is not heard.
 *
 * Of hubds that share their sessions each tells what was published there, and one hears: the one
 * that holds the lease, a key in that Redis, which it renews. All have one uid. */
#ifndef HUBD_BRIDGE_H
#define HUBD_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define BRIDGE_QUEUE_MAX (16 << 20) /* bytes that wait for Redis */
#define BRIDGE_HEARD_MAX (8 << 20)  /* bytes that wait for who takes what is heard */

struct bridge;

/* Options of hubd(8), and what others do. */
struct bridge_settings {
	const char *prefix;
	const char *url;
	const char *ca; /* a file of certificates that are trusted; NULL: the system's */
	size_t max_message;
	bool shared;		     /* there are other hubds with the same sessions, */
	const unsigned char *secret; /* and this */
	size_t secret_len;
	uint64_t lease_ms; /* for which one of them hears for all, from when it has said so last */
	/* The name and the arguments of a record's event, as JSON; borrowed from the record. */
	void (*event)(const char *record, size_t len, struct span *name, struct span *args);
	/* An event, as a message, for these sessions, each with a NUL behind it; borrowed. It is to
	 * be ended by bridge_taken(). On the bridge's thread. */
	void (*heard)(void *arg, struct span sessions, struct span message);
	void *arg;
};

/* Reads the settings, which are borrowed. NULL after logging why, with *status an exit status. */
struct bridge *bridge_new(const struct bridge_settings *set, int *status);

/* Starts the thread, which connects. Returns 0 or -errno. */
int bridge_start(struct bridge *b);

/* Sends what is left, for a short time, and stops it; nothing is heard from then on. NULL is fine.
 */
void bridge_stop(struct bridge *b);
void bridge_free(struct bridge *b); /* NULL is fine */

/* A record of that session, whose body is up to its seq. Takes nothing; for any thread, which may
 * hold a session's lock. */
void bridge_tell(struct bridge *b, struct span session, struct span body, uint64_t seq);

/* A message of so many bytes that was heard has been taken; why: it was not, static text. For any
 * thread. */
void bridge_taken(struct bridge *b, size_t len, const char *why);

/* How many records were told since this was asked last, and how many records, and events of
 * others, were dropped. */
void bridge_count(struct bridge *b, uint64_t *told, uint64_t *dropped);

#endif
