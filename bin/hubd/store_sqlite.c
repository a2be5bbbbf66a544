/* The store on SQLite, in WAL mode: the writer never waits for readers, nor they for it. The schema
 * is documented in hubd(8), for people query it. Invariant: what is stored of a session is its log
 * up to `stored`, contiguous, and the state and the dedup window are those of that record. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "err.h"
#include "hub.h"
#include "identity.h"
#include "keys.h"
#include "session.h"
#include "store.h"
#include "worker.h"
#include "wsframe.h"

#define APPLICATION_ID 0x68756264 /* "hubd" */
#define SCHEMA_VERSION 1
#define PAGE_BYTES 8192	 /* half the writes of the usual 4096, and as many records in a WAL */
#define BUSY_MS 5000	 /* for somebody else's look at the database */
#define RETRY_MS 1000	 /* after a write that failed */
#define CRASHES_KEPT 100 /* runs for which the heads at their crash are remembered */
#define PRUNE_MS 200	 /* between two rounds of pruning */
#define PRUNE_STEP 1000	 /* records of one session looked at in one step */
#define ACK_BYTES 16	 /* of one message in the dedup window: seq and hash */
#define PRUNE_SPELL 10	 /* ms that may be spent on steps between two commits */

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE session (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER "
    "NOT "
    "NULL,"
    " head INTEGER NOT NULL, written INTEGER NOT NULL);"
    "CREATE TABLE crash (session INTEGER NOT NULL, run INTEGER NOT NULL, head INTEGER NOT NULL,"
    " PRIMARY KEY (session, run)) WITHOUT ROWID;"
    "CREATE TABLE record (id INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT "
    "NULL,"
    " time INTEGER NOT NULL, type TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL);"
    "CREATE TABLE extent (session INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL,"
    " id INTEGER NOT NULL, PRIMARY KEY (session, seq)) WITHOUT ROWID;"
    "CREATE TABLE state (session INTEGER NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL,"
    " seq INTEGER NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY (session, key, type)) WITHOUT ROWID;"
    "CREATE TABLE ack (session INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL,"
    " messages BLOB NOT NULL,"
    " PRIMARY KEY (session, seq)) WITHOUT ROWID;";

enum write_stmt {
	BEGIN,
	COMMIT,
	ROLLBACK,
	FIND_SESSION,
	PUT_SESSION,
	NEW_SESSION,
	PUT_RECORD,
	PUT_EXTENT,
	GROW_EXTENT,
	PUT_STATE,
	DROP_STATE,
	PUT_ACK,
	DROP_ACKS,
	SET_META,
	NEXT_SESSION,
	LAST_RECORD,
	FIRST_EXTENT,
	FIRST_KEPT,
	PRUNE_RECORDS,
	CUT_EXTENT,
	DROP_EXTENT,
	WRITE_STMTS
};

static const char *const write_sql[WRITE_STMTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [FIND_SESSION] = "SELECT id FROM session WHERE name = ?1",
    [PUT_SESSION] = "UPDATE session SET head = ?2, written = ?3 WHERE id = ?1",
    [NEW_SESSION] = "INSERT INTO session (name, epoch, head, written) VALUES (?1, ?2, ?3, ?4)",
    [PUT_RECORD] = "INSERT INTO record (id, session, seq, time, type, sender, body)"
		   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [PUT_EXTENT] = "INSERT INTO extent (session, seq, n, id) VALUES (?1, ?2, ?3, ?4)",
    [GROW_EXTENT] = "UPDATE extent SET n = ?3 WHERE session = ?1 AND seq = ?2",
    [PUT_STATE] = "INSERT OR REPLACE INTO state (session, key, type, seq, sender, body)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [DROP_STATE] = "DELETE FROM state WHERE session = ?1 AND key = ?2",
    [PUT_ACK] = "INSERT INTO ack (session, seq, n, messages) VALUES (?1, ?2, ?3, ?4)",
    [DROP_ACKS] = "DELETE FROM ack WHERE session = ?1 AND seq <= (SELECT max(seq) FROM"
		  " (SELECT seq, sum(n) OVER (ORDER BY seq DESC) - n AS later FROM ack"
		  " WHERE session = ?1) WHERE later >= ?2)",
    [SET_META] = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
    [NEXT_SESSION] = "SELECT id, name, head FROM session WHERE id > ?1 ORDER BY id LIMIT 1",
    [LAST_RECORD] = "SELECT max(id) FROM record",
    [FIRST_EXTENT] = "SELECT seq, n, id FROM extent WHERE session = ?1 ORDER BY seq LIMIT 1",
    [FIRST_KEPT] = "SELECT id FROM record WHERE id BETWEEN ?1 AND ?2 AND seq > ?3 AND time >= ?4"
		   " ORDER BY id LIMIT 1",
    [PRUNE_RECORDS] = "DELETE FROM record WHERE id BETWEEN ?1 AND ?2",
    [CUT_EXTENT] = "UPDATE extent SET seq = seq + ?3, n = n - ?3, id = id + ?3"
		   " WHERE session = ?1 AND seq = ?2",
    [DROP_EXTENT] = "DELETE FROM extent WHERE session = ?1 AND seq = ?2",
};

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

static const char *const read_sql[READ_STMTS] = {
    [GET_CRASH] = "SELECT min(head) FROM crash WHERE session ="
		  " (SELECT id FROM session WHERE name = ?1) AND run >= ?2",
    [LAST_CRASH] = "SELECT head FROM crash WHERE session ="
		   " (SELECT id FROM session WHERE name = ?1) ORDER BY run DESC LIMIT 1",
    [GET_SESSION] = "SELECT id, epoch, head FROM session WHERE name = ?1",
    [GET_TAIL] =
	"SELECT min(seq) FROM extent WHERE session = (SELECT id FROM session WHERE name = ?1)",
    [GET_STATE] = "SELECT key, type, seq, sender, body FROM state WHERE session = ?1 ORDER BY seq",
    [GET_ACKS] = "SELECT n, messages FROM ack WHERE session = ?1 ORDER BY seq DESC",
    [GET_RECORDS] =
	"SELECT r.seq, r.sender, r.body FROM extent e CROSS JOIN record r"
	" ON r.id BETWEEN e.id + max(?2 - e.seq, 0) AND e.id + min(?3 - e.seq, e.n - 1)"
	" WHERE e.session = ?1 AND e.seq <= ?3 AND e.seq >= coalesce((SELECT max(seq) FROM extent"
	" WHERE session = ?1 AND seq <= ?2), 0) ORDER BY e.seq, r.id",
};

/* Records first to first + n - 1 of a session, which lie in the table one behind the other from id
 * on: what one commit wrote of the session, and more where nobody else came between. Far fewer than
 * an index by session and seq would have entries, and records are only ever written at the end. */
struct extent {
	int64_t session, first, n, id;
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

	struct extent end;   /* the last one, which may grow; its end is the table's */
	struct buf messages; /* scratch: of a batch, those with an ack */
	int64_t prune_at;    /* the session looked at last */
	uint64_t prune_ms;   /* when the next round is due */
	bool prune_again;    /* the step before had more to do */
};

/* --- statements --- */

/* Static text for people. */
static const char *db_error(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return "the disk is full";
	case SQLITE_READONLY:
		return "the store is read-only";
	case SQLITE_IOERR:
		return sqlite3_system_errno(db) == EFBIG
			   ? "the store is larger than the limit on file sizes allows"
			   : "the disk fails";
	case SQLITE_BUSY:
		return "the store is locked by somebody else";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "the store is damaged";
	default:
		return sqlite3_errstr(code);
	}
}

