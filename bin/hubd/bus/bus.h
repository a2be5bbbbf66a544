/* The bus: sessions over several hubds, with Redis between them. To the rooms below it is an
 * archive (session/archive.h) that numbers records: what is published here goes to Redis, where one
 * script numbers a batch of it, keeps it and tells all hubds; what comes from there is the log.
 *
 * Each URL is a link: a thread with a connection to publish and ask by, and one that hears.
 * Sessions are spread over links by a hash of their names. A link is down, then greeting (it learns
 * whom it speaks to), then up; whenever it fails it is down again, and then every session of it
 * catches up before anything else of it is done.
 *
 * What Redis has of a session NAME, all of it with the hash tag {NAME}: the hash hub:{NAME} (epoch,
 * head, the last batch), the stream ...:log (an entry a batch, whose id is 0-SEQ of its last
 * record), the hash ...:state (a field a key), the hashes ...:seen and ...:seen0 (messages with an
 * ack); the channel is hub:{NAME}.
 *
 * The files, from above: bus.c begins and ends it, bus_link.c is a link's thread, bus_greet.c
 * and bus_fail.c begin and end its connections, bus_hear.c what is heard there, bus_open.c what is
 * asked, bus_look.c what comes in or was missed, bus_publish.c what goes out, bus_far.c the
 * sessions, bus_queue.c what waits, bus_call.c commands; redis_conn.c and redis_url.c speak to
 * Redis, batch.c is the bytes of records, scripts.c the scripts beside it. */
#ifndef HUBD_BUS_H
#define HUBD_BUS_H

#include <stddef.h>
#include <stdint.h>

#include "session/registry.h"

struct bus;

/* Options of hubd(8). */
struct bus_settings {
	const char *const *urls;
	size_t n;
	int64_t replicas; /* that are to have a record before it is acknowledged */
	const char *ca;	  /* a file of certificates that are trusted; NULL: the system's */
	uint64_t ttl_ms;  /* for which a session is kept that no hubd has */
	/* What operators have set at another hubd, or it asks and answers: texts as of
	 * ARCHIVE_KEEP; news: just now. On a thread of the bus, or before it is started. */
	void (*kept)(void *arg, struct span name, struct span value, uint64_t until_ms, bool news);
	void *arg;
	uint64_t node_ms; /* silence after which another hubd's members are gone */
};

/* Connects, and takes the secret that all hubds share from Redis, or leaves it there. Borrows set.
 * Returns NULL after logging why, with *status an exit status. */
struct bus *bus_open(const struct bus_settings *set, unsigned char *secret, size_t secret_len,
		     int *status);

/* What sessions see of it. */
struct archive *bus_archive(struct bus *bus);

/* Starts the threads. Returns 0 or -errno. */
int bus_start(struct bus *bus, const struct session_env *env, struct registry *registry);

/* Sends what is left, for a short time, and stops the threads. NULL is fine. */
void bus_stop(struct bus *bus);
void bus_free(struct bus *bus); /* NULL is fine */

#endif
