/* What the files of the store share; private to them. store.c begins and ends it, store_open.c
 * opens the database, store_queue.c is what its two writing threads have to do: store_redo.c writes
 * the redo log, after which who waits is told, and store_write.c the database. store_batch.c makes
 * rows, store_prune.c drops what is old, store_delete.c what is not wanted, store_kept.c keeps what
 * operators have set, and store_quota.c bounds it all, in the thread of the latter.
 * store_checkpoint.c sees to it that what that has written is on the disk.
 * store_recover.c finds in the redo log what a hub that did not end in order has not written into
 * the database, store_read.c reads, in threads of its own, and store_sql.c is what they say to
 * SQLite. */
#ifndef HUBD_STORE_IMPL_H
#define HUBD_STORE_IMPL_H

#include <limits.h>
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

/* Whose work it is: of the thread of the redo log, then of that of the database; or of those that
 * read, which have no sessions. */
enum store_turn { TURN_LOG, TURN_STORE, TURN_READ };

struct store_queue {
	enum store_turn turn;
	const struct log_memory *memory; /* TURN_STORE, once it is started */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* lock */
	struct session *first, **last;			 /* each with a reference */
	struct archive_job *orders_first, **orders_last; /* ARCHIVE_DELETE, _KEEP */
	size_t bytes;					 /* about, that the sessions have */
	uint64_t taken_ms;				 /* monotonic: when some were taken last */
	bool turned; /* TURN_STORE: what came so far fills a file of the redo log */
	bool stop;
};

/* What one of them has taken. */
struct store_work {
	struct session *sessions;
	struct archive_job *orders;
	bool turned, stop;
};

/* The redo log: what the database may not have yet, in two files by turns. */
struct redo {
	int fd[2];
	unsigned at; /* the one that is written, */
	size_t size; /* and how much of it */
	uint32_t run;
	uint64_t number; /* of the last entry */
	struct buf entry;
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
	int wal_fd;		     /* SQLite's write-ahead log, */
	int wal_pages;		     /* which has so many since it began anew, */
	int wal_moved;		     /* of which so many were moved, or could not be */
	uint64_t rest_ms;	     /* monotonic: when it is to be emptied; 0: it is */
	struct store_queue to_store; /* its work: what the redo log has */
	_Atomic(const char *) failing;

	/* The redo log's. */
	struct redo redo;
	struct store_queue to_log; /* its thread's work: what has come */
	_Atomic(const char *) redo_failing;

	struct store_queue to_read; /* the readers' work */