static void bind_text(sqlite3_stmt *q, int i, const char *text, size_t len)
{
	sqlite3_bind_text64(q, i, text, len, SQLITE_STATIC, SQLITE_UTF8);
}

/* Runs a statement that gives no rows of interest. Returns 0 or -EIO. */
static int run(sqlite3_stmt *q)
{
	int r = sqlite3_step(q);

	sqlite3_reset(q);
	return r == SQLITE_DONE || r == SQLITE_ROW ? 0 : -EIO;
}

static int prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **stmt, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &stmt[i], NULL) !=
		    SQLITE_OK)
			return -EIO;
	return 0;
}

static int64_t pragma_int(sqlite3 *db, const char *sql, int64_t otherwise)
{
	sqlite3_stmt *q;
	int64_t n = otherwise;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return otherwise;
	if (sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* --- opening --- */

static const char *const sync_sql[] = {"PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL",
				       "PRAGMA synchronous=OFF"};

/* What is wrong with the file, by its first bytes, or NULL. SQLite is not asked to open what is not
 * ours, for it might finish somebody else's transaction in it. */
static const char *check_header(int fd)
{
	static const char magic[16] = "SQLite format 3";
	unsigned char head[100];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	if (n == 0)
		return NULL;
	if (n < 0)
		return strerror(errno);
	if (n < (ssize_t)sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0 ||
	    ((uint32_t)head[68] << 24 | (uint32_t)head[69] << 16 | (uint32_t)head[70] << 8 |
	     head[71]) != APPLICATION_ID)
		return "not a store of hubd";
	return NULL;
}

/* What is wrong with the database, or NULL. Changes nothing. */
static const char *check(sqlite3 *db)
{
	int64_t tables = pragma_int(db, "SELECT count(*) FROM sqlite_master", -1);
	sqlite3_stmt *q;
	const char *said;
	bool ok;

	if (tables < 0)
		return db_error(db);
	if (tables == 0)
		return NULL;
	if (pragma_int(db, "PRAGMA user_version", 0) > SCHEMA_VERSION)
		return "made by a newer hubd";
	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL) != SQLITE_OK)
		return db_error(db);
	said = sqlite3_step(q) == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
	ok = said && strcmp(said, "ok") == 0;
	sqlite3_finalize(q);
	return ok ? NULL : "the store is damaged";
}

