/* The store: an archive (session/archive.h) in an SQLite database. One thread writes what comes
 * into a redo log, after which it is durable, in groups: what has come since the last entry makes
 * the next one. Another brings that into the database in larger commits. Two read, by request. None
 * of them holds a session's lock while it speaks to the disk. */
#ifndef HUBD_STORE_H
#define HUBD_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "session/archive.h"

struct session_env;

struct store;

enum store_sync { STORE_SYNC_FULL, STORE_SYNC_NORMAL, STORE_SYNC_OFF };

/* Options of hubd(8). */
struct store_settings {
	const char *file;
	enum store_sync sync;
	int64_t keep_records, keep_days; /* 0: all, for ever */
	int64_t max_bytes;		 /* that the store may have; 0: no end */
};

/* Opens or creates the file. Takes the hub's secret from it, or leaves it there where it is new,
 * and numbers this run. Borrows set. Returns NULL after logging why, with *status an exit status
 * (78 for what is not a store of ours or is damaged: then it is left as it was). */
struct store *store_open(const struct store_settings *set, unsigned char *secret, size_t secret_len,
			 uint32_t *run, int *status);

/* Whether the file could be opened or made, as far as can be seen without doing so. Returns 0, or
 * an exit status after logging why. */
int store_try(const char *file);

/* What sessions see of it. */
struct archive *store_archive(struct store *st);

/* Starts the threads. Returns 0 or -errno. */
int store_start(struct store *st, const struct session_env *env);

/* Before it is started: calls each() for every text that is kept, and is not over at this time. 0
 * or -EIO. */
int store_each_kept(struct store *st, uint64_t now_ms,
		    void (*each)(void *arg, struct span value, uint64_t until_ms), void *arg);

/* Writes what is left, ends requests under way, stops the threads. NULL is fine. Returns 0, or -EIO
 * after logging that records are lost. */
int store_stop(struct store *st);
void store_free(struct store *st); /* NULL is fine */

#endif
