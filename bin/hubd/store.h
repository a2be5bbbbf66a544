/* The durable store: a cursor in every session's log that writes a database, and reads it back when
 * a session or a member needs more than is in memory.
 *
 * One thread writes, in groups: what has come since the last commit makes the next one. A session's
 * `stored` is the last seq on disk; acks wait for it. Without --store there is no store (NULL). */
#ifndef HUBD_STORE_H
#define HUBD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;
struct session;
struct store;

enum store_sync { STORE_SYNC_FULL, STORE_SYNC_NORMAL, STORE_SYNC_OFF };

/* Opens or creates the file, and takes the hub's secret from it. Returns NULL after logging why,
 * with *status an exit status (78 for what is not a store of ours or is damaged: then it is left as
 * it was). */
struct store *store_open(struct hub *hub, const char *file, int *status);

/* Starts the writing thread. Returns 0 or -errno. */
int store_start(struct store *st);

/* Writes what is left, stops the thread. NULL is fine. Returns 0, or -EIO after logging that
 * records are lost. */
int store_stop(struct store *st);
void store_free(struct store *st); /* NULL is fine */

/* A session that was just made: fills epoch, head, state and dedup window with what is stored of
 * it. Under the session's lock. reader: the index of the calling worker. Returns 0 or -errno. */
int store_load(struct store *st, unsigned reader, struct session *s);

/* The session has records that are not stored. Never blocks for long. */
void store_wake(struct store *st, struct session *s);

/* Why nothing can be stored at the moment, or NULL. Static text. */
const char *store_failing(struct store *st);

/* The last seq of s of which everybody who was here in that run of the hub (NULL: in whichever) can
 * be sure that no crash took it; UINT64_MAX where there was no crash. */
uint64_t store_sure(struct store *st, unsigned reader, const struct session *s,
		    const uint32_t *run);

/* The first seq that is stored of s; UINT64_MAX where none is. */
uint64_t store_tail(struct store *st, unsigned reader, const struct session *s);

/* Reads records from seq `from` to `to`, at most max bytes (at least one record), into a log
 * numbered from 1, whose oldest chunk is returned as a reference; *n: how many. NULL where `from`
 * is not stored (any more), or with *error true. Not under the session's lock. */
struct chunk *store_read(struct store *st, unsigned reader, struct session *s, uint64_t from,
			 uint64_t to, size_t max, uint64_t *n, bool *error);

#endif
