/* The store on SQLite, in WAL mode: the writer never waits for readers, nor they for it. The schema
 * is documented in hubd(8), for people query it. Invariant: what is stored of a session is its log
 * up to `stored`, contiguous, and the state and the dedup window are those of that record. This
 * file: opening. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "store/store_impl.h"

#define APPLICATION_ID 0x68756264 /* "hubd" */
#define SCHEMA_VERSION 5
#define PAGE_BYTES 16384 /* half the writes of the usual 4096, and as many records in a WAL */
#define CRASHES_KEPT 100 /* runs for which the heads at their crash are remembered */

/* What a commit has of a session is one row, as a rule: a row a record costs the writing thread
 * twice as much. People see records all the same, by the view. */
#define BATCH_TABLE                                                                             \
	"CREATE TABLE batch (id INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT" \
	" NULL, n INTEGER NOT NULL, time INTEGER NOT NULL, bodies TEXT NOT NULL);"              \
	"CREATE UNIQUE INDEX batch_seq ON batch (session, seq);"
#define RECORD_VIEW                                                                             \
	"CREATE VIEW record (session, seq, time, type, sender, body) AS SELECT session,"        \
	" seq + key, time, json_extract(value, '$.type'), json_extract(value, '$.from'), value" \
	" FROM batch, json_each('[' || replace(bodies, char(10), ',') || ']');"

/* What operators have set. */
#define KEPT_TABLE                                                                          \
	"CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL, until INTEGER NOT " \
	"NULL) WITHOUT ROWID;"

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE session (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER "
    "NOT "
    "NULL,"
    " head INTEGER NOT NULL, written INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE crash (session INTEGER NOT NULL, run INTEGER NOT NULL, head INTEGER NOT NULL,"
    " PRIMARY KEY (session, run)) WITHOUT ROWID;" BATCH_TABLE
    "CREATE TABLE state (session INTEGER NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL,"
    " seq INTEGER NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,"
    " own INTEGER NOT NULL DEFAULT 0, expires INTEGER,"
    " PRIMARY KEY (session, key, type)) WITHOUT ROWID;"
    "CREATE TABLE ack (session INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL,"
    " messages BLOB NOT NULL,"
    " PRIMARY KEY (session, seq)) WITHOUT ROWID;" KEPT_TABLE RECORD_VIEW;

/* Whether those are there that every version has. */
#define ALL_TABLES                                                                         \
	"SELECT count(*) = 5 FROM sqlite_master WHERE type = 'table' AND name IN ('meta'," \
	" 'session', 'crash', 'state', 'ack')"

/* What makes version i + 1 of i, run in one transaction with what is behind it. */
static const char *const migration[SCHEMA_VERSION] = {
    /* Records had a row each, and an extent said where those of a session lie. */
    [1] = BATCH_TABLE
    "WITH RECURSIVE part (session, seq, id, last) AS"
    " (SELECT session, seq, id, id + n - 1 FROM extent UNION ALL"
    " SELECT session, seq + 64, id + 64, last FROM part WHERE id + 64 <= last)"
    " INSERT INTO batch (session, seq, n, time, bodies)"
    " SELECT session, seq, min(64, last - id + 1),"
    " (SELECT max(time) FROM record WHERE id BETWEEN part.id AND min(part.id + 63, last)),"
    " (SELECT group_concat(body, char(10)) FROM (SELECT body FROM record"
    " WHERE id BETWEEN part.id AND min(part.id + 63, last) ORDER BY id)) FROM part;"
    "DROP TABLE record; DROP TABLE extent;" RECORD_VIEW,
    /* A session did not count its bytes; acks had no sender, which their rows tell by themselves.
     */
    [2] = "ALTER TABLE session ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
	  "UPDATE session SET bytes = (SELECT coalesce(sum(length(CAST(bodies AS BLOB))), 0)"
	  " FROM batch WHERE batch.session = session.id);",
    [3] = KEPT_TABLE,
    /* State did not go by itself. */
    [4] = "ALTER TABLE state ADD COLUMN own INTEGER NOT NULL DEFAULT 0;"
	  "ALTER TABLE state ADD COLUMN expires INTEGER;",
};

/* --- opening --- */

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

static uint32_t header_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Whether the file has all pages that its header counts, or a log that may have them. SQLite itself
 * takes zeros for what was cut off. */
static bool whole(const struct store *st, const unsigned char *head)
{
	uint64_t page = (uint64_t)head[16] << 8 | head[17];
	char wal[PATH_MAX];
	struct stat file, log;

	if (page == 1)
		page = 65536;
	snprintf(wal, sizeof(wal), "%s-wal", st->set->file);
	return fstat(st->lock_fd, &file) < 0 ||
	       (uint64_t)file.st_size >= page * header_u32(head + 28) ||
	       (stat(wal, &log) == 0 && log.st_size > 0);
}

/* What is wrong with the file, by its first bytes, or NULL. SQLite is not asked to open what is not
 * ours, for it might finish somebody else's transaction in it. */
static const char *check_header(const struct store *st)
{
	static const char magic[16] = "SQLite format 3";
	unsigned char head[100];
	ssize_t n = pread(st->lock_fd, head, sizeof(head), 0);

	if (n == 0)
		return NULL;
	if (n < 0)
		return strerror(errno);
	if (n < (ssize_t)sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0 ||
	    header_u32(head + 68) != APPLICATION_ID)
		return "not a store of hubd";
	return whole(st, head) ? NULL : "the store is damaged";
}

/* What is wrong with the database, or NULL. Changes nothing. */
static const char *check(sqlite3 *db)
{
	int64_t tables = pragma_int(db, "SELECT count(*) FROM sqlite_master", -1);
	sqlite3_stmt *q;
	const char *said;
	bool ok;

	if (tables < 0)
		return store_db_error(db);
	if (tables == 0)
		return NULL;
	if (pragma_int(db, "PRAGMA user_version", 0) > SCHEMA_VERSION)
		return "made by a newer hubd";
	if (pragma_int(db, ALL_TABLES, 0) != 1)
		return "the store is damaged";
	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL) != SQLITE_OK)
		return store_db_error(db);
	said = sqlite3_step(q) == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
	ok = said && strcmp(said, "ok") == 0;
	sqlite3_finalize(q);
	return ok ? NULL : "the store is damaged";
}

