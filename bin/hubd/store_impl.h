/* What the files of the store share; private to them. store_sqlite.c opens, store_write.c writes in
 * its thread, store_prune.c drops what is old, in the same thread, store_read.c reads, in the
 * workers'. */
#ifndef HUBD_STORE_IMPL_H
#define HUBD_STORE_IMPL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "json/envelope.h"
#include "store.h"

#define STORE_BUSY_MS 5000 /* for somebody else's look at the database */
/* Of one message in the dedup window: seq and hash, lowest byte first. */
#define STORE_ACK_BYTES 16

enum read_stmt {
	GET_CRASH,
	LAST_CRASH,
	GET_SESSION,
	GET_TAIL,
	GET_STATE,
	GET_ACKS,
	GET_RECORDS,
	READ_STMTS
};

enum write_stmt {
	BEGIN,
	COMMIT,
	ROLLBACK,
	FIND_SESSION,
	PUT_SESSION,
	NEW_SESSION,
	PUT_BATCH,
	PUT_STATE,
	DROP_STATE,
	PUT_ACK,
	DROP_ACKS,
	NEXT_SESSION,
	FIRST_BATCH,
	DROP_BATCH,
	WRITE_STMTS
};

struct reader {
	sqlite3 *db;
	sqlite3_stmt *stmt[READ_STMTS];
};

struct store {
	struct hub *hub;
	char *file;
	int lock_fd; /* holds the lock against another hubd; closed last (see POSIX locks in
			fcntl(2)) */
	sqlite3 *db; /* the writer's */
	sqlite3_stmt *stmt[WRITE_STMTS];
	struct reader *reader; /* one per worker, opened when first needed */

	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct session *first, **last; /* lock; sessions to write, each with a reference */
	bool stop;		       /* lock */
	_Atomic(const char *) failing;

	struct buf bodies;   /* scratch: of a batch */
	struct buf messages; /* scratch: of what a commit has of a session, those with an ack */
	int64_t prune_at;    /* the session looked at last */
	uint64_t prune_ms;   /* when the next round is due */
	bool prune_again;    /* the step before had more to do */
};

/* store_sqlite.c. Static text for people. */
const char *store_db_error(sqlite3 *db);

/* Runs a statement that gives no rows of interest. Returns 0 or -EIO. */
int store_run(sqlite3_stmt *q);

void store_bind_text(sqlite3_stmt *q, int i, const char *text, size_t len);

/* Prepares n statements. Returns 0 or -EIO. */
int store_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **stmt, int n);

/* Returns 0 or -EIO. */
int store_set_meta(struct store *st, const char *name, const char *text);

/* store_write.c */
extern const char *const store_write_sql[WRITE_STMTS];

/* store_prune.c: some small steps, where it is time for them. */
void store_prune(struct store *st);

/* store_read.c */
void store_readers_free(struct store *st);

#endif
