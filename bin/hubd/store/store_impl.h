/* What the files of the store share; private to them. store.c begins and ends it, store_open.c
 * opens the database, store_write.c writes in a thread, what store_batch.c makes rows of,
 * store_prune.c drops what is old, store_delete.c what is not wanted, store_kept.c keeps what
 * operators have set, and store_quota.c bounds it all, in the same thread, store_checkpoint.c moves
 * the write-ahead log in its thread, store_read.c reads, in threads of its own, store_sql.c is what
 * they say to SQLite, and store_vfs.c how that writes its log. */
#ifndef HUBD_STORE_IMPL_H
#define HUBD_STORE_IMPL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "session/session.h"
#include "store/store.h"

#define STORE_READERS 2
#define STORE_BUSY_MS 5000 /* for somebody else's look at the database */
/* Of one message in the dedup window: seq, hash and sender, lowest byte first. */
#define STORE_ACK_BYTES 24
/* Messages kept of a session at least, since the window is chosen from them; and about so many more
 * before some go. */
#define STORE_ACKS (2 * DEDUP_MAX)
#define STORE_ACKS_MORE 4096

enum write_stmt {
	BEGIN,
	COMMIT,
	ROLLBACK,
	FIND_SESSION,
	PUT_SESSION,
	NEW_SESSION,
	TAKE_BYTES,
	SESSION_BYTES,
	STORE_SIZE,
	PUT_BATCH,
	PUT_STATE,
	DROP_STATE,
	PUT_ACK,
	COUNT_ACKS,
	FIRST_ACKS,
	DROP_ACKS,
	NEXT_SESSION,
	FIRST_BATCH,
	PAST_BATCH,
	DROP_BATCH,
	HIDE_SESSION,
	NEXT_HIDDEN,
	CLEAR_BATCH, /* and the next ones: of one that was deleted, the session's row last */
	CLEAR_STATE,
	CLEAR_ACKS,
	CLEAR_CRASHES,
	CLEAR_SESSION,
	PUT_KEPT,
	DROP_KEPT,
	DROP_OVER,
	NEXT_OVER,
	DROP_LIMITS,
	WRITE_STMTS
};

struct store {
	struct archive archive; /* first */
	const struct store_settings *set;
	const struct session_env *env; /* once it is started */
	int lock_fd; /* holds the lock against another hubd; closed last (see POSIX locks in
			fcntl(2)) */

	/* The writer's. */
	sqlite3 *db;
	sqlite3_stmt *stmt[WRITE_STMTS];
	struct buf bodies;   /* scratch: of a batch */
	struct buf messages; /* scratch: of what a commit has of a session, those with an ack */
	int64_t prune_at;    /* the session looked at last */
	int64_t wall_ms;     /* the wall clock when the store was opened, */
	uint64_t mono_ms;    /* and the monotonic one */
	uint64_t prune_ms;   /* when the next round is due */
	bool prune_again;    /* the step before had more to do */
	int64_t kept_ms;     /* by the wall clock: of what is kept nothing ends before */
	bool clears;	     /* there may be rows of sessions that were deleted */
	int64_t quota_left;  /* bytes, as of the last commit */
	uint64_t quota_ms;   /* when full sessions are looked at again */
	struct store_full *full;
	_Atomic(const char *) failing;

	/* Its list, under `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct session *first, **last; /* sessions to write, each with a reference */
	struct archive_job *orders_first, **orders_last; /* ARCHIVE_DELETE and _KEEP */
	bool stop;

	/* Requests, under jobs_lock. */
	pthread_mutex_t jobs_lock;
	pthread_cond_t jobs_wake;
	struct archive_job *jobs_first, **jobs_last;
	bool jobs_stop;

	/* The write-ahead log, in pages; under wal_lock. */
	pthread_mutex_t wal_lock;
	pthread_cond_t wal_wake;
	int wal_pages;	      /* written since it began anew */
	int wal_moved;	      /* of them: in the database */
	unsigned wal_commits; /* so far */
	bool wal_busy;	      /* its thread is moving some */
	bool wal_near;	      /* what is left of it is little: it is the writer's turn */
	bool wal_full;	      /* or is too much */
	bool wal_stop;

	pthread_t writer, mover, readers[STORE_READERS];
	unsigned nreaders;
	bool writer_started, mover_started;
};

/* --- store_sql.c */

/* Static text for people. */
const char *store_db_error(sqlite3 *db);

/* Runs a statement that gives no rows of interest. Returns 0 or -EIO. */
int store_run(sqlite3_stmt *q);

void store_bind_text(sqlite3_stmt *q, int i, const char *text, size_t len);

/* Prepares n statements. Returns 0 or -EIO. */
int store_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **stmt, int n);

/* A value of len bytes in the table of such. Returns 0 or -EIO. */
int store_set_meta(sqlite3 *db, const char *name, const void *value, size_t len);

/* The PRAGMA that makes a connection sync as the option says. */
const char *store_sync_sql(enum store_sync sync);

/* --- store_vfs.c: the name of the way to files that connections with so much care take, or NULL:
 * the usual one. */
const char *store_vfs(enum store_sync sync);

/* Another connection to the database, for one thread; writes: it may write. NULL after logging why.
 */
sqlite3 *store_connect(struct store *st, bool writes);

/* The time in ms from now, for a condition on the monotonic clock. */
struct timespec store_in_ms(uint64_t ms);
void store_cond_init(pthread_cond_t *cond);

/* --- store_open.c: the writer's connection; 0, or an exit status after logging why */
int store_open_db(struct store *st, unsigned char *secret, size_t secret_len, uint32_t *run);

/* --- store_batch.c */

/* One session's part of a commit. */
struct batch {
	struct session *session; /* a reference */
	struct chunk *chunk;	 /* a reference; from `from` on */
	uint64_t from, to;
	struct batch *next;
	int64_t id;    /* the session's in the database */
	int64_t bytes; /* that it has there, with this */
};

/* Within a transaction. Returns 0, -EIO, -ENOMEM, or -EINVAL for a record that cannot be read. */
int store_put_batch(struct store *st, struct batch *b);

/* --- store_write.c */
extern const char *const store_write_sql[WRITE_STMTS];
void *store_write_thread(void *store);
void store_wake(struct archive *a, struct session *s);
void store_ask_write(struct store *st, struct archive_job *job);
const char *store_failing(struct archive *a);

/* --- store_prune.c: some small steps, where it is time for them. */
void store_prune(struct store *st);

/* --- store_kept.c: within a transaction; returns 0 or -EIO. And now and then: what is over goes.
 */
int store_keep(struct store *st, const struct archive_job *job);
void store_kept_look(struct store *st);

/* --- store_delete.c: carries out orders. Returns 0, or -EIO with nothing changed and *why static
 * text. And some small steps of what is left of sessions that were deleted. */
int store_order(struct store *st, struct archive_job *jobs, const char **why);
void store_clear(struct store *st);

/* --- store_quota.c: after a commit, then for each session of it, which has so many bytes; now and
 * then; at the end. */
void store_quota_begin(struct store *st);
void store_quota_session(struct store *st, struct session *s, int64_t id, int64_t bytes);
void store_quota_look(struct store *st);
void store_quota_end(struct store *st);

/* --- store_checkpoint.c */
void *store_checkpoint_thread(void *store);

/* Makes the writer's connection count pages and leave moving them to the thread. */
void store_checkpoint_init(struct store *st);

/* For the writer, between two commits: what is left to be done there. */
void store_checkpoint_step(struct store *st);

/* --- store_read.c */
void *store_read_thread(void *store);
void store_ask(struct archive *a, struct archive_job *job);

#endif