/* Takes the secret from the store, or gives it ours. */
static int share_secret(struct store *st, unsigned char *secret, size_t len)
{
	sqlite3_stmt *q;
	int r = 0;

	if (sqlite3_prepare_v2(st->db, "SELECT value FROM meta WHERE name = 'secret'", -1, &q,
			       NULL) != SQLITE_OK)
		return -EIO;
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 0) == (int)len)
		memcpy(secret, sqlite3_column_blob(q, 0), len);
	else
		r = store_set_meta(st->db, "secret", secret, len);
	sqlite3_finalize(q);
	return r;
}

/* The number of the run before this one. */
static uint32_t last_run(struct store *st)
{
	return (uint32_t)pragma_int(
	    st->db, "SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = 'run'", 0);
}

/* Numbers this run, and notes that it has not ended in order yet. Where the one before did not, its
 * members may have seen records behind every session's head that are lost. */
static int note_start(struct store *st, uint32_t last)
{
	int64_t crashed = pragma_int(
	    st->db, "SELECT CAST(value AS TEXT) = 'no' FROM meta WHERE name = 'clean'", 0);
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "INSERT OR REPLACE INTO crash SELECT id, %jd, head FROM session;"
		 "DELETE FROM crash WHERE run < %jd",
		 (intmax_t)last, (intmax_t)last - CRASHES_KEPT);
	if (crashed && sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	snprintf(sql, sizeof(sql), "%jd", (intmax_t)last + 1);
	return store_set_meta(st->db, "run", sql, strlen(sql)) < 0
		   ? -EIO
		   : store_set_meta(st->db, "clean", "no", 2);
}

