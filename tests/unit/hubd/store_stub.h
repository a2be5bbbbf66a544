/* A real store in a directory of its own, below sessions without connections. */
#ifndef HUBD_TEST_STORE_STUB_H
#define HUBD_TEST_STORE_STUB_H

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "hubd/session_stub.h"
#include "session/publish.h"
#include "store/store.h"
#include "wire/id.h"

#define STORE_STUB_WAIT_MS 60000 /* for what must come; nothing is measured */

/* One life of a hub on the store; zeroed, but for settings, limits and file names. */
struct store_stub {
	struct session_stub s; /* first */
	struct store_settings set;
	struct store *store;
	char dir[64], file[128];
	unsigned char secret[32];
	uint32_t run;
	int status; /* of store_open() */
};

static inline void store_stub_dir(struct store_stub *st)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(st->dir, sizeof(st->dir), "%.40s/hub-store.XXXXXX", tmp ? tmp : "/tmp");
	stub_need(mkdtemp(st->dir) != NULL, "no directory");
	snprintf(st->file, sizeof(st->file), "%s/store", st->dir);
}

/* Opens the store; NULL and the status where it is refused. */
static inline struct store *store_stub_open(struct store_stub *st)
{
	st->set.file = st->file;
	st->store = store_open(&st->set, st->secret, sizeof(st->secret), &st->run, &st->status);
	return st->store;
}

/* Opens and starts it, and workers above. */
static inline void store_stub_start(struct store_stub *st)
{
	if (!st->dir[0])
		store_stub_dir(st);
	stub_need(store_stub_open(st) != NULL, "no store");
	session_stub_start(&st->s, 1, false);
	st->s.env.archive = store_archive(st->store);
	st->s.env.run = st->run;
	stub_need(store_start(st->store, &st->s.env) == 0, "the store does not start");
}

/* Ends this life in order; the file stays. What was set stays set. */
static inline int store_stub_end(struct store_stub *st)
{
	int r = store_stop(st->store);

	session_stub_end(&st->s);
	store_free(st->store);
	st->store = NULL;
	memset(st->s.told, 0, sizeof(st->s.told));
	return r;
}

static inline void store_stub_remove(struct store_stub *st)
{
	static const char *const suffix[] = {"", "-wal", "-shm", "-redo1", "-redo2"};
	char path[160];

	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s%s", st->file, suffix[i]);
		unlink(path);
	}
	rmdir(st->dir);
}

static inline long store_stub_size(const struct store_stub *st, const char *suffix)
{
	char path[160];
	struct stat sb;

	snprintf(path, sizeof(path), "%s%s", st->file, suffix);
	return stat(path, &sb) < 0 ? -1 : (long)sb.st_size;
}

/* Runs SQL over a connection of somebody else's. */
static inline void store_stub_sql(const struct store_stub *st, const char *sql)
{
	sqlite3 *db;

	stub_need(sqlite3_open(st->file, &db) == SQLITE_OK, "cannot open the database");
	sqlite3_busy_timeout(db, 10000);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "# %s: %s\n", sql, sqlite3_errmsg(db));
		stub_need(false, "SQL");
	}
	sqlite3_close(db);
}

/* The number that a query gives; -1: none. */
static inline int store_stub_count(const struct store_stub *st, const char *sql)
{
	sqlite3_stmt *q;
	sqlite3 *db;
	int n = -1;

	stub_need(sqlite3_open(st->file, &db) == SQLITE_OK, "cannot open the database");
	sqlite3_busy_timeout(db, 10000);
	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

/* --- requests --- */

struct request {
	struct archive_job job; /* first */
	bool done;
};

static inline void request_done(struct worker *w, struct mail *mail)
{
	(void)w;
	((struct request *)mail)->done = true;
}

/* Asks, and waits for the answer. */
static inline struct archive_job store_stub_ask(struct store_stub *st, struct request r)
{
	struct archive *a = store_archive(st->store);
	struct worker *w = st->s.workers.at[0];
	uint64_t start = clock_mono_ms();

	r.job.done.run = request_done;
	r.job.worker = w;
	a->ask(a, &r.job);
	while (!r.done) {
		uv_run(worker_loop(w), UV_RUN_ONCE);
		stub_need(clock_mono_ms() - start < STORE_STUB_WAIT_MS, "no answer");
	}
	return r.job;
}

static inline struct archive_job store_stub_read(struct store_stub *st, struct session *s,
						 uint64_t from, uint64_t to, size_t max)
{
	return store_stub_ask(
	    st,
	    (struct request){
		.job = {.session = s, .what = ARCHIVE_READ, .from = from, .to = to, .max = max}});
}

/* The session called name, loaded; *tail: the first seq that is kept. */
static inline struct session *store_stub_session(struct store_stub *st, const char *name,
						 uint64_t *tail)
{
	struct session *s = stub_use(&st->s, name);
	struct archive_job job =
	    store_stub_ask(st, (struct request){.job = {.session = s, .what = ARCHIVE_OPEN}});

	stub_need(job.status == 0, "the session cannot be loaded");
	if (tail)
		*tail = job.tail;
	return s;
}

/* --- records --- */

/* As the dialect makes one, with its tags; key and msg may be NULL and 0. */
static inline enum hub_code store_stub_publish(struct session *s, uint64_t sender,
					       enum record_class class, const char *key,
					       uint64_t msg, const char *text)
{
	char from[ID_LEN + 1];
	struct buf b = {0};
	struct publication p = {.type = span_of("move"), .tags = {.sender = sender, .msg = msg}};
	struct published out;
	enum hub_code code;

	id_text(sender, from);
	p.tags.acked = msg != 0;
	p.tags.class = (unsigned)class & 3;
	p.tags.type_at = 8;
	p.tags.type_len = 6;
	stub_need(buf_puts(&b, "{\"type\":\"move\"") == 0, "out of memory");
	if (key) {
		p.key = span_of(key);
		p.tags.key_at = (uint32_t)b.len + 7;
		p.tags.key_len = (uint16_t)(strlen(key) + 2);
		stub_need(buf_printf(&b, ",\"key\":\"%s\"", key) == 0, "out of memory");
	}
	stub_need(buf_printf(&b, ",\"text\":\"%s\",\"from\":\"%s\"", text, from) == 0,
		  "out of memory");
	p.body = (struct span){b.data, b.len};
	code = session_publish(s, &p, clock_mono_ms(), &out);
	buf_free(&b);
	s->env->archive->wake(s->env->archive, s);
	return code;
}

static inline uint64_t store_stub_stored(struct session *s)
{
	uint64_t seq;

	pthread_mutex_lock(&s->lock);
	seq = s->stored;
	pthread_mutex_unlock(&s->lock);
	return seq;
}

static inline void store_stub_wait(struct session *s, uint64_t seq)
{
	uint64_t start = clock_mono_ms();

	while (store_stub_stored(s) < seq) {
		usleep(500);
		stub_need(clock_mono_ms() - start < STORE_STUB_WAIT_MS, "it is not stored");
	}
}

#endif