static int set_meta(struct store *st, const char *name, const void *value, int len)
{
	sqlite3_stmt *q = st->stmt[SET_META];

	sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(q, 2, value, len, SQLITE_STATIC);
	return run(q);
}

/* Takes the secret from the store, or gives it ours. */
static int share_secret(struct store *st)
{
	struct hub *hub = st->hub;
	sqlite3_stmt *q;
	int r = 0;

	if (sqlite3_prepare_v2(st->db, "SELECT value FROM meta WHERE name = 'secret'", -1, &q,
			       NULL) != SQLITE_OK)
		return -EIO;
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 0) == (int)sizeof(hub->secret))
		memcpy(hub->secret, sqlite3_column_blob(q, 0), sizeof(hub->secret));
	else
		r = set_meta(st, "secret", hub->secret, sizeof(hub->secret));
	sqlite3_finalize(q);
	return r;
}

/* Numbers this run, and notes that it has not ended in order yet. Where the one before did not, its
 * members may have seen records behind every session's head that are lost. */
static int note_start(struct store *st)
{
	int64_t crashed = pragma_int(
	    st->db, "SELECT CAST(value AS TEXT) = 'no' FROM meta WHERE name = 'clean'", 0);
	int64_t last = pragma_int(
	    st->db, "SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = 'run'", 0);
	char sql[256];

	st->hub->run = (uint32_t)(last + 1);
	snprintf(sql, sizeof(sql),
		 "INSERT OR REPLACE INTO crash SELECT id, %jd, head FROM session;"
		 "DELETE FROM crash WHERE run < %jd",
		 (intmax_t)last, (intmax_t)last - CRASHES_KEPT);
	if (crashed && sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	snprintf(sql, sizeof(sql), "%jd", (intmax_t)last + 1);
	return set_meta(st, "run", sql, (int)strlen(sql)) < 0 ? -EIO
							      : set_meta(st, "clean", "no", 2);
}

/* Where the table of records ends. */
static int find_end(struct store *st)
{
	sqlite3_stmt *q = st->stmt[LAST_RECORD];
	int r = sqlite3_step(q);

	if (r == SQLITE_ROW)
		st->end = (struct extent){.id = sqlite3_column_int64(q, 0), .n = 1};
	sqlite3_reset(q);
	return r == SQLITE_ROW ? 0 : -EIO;
}

/* Before WAL, so that the file itself tells from its first moment whose it is. */
static int make_schema(struct store *st)
{
	char set[128];

	if (pragma_int(st->db, "SELECT count(*) FROM sqlite_master", -1) != 0)
		return 0;
	snprintf(set, sizeof(set),
		 "PRAGMA page_size=%d; BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d;",
		 PAGE_BYTES, APPLICATION_ID, SCHEMA_VERSION);
	if (sqlite3_exec(st->db, set, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(st->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(st->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	return 0;
}

/* Some file systems cannot do it, and SQLite does not call that an error. */
static int use_wal(sqlite3 *db)
{
	sqlite3_stmt *q;
	const char *mode;
	bool wal;

	if (sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &q, NULL) != SQLITE_OK)
		return -EIO;
	mode = sqlite3_step(q) == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
	wal = mode && strcmp(mode, "wal") == 0;
	sqlite3_finalize(q);
	return wal ? 0 : -EIO;
}

/* One hubd per store: a lock beside those of SQLite. */
static int lock_file(struct store *st)
{
	st->lock_fd = open(st->file, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
	if (st->lock_fd < 0)
		return -errno;
	return flock(st->lock_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

struct store *store_open(struct hub *hub, const char *file, int *status)
{
	struct store *st = calloc(1, sizeof(*st));
	pthread_condattr_t monotonic;
	const char *wrong;
	int r;

	*status = EX_OSERR;
	if (!st || !(st->file = strdup(file)) ||
	    !(st->reader = calloc(hub->nworkers, sizeof(*st->reader)))) {
		err_log(ERR_ERROR, "store %s: out of memory", file);
		goto fail;
	}
	st->hub = hub;
	/* Before SQLite's first use: its statistics cost a lock for every piece of memory. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	st->last = &st->first;
	pthread_mutex_init(&st->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&st->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* Over a limit on file sizes writes are to fail, not hubd. */
	signal(SIGXFSZ, SIG_IGN);
	*status = EX_CANTCREAT;
	r = lock_file(st);
	if (r < 0) {
		err_log(ERR_ERROR, "store %s: %s", file,
			r == -EWOULDBLOCK ? "another hubd is using it" : strerror(-r));
		goto fail;
	}
	wrong = check_header(st->lock_fd);
	if (wrong) {
		*status = EX_CONFIG;
		err_log(ERR_ERROR, "store %s: %s", file, wrong);
		goto fail;
	}
	if (sqlite3_open_v2(file, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK ||
	    sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK) {
		err_log(ERR_ERROR, "store %s: %s", file, db_error(st->db));
		goto fail;
	}
	sqlite3_busy_timeout(st->db, BUSY_MS);
	wrong = check(st->db);
	if (wrong) {
		*status = EX_CONFIG;
		err_log(ERR_ERROR, "store %s: %s", file, wrong);
		goto fail;
	}
	if (make_schema(st) == 0 && prepare(st->db, write_sql, st->stmt, WRITE_STMTS) < 0 &&
	    sqlite3_errcode(st->db) == SQLITE_ERROR) {
		*status = EX_CONFIG; /* a table or column is not there */
		err_log(ERR_ERROR, "store %s: the store is damaged", file);
		goto fail;
	}
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	if (!st->stmt[WRITE_STMTS - 1] || use_wal(st->db) < 0 ||
	    sqlite3_exec(st->db, sync_sql[hub->opt.sync], NULL, NULL, NULL) != SQLITE_OK ||
	    share_secret(st) < 0 || note_start(st) < 0 || find_end(st) < 0) {
		err_log(ERR_ERROR, "store %s: %s", file, db_error(st->db));
		goto fail;
	}
	return st;
fail:
	store_free(st);
	return NULL;
}

void store_free(struct store *st)
{
	unsigned i, k;

	if (!st)
		return;
	for (i = 0; st->reader && i < st->hub->nworkers; i++) {
		for (k = 0; k < READ_STMTS; k++)
			sqlite3_finalize(st->reader[i].stmt[k]);
		sqlite3_close(st->reader[i].db);
	}
	for (k = 0; k < WRITE_STMTS; k++)
		sqlite3_finalize(st->stmt[k]);
	sqlite3_close(st->db);
	if (st->lock_fd > 0)
		close(st->lock_fd);
	if (st->hub) {
		pthread_mutex_destroy(&st->lock);
		pthread_cond_destroy(&st->wake);
	}
	buf_free(&st->messages);
	free(st->reader);
	free(st->file);
	free(st);
}

/* --- writing --- */

/* One session's part of a commit. */
struct batch {
	struct session *session; /* a reference */
	struct chunk *chunk;	 /* a reference; from `from` on */
	uint64_t from, to;
	struct batch *next;
};

/* Numbers in the dedup window's blobs: 64 bits, the lowest byte first. */
static int put_number(struct buf *b, uint64_t n)
{
	unsigned char bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(n >> (8 * i));
	return buf_put(b, bytes, sizeof(bytes));
}

static uint64_t get_number(const unsigned char *bytes)
{
	uint64_t n = 0;
	int i;

	for (i = 8; i-- > 0;)
		n = n << 8 | bytes[i];
	return n;
}

/* put_batch() has bound the session and the time. */
static int put_record(struct store *st, int64_t session, int64_t id, const struct slot *slot,
		      const unsigned char *frame, uint64_t seq)
{
	size_t header = wsframe_header_len(frame), len = slot->len - header;
	const char *body = (const char *)frame + header;
	char sender[IDENTITY_LEN + 1], room[ENVELOPE_KEY_MAX], why[64];
	struct envelope e;
	struct span key;
	enum key_rule rule;
	sqlite3_stmt *q = st->stmt[PUT_RECORD];
	int r;

	identity_text(slot->sender, sender);
	/* It was a good message when it was logged, so it still is. */
	if (envelope_parse(&e, body, len, why, sizeof(why)) != HUB_OK)
		return -EINVAL;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 3, (int64_t)seq);
	bind_text(q, 5, e.type.p, e.type.len);
	bind_text(q, 6, sender, IDENTITY_LEN);
	bind_text(q, 7, body, len);
	r = run(q);
	if (r == 0 && slot->acked &&
	    (put_number(&st->messages, seq) < 0 ||
	     put_number(&st->messages, identity_message(st->hub->secret, slot->sender, &e)) < 0))
		r = -ENOMEM;
	if (r < 0)
		return r;
	rule = keys_find(st->hub->keys, &e, room, &key);
	if (rule == KEY_SET) {
		q = st->stmt[PUT_STATE];
		sqlite3_bind_int64(q, 1, session);
		bind_text(q, 2, key.p, key.len);
		bind_text(q, 3, e.type.p, e.type.len);
		sqlite3_bind_int64(q, 4, (int64_t)seq);
		bind_text(q, 5, sender, IDENTITY_LEN);
		bind_text(q, 6, body, len);
		r = run(q);
	} else if (rule == KEY_DELETE) {
		q = st->stmt[DROP_STATE];
		sqlite3_bind_int64(q, 1, session);
		bind_text(q, 2, key.p, key.len);
		r = run(q);
	}
	return r;
}

static int put_session(struct store *st, const struct session *s, uint64_t head, int64_t now,
		       int64_t *id)
{
	sqlite3_stmt *q = st->stmt[FIND_SESSION];
	int r;

	bind_text(q, 1, s->id, s->id_len);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW)
		*id = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	if (r == SQLITE_ROW) {
		q = st->stmt[PUT_SESSION];
		sqlite3_bind_int64(q, 1, *id);
		sqlite3_bind_int64(q, 2, (int64_t)head);
		sqlite3_bind_int64(q, 3, now);
		return run(q);
	}
	if (r != SQLITE_DONE)
		return -EIO;
	q = st->stmt[NEW_SESSION];
	bind_text(q, 1, s->id, s->id_len);
	sqlite3_bind_int64(q, 2, (int64_t)s->epoch);
	sqlite3_bind_int64(q, 3, (int64_t)head);
	sqlite3_bind_int64(q, 4, now);
	r = run(q);
	*id = sqlite3_last_insert_rowid(st->db);
	return r;
}

/* Where the records of a batch are. */
static int put_extent(struct store *st, int64_t session, const struct batch *b, struct extent *end)
{
	bool grows = end->session == session && end->first + end->n == (int64_t)b->from;
	int64_t n = (int64_t)(b->to - b->from) + 1;
	sqlite3_stmt *q = st->stmt[grows ? GROW_EXTENT : PUT_EXTENT];

	if (grows)
		end->n += n;
	else
		*end = (struct extent){session, (int64_t)b->from, n, end->id + end->n};
	sqlite3_bind_int64(q, 1, end->session);
	sqlite3_bind_int64(q, 2, end->first);
	sqlite3_bind_int64(q, 3, end->n);
	if (!grows)
		sqlite3_bind_int64(q, 4, end->id);
	return run(q);
}

/* The batch's part of the dedup window. Now and then the window's older part goes. */
static int put_acks(struct store *st, int64_t session, const struct batch *b)
{
	sqlite3_stmt *q = st->stmt[PUT_ACK];
	int r;

	sqlite3_bind_int64(q, 1, session);
	sqlite3_bind_int64(q, 2, (int64_t)b->to);
	sqlite3_bind_int64(q, 3, (int64_t)(st->messages.len / ACK_BYTES));
	sqlite3_bind_blob64(q, 4, st->messages.data, st->messages.len, SQLITE_STATIC);
	r = run(q);
	if (r < 0 || (b->from - 1) / DEDUP_MAX == b->to / DEDUP_MAX)
		return r;
	q = st->stmt[DROP_ACKS];
	sqlite3_bind_int64(q, 1, session);
	sqlite3_bind_int64(q, 2, DEDUP_MAX);
	return run(q);
}

/* *end: the last extent, which it moves on. */
static int put_batch(struct store *st, const struct batch *b, struct extent *end)
{
	const struct chunk *c = b->chunk;
	int64_t session = 0, id = end->id + end->n, now = (int64_t)clock_wall_ms();
	uint64_t seq;
	int r = put_session(st, b->session, b->to, now, &session);

	sqlite3_bind_int64(st->stmt[PUT_RECORD], 2, session);
	sqlite3_bind_int64(st->stmt[PUT_RECORD], 4, now);

	st->messages.len = 0;
	for (seq = b->from; seq <= b->to && r == 0; seq++) {
		const struct slot *slot;

		c = chunk_find(c, seq);
		slot = chunk_slot(c, seq - c->first);
		r = put_record(st, session, id++, slot, c->data + slot->offset, seq);
	}
	if (r == 0)
		r = put_extent(st, session, b, end);
	if (r == 0 && st->messages.len)
		r = put_acks(st, session, b);
	return r;
}

/* What a session has that is not stored, or NULL. Takes the reference. */
static struct batch *batch_new(struct store *st, struct session *s)
{
	struct batch *b = calloc(1, sizeof(*b));
	struct log_view view;

	pthread_mutex_lock(&s->lock);
	s->storing = false;
	if (!b) {
		pthread_mutex_unlock(&s->lock);
		store_wake(st, s); /* again */
		session_unref(s);
		return NULL;
	}
	b->from = s->stored + 1;
	log_view(&s->log, b->from, &view);
	pthread_mutex_unlock(&s->lock);
	if (!view.chunk) {
		session_unref(s);
		free(b);
		return NULL;
	}
	b->session = s;
	b->chunk = view.chunk;
	b->to = view.head;
	return b;
}

static void batch_free(struct batch *b)
{
	chunk_unref(b->chunk);
	session_unref(b->session);
	free(b);
}

/* One transaction. Returns 0, or -errno with nothing changed. */
static int commit(struct store *st, const struct batch *all)
{
	struct extent end = st->end;
	const struct batch *b;
	int r = run(st->stmt[BEGIN]);

	for (b = all; b && r == 0; b = b->next)
		r = put_batch(st, b, &end);
	if (r == 0)
		r = run(st->stmt[COMMIT]);
	if (r < 0) {
		const char *why = r == -EINVAL	 ? "a record cannot be read back"
				  : r == -ENOMEM ? "out of memory"
						 : db_error(st->db);

		if (!atomic_exchange(&st->failing, why))
			err_log(ERR_ERROR,
				"store %s: %s; publishers are refused until it is mended", st->file,
				why);
		if (!sqlite3_get_autocommit(st->db))
			run(st->stmt[ROLLBACK]);
		return r;
	}
	st->end = end;
	if (atomic_exchange(&st->failing, NULL))
		err_log(ERR_INFO, "store %s: writing again", st->file);
	return 0;
}

/* Writes what the sessions have. Takes the list and its references. */
static void write_sessions(struct store *st, struct session *list)
{
	struct batch *all = NULL, **last = &all, *b;

	while (list) {
		struct session *next = list->store_next;

		*last = batch_new(st, list);
		if (*last)
			last = &(*last)->next;
		list = next;
	}
	if (!all)
		return;
	if (commit(st, all) < 0) {
		for (b = all; b; b = b->next)
			store_wake(st, b->session); /* again, after a pause */
	} else {
		for (b = all; b; b = b->next)
			session_stored(b->session, b->to);
	}
	while ((b = all) != NULL) {
		all = b->next;
		batch_free(b);
	}
}

/* --- pruning --- */

/* The oldest of a session's extents; false where there is none. */
static bool first_extent(struct store *st, int64_t session, struct extent *e)
{
	sqlite3_stmt *q = st->stmt[FIRST_EXTENT];
	bool found;

	sqlite3_bind_int64(q, 1, session);
	found = sqlite3_step(q) == SQLITE_ROW;
	if (found)
		*e = (struct extent){session, sqlite3_column_int64(q, 0),
				     sqlite3_column_int64(q, 1), sqlite3_column_int64(q, 2)};
	sqlite3_reset(q);
	return found;
}

/* How many of the first n records of e are old. */
static int64_t count_old(struct store *st, const struct extent *e, int64_t n, int64_t head)
{
	const struct hub_options *opt = &st->hub->opt;
	sqlite3_stmt *q = st->stmt[FIRST_KEPT];

	sqlite3_bind_int64(q, 1, e->id);
	sqlite3_bind_int64(q, 2, e->id + n - 1);
	sqlite3_bind_int64(q, 3, opt->keep_records ? head - opt->keep_records : 0);
	sqlite3_bind_int64(q, 4,
			   opt->keep_days ? (int64_t)clock_wall_ms() - opt->keep_days * 86400000
					  : INT64_MIN);
	if (!opt->keep_records && !opt->keep_days)
		return 0;
	if (sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0) - e->id;
	sqlite3_reset(q);
	return n;
}

/* The old records of one session, some of them: always from the front, so that what is left has no
 * hole even where the clock was set back. True where there may be more. */
static bool prune_session(struct store *st, int64_t session, int64_t head)
{
	sqlite3_stmt *q = st->stmt[PRUNE_RECORDS];
	struct extent e;
	int64_t most, n;

	if (!first_extent(st, session, &e))
		return false;
	most = e.n < PRUNE_STEP ? e.n : PRUNE_STEP;
	n = count_old(st, &e, most, head);
	if (n == 0)
		return false;
	sqlite3_bind_int64(q, 1, e.id);
	sqlite3_bind_int64(q, 2, e.id + n - 1);
	if (run(q) < 0)
		return false;
	q = st->stmt[n == e.n ? DROP_EXTENT : CUT_EXTENT];
	sqlite3_bind_int64(q, 1, session);
	sqlite3_bind_int64(q, 2, e.first);
	if (n < e.n)
		sqlite3_bind_int64(q, 3, n);
	if (st->end.session == session)
		st->end.session = 0; /* it may have changed, so it grows no more */
	return run(q) == 0 && n == most;
}

/* One step. True where there is more to do at once. */
static bool prune_step(struct store *st)
{
	sqlite3_stmt *next = st->stmt[NEXT_SESSION];
	int64_t id, head;

	sqlite3_bind_int64(next, 1, st->prune_again ? st->prune_at - 1 : st->prune_at);
	if (sqlite3_step(next) != SQLITE_ROW) {
		sqlite3_reset(next);
		st->prune_at = 0;
		return false; /* that was all of them */
	}
	st->prune_at = id = sqlite3_column_int64(next, 0);
	head = sqlite3_column_int64(next, 2);
	sqlite3_reset(next);
	st->prune_again = prune_session(st, id, head);
	return true;
}

/* Some small steps, where it is time for them: over all sessions, then a pause. */
static void prune(struct store *st)
{
	const struct hub_options *opt = &st->hub->opt;
	uint64_t start = clock_mono_ms();

	if ((!opt->keep_records && !opt->keep_days) || start < st->prune_ms)
		return;
	if (run(st->stmt[BEGIN]) < 0)
		return; /* somebody else's turn */
	while (clock_mono_ms() < start + PRUNE_SPELL) {
		if (!prune_step(st)) {
			st->prune_ms = clock_mono_ms() + PRUNE_MS;
			break;
		}
	}
	if (run(st->stmt[COMMIT]) < 0 && !sqlite3_get_autocommit(st->db))
		run(st->stmt[ROLLBACK]);
}

static void *store_thread(void *arg)
{
	struct store *st = arg;
	bool stop = false;

	while (!stop) {
		struct session *list;
		struct timespec until;

		pthread_mutex_lock(&st->lock);
		if (!st->stop && (!st->first || atomic_load(&st->failing))) {
			uint64_t ms = atomic_load(&st->failing) ? RETRY_MS : PRUNE_MS;

			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_nsec += (long)(ms % 1000) * 1000000;
			until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
			until.tv_nsec %= 1000000000;
			pthread_cond_timedwait(&st->wake, &st->lock, &until);
		}
		list = st->first;
		st->first = NULL;
		st->last = &st->first;
		stop = st->stop;
		pthread_mutex_unlock(&st->lock);
		write_sessions(st, list);
		if (!atomic_load(&st->failing))
			prune(st);
	}
	return NULL;
}

int store_start(struct store *st)
{
	int r = pthread_create(&st->thread, NULL, store_thread, st);

	st->started = r == 0;
	return -r;
}

int store_stop(struct store *st)
{
	struct session *s;
	const char *failing;

	if (!st || !st->started)
		return 0;
	pthread_mutex_lock(&st->lock);
	st->stop = true;
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
	pthread_join(st->thread, NULL);
	st->started = false;
	failing = atomic_load(&st->failing);
	if (failing)
		err_log(ERR_ERROR, "store %s: %s; the last records are lost", st->file, failing);
	else
		set_meta(st, "clean", "yes", 3);
	while ((s = st->first) != NULL) {
		st->first = s->store_next;
		session_unref(s);
	}
	return failing ? -EIO : 0;
}

void store_wake(struct store *st, struct session *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->storing || s->stored >= s->log.head) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	s->storing = true;
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_lock(&st->lock);
	s->store_next = NULL;
	*st->last = session_ref(s);
	st->last = &s->store_next;
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
}

const char *store_failing(struct store *st)
{
	return atomic_load_explicit(&st->failing, memory_order_relaxed);
}

/* --- reading --- */

static struct reader *reader_of(struct store *st, unsigned index)
{
	struct reader *r = &st->reader[index];

	if (r->db)
		return r;
	if (sqlite3_open_v2(st->file, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK ||
	    sqlite3_busy_timeout(r->db, BUSY_MS) != SQLITE_OK ||
	    prepare(r->db, read_sql, r->stmt, READ_STMTS) < 0) {
		unsigned k;

		err_log(ERR_ERROR, "store %s: %s", st->file, db_error(r->db));
		for (k = 0; k < READ_STMTS; k++)
			sqlite3_finalize(r->stmt[k]);
		sqlite3_close(r->db);
		*r = (struct reader){0};
		return NULL;
	}
	return r;
}

static struct span column_text(sqlite3_stmt *q, int i)
{
	return (struct span){(const char *)sqlite3_column_text(q, i),
			     (size_t)sqlite3_column_bytes(q, i)};
}

/* A stored body as a frame, in *frame. Returns 0 or -ENOMEM. */
static int make_frame(struct buf *frame, struct span body)
{
	frame->len = 0;
	if (buf_reserve(frame, WSFRAME_HEADER_MAX + body.len) < 0)
		return -ENOMEM;
	frame->len = wsframe_text((unsigned char *)frame->data, body.len);
	return buf_put(frame, body.p, body.len);
}

static int load_state(struct session *s, sqlite3_stmt *q, int64_t id)
{
	struct buf frame = {0};
	int r = SQLITE_ROW, err = 0;

	sqlite3_bind_int64(q, 1, id);
	while (err == 0 && (r = sqlite3_step(q)) == SQLITE_ROW) {
		struct state_entry *entry;
		uint64_t sender = 0;

		identity_parse(column_text(q, 3), &sender);
		err = make_frame(&frame, column_text(q, 4));
		if (err < 0)
			break;
		entry = state_reserve(&s->state, column_text(q, 0), column_text(q, 1), frame.len,
				      SIZE_MAX, false);
		if (!entry)
			err = -ENOMEM;
		else
			state_set(&s->state, entry, (uint64_t)sqlite3_column_int64(q, 2), sender,
				  frame.data, frame.len);
	}
	sqlite3_reset(q);
	buf_free(&frame);
	return err < 0 ? err : r == SQLITE_DONE ? 0 : -EIO;
}

/* The newest come first from the store, and go last into the window. */
static int load_acks(struct session *s, sqlite3_stmt *q, int64_t id)
{
	unsigned char *all = malloc(DEDUP_MAX * ACK_BYTES);
	size_t at = DEDUP_MAX * ACK_BYTES;
	int r = SQLITE_ROW, err = all ? 0 : -ENOMEM;

	sqlite3_bind_int64(q, 1, id);
	while (err == 0 && at && (r = sqlite3_step(q)) == SQLITE_ROW) {
		const unsigned char *blob = sqlite3_column_blob(q, 1);
		size_t len = (size_t)sqlite3_column_bytes(q, 1) / ACK_BYTES * ACK_BYTES;
		size_t take = len < at ? len : at;

		at -= take;
		if (take)
			memcpy(all + at, blob + len - take, take);
	}
	sqlite3_reset(q);
	if (err == 0 && r != SQLITE_DONE && r != SQLITE_ROW)
		err = -EIO;
	for (; err == 0 && at < DEDUP_MAX * ACK_BYTES; at += ACK_BYTES)
		err = session_load_ack(s, get_number(all + at + 8), get_number(all + at));
	free(all);
	return err;
}

int store_load(struct store *st, unsigned index, struct session *s)
{
	struct reader *rd = reader_of(st, index);
	sqlite3_stmt *q;
	int64_t id;
	int r;

	if (!rd)
		return -EIO;
	/* All of it as of one commit. */
	if (sqlite3_exec(rd->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	q = rd->stmt[GET_SESSION];
	bind_text(q, 1, s->id, s->id_len);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW) {
		id = sqlite3_column_int64(q, 0);
		s->epoch = (uint64_t)sqlite3_column_int64(q, 1);
		s->stored = (uint64_t)sqlite3_column_int64(q, 2);
		log_resume(&s->log, s->stored);
		r = load_state(s, rd->stmt[GET_STATE], id);
		if (r == 0)
			r = load_acks(s, rd->stmt[GET_ACKS], id);
	} else {
		r = r == SQLITE_DONE ? 0 : -EIO;
	}
	sqlite3_reset(q);
	sqlite3_exec(rd->db, "COMMIT", NULL, NULL, NULL);
	if (r < 0)
		err_log(ERR_ERROR, "store %s: session %s: %s", st->file, s->id,
			r == -ENOMEM ? "out of memory" : db_error(rd->db));
	return r;
}

uint64_t store_tail(struct store *st, unsigned index, const struct session *s)
{
	struct reader *rd = reader_of(st, index);
	uint64_t tail = UINT64_MAX;
	sqlite3_stmt *q;

	if (!rd)
		return tail;
	q = rd->stmt[GET_TAIL];
	bind_text(q, 1, s->id, s->id_len);
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
		tail = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return tail;
}

uint64_t store_sure(struct store *st, unsigned index, const struct session *s, const uint32_t *run)
{
	struct reader *rd = reader_of(st, index);
	uint64_t sure = UINT64_MAX;
	sqlite3_stmt *q;

	if (!rd)
		return 0;
	q = rd->stmt[run ? GET_CRASH : LAST_CRASH];
	bind_text(q, 1, s->id, s->id_len);
	if (run)
		sqlite3_bind_int64(q, 2, *run);
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
		sure = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return sure;
}

/* Puts the rows of q into a log, up to max bytes. */
static int read_records(sqlite3_stmt *q, struct log *out, uint64_t from, size_t max)
{
	struct buf frame = {0};
	size_t bytes = 0;
	int r = SQLITE_ROW, err = 0;

	while (err == 0 && bytes < max && (r = sqlite3_step(q)) == SQLITE_ROW) {
		uint64_t sender = 0;

		if ((uint64_t)sqlite3_column_int64(q, 0) != from + out->head)
			break; /* pruned meanwhile */
		identity_parse(column_text(q, 1), &sender);
		err = make_frame(&frame, column_text(q, 2));
		if (err == 0 && log_put(out, sender, frame.data, frame.len) < 0)
			err = -ENOMEM;
		bytes += frame.len;
	}
	buf_free(&frame);
	return err < 0 ? err : r == SQLITE_DONE || r == SQLITE_ROW ? 0 : -EIO;
}

struct chunk *store_read(struct store *st, unsigned index, struct session *s, uint64_t from,
			 uint64_t to, size_t max, uint64_t *n, bool *error)
{
	struct reader *rd = reader_of(st, index);
	struct log out;
	int64_t id = -1;
	sqlite3_stmt *q;
	int r;

	*error = true;
	if (!rd)
		return NULL;
	log_init(&out, &st->hub->memory);
	q = rd->stmt[GET_SESSION];
	bind_text(q, 1, s->id, s->id_len);
	if (sqlite3_step(q) == SQLITE_ROW)
		id = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	q = rd->stmt[GET_RECORDS];
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, (int64_t)from);
	sqlite3_bind_int64(q, 3, (int64_t)to);
	r = read_records(q, &out, from, max);
	sqlite3_reset(q);
	if (r < 0) {
		err_log(ERR_ERROR, "store %s: session %s: %s", st->file, s->id,
			r == -ENOMEM ? "out of memory" : db_error(rd->db));
		log_free(&out);
		return NULL;
	}
	*error = false;
	*n = out.head;
	return out.oldest;
}