static int exec(struct store *st, const char *sql)
{
	return sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

/* Before WAL, so that the file itself tells from its first moment whose it is. */
static int make_schema(struct store *st)
{
	char set[128];

	snprintf(set, sizeof(set),
		 "PRAGMA page_size=%d; BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d;",
		 PAGE_BYTES, APPLICATION_ID, SCHEMA_VERSION);
	return exec(st, set) < 0 || exec(st, schema) < 0 ? -EIO : exec(st, "COMMIT");
}

/* All or nothing: where it fails, the store is as it was. */
static int migrate(struct store *st, int64_t version)
{
	char set[64];
	int r = exec(st, "BEGIN IMMEDIATE");

	err_log(ERR_INFO, "store %s: of version %jd, is made one of version %d", st->set->file,
		(intmax_t)version, SCHEMA_VERSION);
	for (; version < SCHEMA_VERSION && r == 0; version++)
		r = exec(st, migration[version]);
	snprintf(set, sizeof(set), "PRAGMA user_version=%d; COMMIT", SCHEMA_VERSION);
	return r < 0 ? r : exec(st, set);
}

/* The tables as this version has them. */
static int use_schema(struct store *st)
{
	int64_t version = pragma_int(st->db, "PRAGMA user_version", 0);

	if (pragma_int(st->db, "SELECT count(*) FROM sqlite_master", -1) == 0)
		return make_schema(st);
	return version >= 1 && version < SCHEMA_VERSION ? migrate(st, version) : 0;
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
	st->lock_fd = open(st->set->file, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
	if (st->lock_fd < 0)
		return -errno;
	return flock(st->lock_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int say(const struct store *st, int status, const char *wrong)
{
	err_log(ERR_ERROR, "store %s: %s", st->set->file, wrong);
	return status;
}

int store_try(const char *file)
{
	const struct store_settings set = {.file = file};
	struct store st = {.set = &set, .lock_fd = open(file, O_RDONLY | O_CLOEXEC)};
	const char *wrong;
	char dir[PATH_MAX];
	struct stat at;

	if (st.lock_fd >= 0) {
		wrong = fstat(st.lock_fd, &at) == 0 && !S_ISREG(at.st_mode) ? "not a store of hubd"
									    : check_header(&st);
		close(st.lock_fd);
		return wrong ? say(&st, EX_CONFIG, wrong) : 0;
	}
	if (errno != ENOENT)
		return say(&st, EX_CANTCREAT, strerror(errno));
	store_directory(file, dir);
	return access(dir, W_OK | X_OK) < 0 ? say(&st, EX_CANTCREAT, strerror(errno)) : 0;
}

int store_open_db(struct store *st, unsigned char *secret, size_t secret_len, uint32_t *run)
{
	const char *wrong;
	int r = lock_file(st);
	uint32_t last;

	if (r < 0)
		return say(st, EX_CANTCREAT,
			   r == -EWOULDBLOCK ? "another hubd is using it" : strerror(-r));
	wrong = check_header(st);
	if (wrong)
		return say(st, EX_CONFIG, wrong);
	if (sqlite3_open_v2(st->set->file, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
		return say(st, EX_CANTCREAT, store_db_error(st->db));
	sqlite3_busy_timeout(st->db, STORE_BUSY_MS);
	wrong = check(st->db);
	if (wrong)
		return say(st, EX_CONFIG, wrong);
	if (use_schema(st) == 0 &&
	    store_prepare(st->db, store_write_sql, st->stmt, WRITE_STMTS) < 0 &&
	    sqlite3_errcode(st->db) == SQLITE_ERROR) /* a table or column is not there */
		return say(st, EX_CONFIG, "the store is damaged");
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	if (!st->stmt[WRITE_STMTS - 1] || use_wal(st->db) < 0 ||
	    exec(st, st->set->sync == STORE_SYNC_OFF ? "PRAGMA synchronous=OFF"
						     : "PRAGMA synchronous=FULL") < 0 ||
	    share_secret(st, secret, secret_len) < 0)
		return say(st, EX_CANTCREAT, store_db_error(st->db));
	last = last_run(st);
	if (store_recover(st, last, &wrong) < 0)
		return say(st, EX_CANTCREAT, wrong);
	if (note_start(st, last) < 0)
		return say(st, EX_CANTCREAT, store_db_error(st->db));
	*run = last + 1;
	r = store_redo_open(st, *run);
	if (r < 0)
		return say(st, EX_CANTCREAT, strerror(-r));
	if (store_checkpoint_init(st) < 0)
		return say(st, EX_CANTCREAT, store_db_error(st->db));
	store_quota_begin(st);
	return 0;
}