	pthread_t logger, writer, readers[STORE_READERS];
	unsigned nreaders;
	bool logger_started, writer_started;
	bool ran, clean; /* there were records; all of them are in the database */
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

/* Another connection to the database, for one thread that reads. NULL after logging why. */
sqlite3 *store_connect(struct store *st);

/* The time in ms from now, for a condition on the monotonic clock. */
struct timespec store_in_ms(uint64_t ms);
void store_cond_init(pthread_cond_t *cond);

/* Makes the calling thread's slices of a CPU short, which two things need on Linux 6.12 and later
 * (sched_setattr(2)): who waits for the disk is to go on at once when that is done, and who works
 * beside it is not to hold that up. Elsewhere it does no harm. */
void store_slices(void);

/* --- store_open.c: the writer's connection; 0, or an exit status after logging why */
int store_open_db(struct store *st, unsigned char *secret, size_t secret_len, uint32_t *run);

/* --- store_queue.c */
void store_queue_init(struct store_queue *q, enum store_turn turn);
void store_queue_drop(struct store_queue *q); /* at the end: the sessions that are left */
void store_queue_free(struct store_queue *q);

/* Where the session has anything for that thread: so many bytes more, about. */
void store_queue_put(struct store_queue *q, struct session *s, size_t bytes);

/* Takes the first one off a list that was taken, with its reference; NULL: there is none. */
struct session *store_queue_pop(struct store_queue *q, struct session **list);

/* Nobody will carry the job out: its asker is told. */
void store_refuse(struct archive_job *job);

/* False where it is stopped: then the job is not taken. And: takes back what could not be done. */
bool store_queue_order(struct store_queue *q, struct archive_job *job);
void store_queue_again(struct store_queue *q, struct archive_job *jobs);

/* The first order, once there is one; NULL: it is stopped. */
struct archive_job *store_queue_next(struct store_queue *q);

/* All there is, after wait_ms at most where that is nothing, or where there is to be a pause. */
struct store_work store_queue_take(struct store_queue *q, uint64_t wait_ms, bool pause);

/* No more will come, where it is not put there by who takes; and whether it is so far. */
void store_queue_stop(struct store_queue *q);
bool store_queue_done(struct store_queue *q);

/* --- store_batch.c */

/* One session's part of a commit. */
struct batch {
	struct session *session; /* a reference; NULL: it is read from the redo log */
	struct span name;
	uint64_t epoch;
	uint64_t *acks;	     /* session.stored_acks */
	struct chunk *chunk; /* a reference; from `from` on */
	uint64_t from, to;
	int64_t time; /* ms since 1970 */
	struct batch *next;
	int64_t id;    /* the session's in the database */
	int64_t bytes; /* that it has there, with this */
};

/* What the sessions have for that thread, of each a part of bearable size, in the place of what
 * they had: false where none has anything. batch_clear() gives up the chunk of one. */
bool batches_view(struct batch *all, enum store_turn turn);
void batch_clear(struct batch *b);

/* The message of record seq, which is b's, and its tags. c: NULL, or the chunk of the one before.
 */
struct span batch_record(const struct batch *b, uint64_t seq, const struct chunk **c,
			 const struct slot **slot);

/* Batches of sessions that were taken, with their references, which batches_free() gives up. Those
 * for which there is no memory are put back, and then *whole is false. */
struct batch *batches_new(struct store_queue *q, struct session *sessions, bool *whole);
void batches_free(struct batch *all);

/* Within a transaction. Returns 0, -EIO, -ENOMEM, or -EINVAL for a record that cannot be read. */
int store_put_batch(struct store *st, struct batch *b);

/* --- store_redo.c */

/* Opens or makes its files, for this run. Returns 0, or -errno. At the end: removes them where
 * nobody needs them any more. */
int store_redo_open(struct store *st, uint32_t run);
void store_redo_close(struct store *st, bool needed);

void *store_redo_thread(void *store);
void store_wake(struct archive *a, struct session *s);
const char *store_failing(struct archive *a);

/* Notes in `failing`, and logs, why something cannot be written; or that it can be again. */
void store_set_failing(struct store *st, _Atomic(const char *) *failing, const char *why);
void store_set_writing(struct store *st, _Atomic(const char *) *failing);

/* An entry of it: this, then parts (store_redo.c), all numbers with the lowest byte first. */
struct redo_header {
	uint64_t hash;	 /* of all behind it, crypto_shorthash() */
	uint32_t size;	 /* of the parts */
	uint32_t run;	 /* of the hub */
	uint64_t number; /* from 1 on in each run, without a gap, also from file to file */
};

#define REDO_KEY "hubd's redo log." /* 16 bytes */

/* A part: then the name; and of PART_RECORDS n records with their texts. PART_DELETE is of whatever
 * has that name. Of PART_KEEP `from` is how many bytes of text follow, and epoch until when. */
enum redo_kind { PART_RECORDS = 'r', PART_DELETE = 'd', PART_KEEP = 'k' };

struct redo_part {
	uint8_t kind;
	uint8_t reserved[3];
	uint32_t name_len;
	uint64_t epoch;
	uint64_t from, n;
	int64_t time; /* ms since 1970 */
};

struct redo_record {
	uint64_t sender, msg;
	uint32_t len;
	uint32_t key_at, type_at;
	uint16_t key_len, type_len;
	uint8_t class, acked, owned, timed;
	uint32_t reserved;
};

/* --- store_recover.c: writes what the redo log of that run has into the database, where it is not
 * there yet. Returns 0, or -errno with why in *wrong. */
int store_recover(struct store *st, uint32_t run, const char **wrong);

/* Where a file is: "." or a path that ends in a slash. And: the path of one of its own. */
void store_directory(const char *file, char dir[PATH_MAX]);
void store_redo_path(const struct store *st, unsigned i, char path[PATH_MAX]);

/* --- store_write.c */
extern const char *const store_write_sql[WRITE_STMTS];
void *store_write_thread(void *store);

/* --- store_prune.c: some small steps, where it is time for them. */
void store_prune(struct store *st);

/* --- store_kept.c: within a transaction; returns 0 or -EIO. And now and then: what is over goes.
 */
int store_keep(struct store *st, struct span name, struct span value, int64_t until_ms);
void store_kept_look(struct store *st);

/* --- store_delete.c: carries out orders. Returns 0, or -EIO with nothing changed and *why static
 * text. And some small steps of what is left of sessions that were deleted. */
int store_order(struct store *st, struct archive_job *jobs, const char **why);
void store_clear(struct store *st);

/* A session is no more: the statements of it. Within a transaction. Returns 0 or -EIO; *found says
 * whether it was. */
int store_hide(struct store *st, struct span name, bool *found);

/* --- store_quota.c: after a commit, then for each session of it, which has so many bytes; now and
 * then; at the end. */
void store_quota_begin(struct store *st);
void store_quota_session(struct store *st, struct session *s, int64_t id, int64_t bytes);
void store_quota_look(struct store *st);
void store_quota_end(struct store *st);

/* --- store_checkpoint.c: from now on SQLite is not to sync; at the end it is. -EIO or -errno. */
int store_checkpoint_init(struct store *st);
void store_checkpoint_end(struct store *st);

/* SQLite's log is on the disk then. And: moves it into the database, where that is due. Returns 0,
 * or -EIO: the disk has failed to keep what it was given, and nobody knows what it has. */
int store_checkpoint_settle(struct store *st);
int store_checkpoint_look(struct store *st);

/* --- store_read.c */
/* A stored body as a frame, in *frame. Returns 0 or -ENOMEM. */
int store_frame(struct buf *frame, struct span body);

void *store_read_thread(void *store);
void store_ask(struct archive *a, struct archive_job *job);

#endif
