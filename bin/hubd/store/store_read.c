/* Reading, in threads of its own, each with a connection of its own: requests come from a list and
 * go back as mail. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "session/stored.h"
#include "store/store_impl.h"
#include "wire/id.h"
#include "wire/wsframe.h"

enum read_stmt { GET_CRASHES, GET_SESSION, GET_TAIL, GET_STATE, GET_ACKS, GET_RECORDS, READ_STMTS };

static const char *const read_sql[READ_STMTS] = {
    [GET_CRASHES] = "SELECT run, head FROM crash WHERE session = ?1 ORDER BY run",
    [GET_SESSION] = "SELECT id, epoch, head FROM session WHERE name = ?1",
    [GET_TAIL] = "SELECT min(seq) FROM batch WHERE session = ?1",
    [GET_STATE] = "SELECT key, type, seq, sender, body, own, expires FROM state WHERE session = ?1"
		  " ORDER BY seq",
    [GET_ACKS] = "SELECT n, messages FROM ack WHERE session = ?1 ORDER BY seq DESC",
    [GET_RECORDS] =
	("SELECT seq, bodies FROM batch WHERE session = ?1 AND seq <= ?3 AND seq >= coalesce("
	 "(SELECT max(seq) FROM batch WHERE session = ?1 AND seq <= ?2), 0) ORDER BY seq"),
};

struct reader {
	struct store *st;
	sqlite3 *db; /* NULL until it is needed, or where that failed */
	sqlite3_stmt *stmt[READ_STMTS];
};

static void reader_close(struct reader *rd)
{
	unsigned k;

	for (k = 0; k < READ_STMTS; k++)
		sqlite3_finalize(rd->stmt[k]);
	sqlite3_close(rd->db);
	*rd = (struct reader){.st = rd->st};
}

static bool reader_ready(struct reader *rd)
{
	if (rd->db)
		return true;
	rd->db = store_connect(rd->st);
	if (!rd->db)
		return false;
	if (store_prepare(rd->db, read_sql, rd->stmt, READ_STMTS) == 0)
		return true;
	err_log(ERR_ERROR, "store %s: %s", rd->st->set->file, store_db_error(rd->db));
	reader_close(rd);
	return false;
}

static struct span column_text(sqlite3_stmt *q, int i)
{
	return (struct span){(const char *)sqlite3_column_text(q, i),
			     (size_t)sqlite3_column_bytes(q, i)};
}

int store_frame(struct buf *frame, struct span body)
{
	frame->len = 0;
	if (buf_reserve(frame, WSFRAME_HEADER_MAX + body.len) < 0)
		return -ENOMEM;
	frame->len = wsframe_text((unsigned char *)frame->data, body.len);
	return buf_put(frame, body.p, body.len);
}

/* Binds a record to its sender, or to a time, as its row says. */
static int bind(struct state *s, struct state_entry *e, sqlite3_stmt *q)
{
	int64_t left = sqlite3_column_int64(q, 6) - (int64_t)clock_wall_ms();
	struct state_bond bond = {sqlite3_column_int(q, 5) != 0, TIES_NEVER};
	struct tie *tie;

	if (sqlite3_column_type(q, 6) != SQLITE_NULL)
		bond.due_ms = clock_mono_ms() + (uint64_t)(left > 0 ? left : 0);
	if (!bond.owned && bond.due_ms == TIES_NEVER)
		return 0;
	tie = state_tie_new(s);
	if (!tie)
		return -ENOMEM;
	state_bind(s, e, tie, &bond);
	return 0;
}

static int load_state(struct session_image *image, sqlite3_stmt *q, int64_t id)
{
	struct buf frame = {0};
	int r = SQLITE_ROW, err = 0;

	sqlite3_bind_int64(q, 1, id);
	while (err == 0 && (r = sqlite3_step(q)) == SQLITE_ROW) {
		struct span id_col = column_text(q, 3), key = column_text(q, 0);
		struct state_entry *entry;
		uint64_t sender = 0;

		id_parse(id_col.p, id_col.len, &sender);
		err = store_frame(&frame, column_text(q, 4));
		if (err < 0)
			break;
		entry = state_reserve(&image->state, state_hash(&image->state, key), key,
				      column_text(q, 1), frame.len, SIZE_MAX, false);
		if (!entry) {
			err = -ENOMEM;
			break;
		}
		state_set(&image->state, entry, (uint64_t)sqlite3_column_int64(q, 2), sender,
			  frame.data, frame.len);
		err = bind(&image->state, entry, q);
	}
	sqlite3_reset(q);
	buf_free(&frame);
	return err < 0 ? err : r == SQLITE_DONE ? 0 : -EIO;
}

/* 64 bits, the lowest byte first. */
static uint64_t get_number(const unsigned char *bytes)
{
	uint64_t n = 0;
	int i;

	for (i = 8; i-- > 0;)
		n = n << 8 | bytes[i];
	return n;
}

struct stored_ack {
	uint64_t seq, hash, sender;
};

/* The acks of a row, the last of them first, into the place before *at. The rows of an earlier
 * version have no sender: that is 0. */
static void take_acks(sqlite3_stmt *q, struct stored_ack *all, size_t *at)
{
	size_t n = (size_t)sqlite3_column_int64(q, 0);
	const unsigned char *blob = sqlite3_column_blob(q, 1);
	size_t size = n ? (size_t)sqlite3_column_bytes(q, 1) / n : 0;

	if (size < 16)
		return;
	while (n-- && *at) {
		const unsigned char *ack = blob + n * size;

		all[--*at] = (struct stored_ack){get_number(ack), get_number(ack + 8),
						 size < STORE_ACK_BYTES ? 0 : get_number(ack + 16)};
	}
}

/* The newest come first from the store, and go last into the window. */
static int load_acks(struct session_image *image, const struct session_env *env, sqlite3_stmt *q,
		     int64_t id)
{
	struct stored_ack *all = malloc(STORE_ACKS * sizeof(*all));
	size_t at = STORE_ACKS;
	int r = SQLITE_ROW, err = all ? 0 : -ENOMEM;

	sqlite3_bind_int64(q, 1, id);
	while (err == 0 && at && (r = sqlite3_step(q)) == SQLITE_ROW)
		take_acks(q, all, &at);
	sqlite3_reset(q);
	if (err == 0 && r != SQLITE_DONE && r != SQLITE_ROW)
		err = -EIO;
	for (; err == 0 && at < STORE_ACKS; at++)
		err = session_image_ack(image, env, all[at].sender, all[at].hash, all[at].seq);
	free(all);
	return err;
}

static int load_crashes(struct session_image *image, sqlite3_stmt *q, int64_t id)
{
	struct crashes *all = NULL;
	size_t room = 0;
	int r;

	sqlite3_bind_int64(q, 1, id);
	while ((r = sqlite3_step(q)) == SQLITE_ROW) {
		size_t n = all ? all->n : 0;

		if (n == room) {
			struct crashes *more;

			room = room ? 2 * room : 4;
			more = realloc(all, sizeof(*all) + room * sizeof(all->at[0]));
			if (!more) {
				r = SQLITE_NOMEM;
				break;
			}
			all = more;
		}
		all->at[n] = (struct crash){(uint32_t)sqlite3_column_int64(q, 0),
					    (uint64_t)sqlite3_column_int64(q, 1)};
		all->n = n + 1;
	}
	sqlite3_reset(q);
	image->crashes = all;
	return r == SQLITE_DONE ? 0 : r == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

/* The row of the session: 1 with its id, 0 where there is none, or -EIO. */
static int find_session(struct reader *rd, const struct session *s, int64_t *id,
			struct session_image *image)
{
	sqlite3_stmt *q = rd->stmt[GET_SESSION];
	int r;

	store_bind_text(q, 1, s->id, s->id_len);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW) {
		*id = sqlite3_column_int64(q, 0);
		if (image) {
			image->epoch = (uint64_t)sqlite3_column_int64(q, 1);
			image->head = (uint64_t)sqlite3_column_int64(q, 2);
		}
	}
	sqlite3_reset(q);
	return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : -EIO;
}

/* The state as joining members will want it, so that the first of them does not have to wait. */
static int make_snapshot(struct session_image *image)
{
	bool out_of_memory;

	chunk_unref(state_snapshot(&image->state, &out_of_memory));
	return out_of_memory ? -ENOMEM : 0;
}

static int load(struct reader *rd, const struct session_env *env, int64_t id,
		struct session_image *image)
{
	int r = load_state(image, rd->stmt[GET_STATE], id);

	if (r == 0)
		r = load_acks(image, env, rd->stmt[GET_ACKS], id);
	if (r == 0)
		r = load_crashes(image, rd->stmt[GET_CRASHES], id);
	if (r == 0)
		session_image_place(image, env);
	if (r == 0)
		r = make_snapshot(image);
	image->found = r == 0;
	return r;
}

static int read_tail(struct reader *rd, int64_t id, uint64_t *tail)
{
	sqlite3_stmt *q = rd->stmt[GET_TAIL];
	int r;

	sqlite3_bind_int64(q, 1, id);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
		*tail = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : -EIO;
}

static int open_session(struct reader *rd, struct archive_job *job)
{
	const struct session_env *env = rd->st->env;
	bool wanted = session_wants_image(job->session);
	struct session_image image;
	int64_t id = 0;
	int r;

	job->tail = UINT64_MAX;
	session_image_init(&image, env);
	r = find_session(rd, job->session, &id, &image);
	job->found = r > 0;
	if (r > 0) {
		r = wanted ? load(rd, env, id, &image) : 0;
		if (r == 0)
			r = read_tail(rd, id, &job->tail);
	}
	if (r == 0 && wanted)
		session_load(job->session, &image);
	session_image_free(&image, env);
	return r;
}

/* The sender of a record that ends with `"from":"ID","seq":SEQ}`, as each of ours does; 0 of one
 * that does not. */
static uint64_t body_sender(struct span body, uint64_t seq)
{
	char tail[64];
	size_t n = (size_t)snprintf(tail, sizeof(tail), "\",\"seq\":%ju}", (uintmax_t)seq);
	uint64_t sender = 0;

	if (body.len > n + ID_LEN && memcmp(body.p + body.len - n, tail, n) == 0)
		id_parse(body.p + body.len - n - ID_LEN, ID_LEN, &sender);
	return sender;
}

/* Puts the lines of a batch, which begins at seq, into a log whose first record is to be `from`, up
 * to `to`, while *left, which it counts down, allows. Returns 0, -ENOENT where a record between is
 * missing, or -ENOMEM. */
static int read_batch(struct log *out, struct span bodies, uint64_t seq, uint64_t from, uint64_t to,
		      size_t *left)
{
	struct buf frame = {0};
	int r = seq > from + out->head ? -ENOENT : 0;

	for (; r == 0 && bodies.len && seq <= to && *left; seq++) {
		const char *feed = memchr(bodies.p, '\n', bodies.len);
		struct span body = {bodies.p, feed ? (size_t)(feed - bodies.p) : bodies.len};

		bodies.p += body.len + (feed != NULL);
		bodies.len -= body.len + (feed != NULL);
		if (seq < from + out->head)
			continue;
		r = store_frame(&frame, body);
		if (r == 0) {
			struct slot tags = {.sender = body_sender(body, seq)};

			if (log_put(out, &tags, frame.data, frame.len) < 0)
				r = -ENOMEM;
		}
		*left -= frame.len < *left ? frame.len : *left;
	}
	buf_free(&frame);
	return r;
}

/* Those of the batches of q. */
static int read_batches(sqlite3_stmt *q, struct log *out, uint64_t from, uint64_t to, size_t max)
{
	int r = SQLITE_ROW, err = 0;

	while (err == 0 && max && (r = sqlite3_step(q)) == SQLITE_ROW)
		err = read_batch(out, column_text(q, 1), (uint64_t)sqlite3_column_int64(q, 0), from,
				 to, &max);
	if (err == -ENOENT)
		return 0; /* pruned meanwhile */
	return err < 0 ? err : r == SQLITE_DONE || r == SQLITE_ROW ? 0 : -EIO;
}

static int read_session(struct reader *rd, struct archive_job *job)
{
	sqlite3_stmt *q = rd->stmt[GET_RECORDS];
	struct log out;
	int64_t id = -1;
	int r = find_session(rd, job->session, &id, NULL);

	if (r < 0)
		return r;
	log_init(&out, rd->st->env->memory);
	out.pins = true;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, (int64_t)job->from);
	sqlite3_bind_int64(q, 3, (int64_t)job->to);
	r = read_batches(q, &out, job->from, job->to, job->max);
	sqlite3_reset(q);
	if (r == 0 && !out.head)
		r = -ESTALE;
	if (r < 0) {
		log_free(&out);
		return r;
	}
	job->chunk = out.oldest;
	job->n = out.head;
	return 0;
}

static void carry_out(struct reader *rd, struct archive_job *job)
{
	bool opens = job->what == ARCHIVE_OPEN;

	job->status = -EIO;
	if (!reader_ready(rd))
		return;
	/* All of it as of one commit. */
	if (!opens || sqlite3_exec(rd->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK)
		job->status = opens ? open_session(rd, job) : read_session(rd, job);
	if (job->status < 0 && job->status != -ESTALE)
		err_log(ERR_ERROR, "store %s: session %s: %s", rd->st->set->file, job->session->id,
			job->status == -ENOMEM ? "out of memory" : store_db_error(rd->db));
	if (opens)
		sqlite3_exec(rd->db, "COMMIT", NULL, NULL, NULL);
}

void *store_read_thread(void *store)
{
	struct store *st = store;
	struct reader rd = {.st = st};
	struct archive_job *job;

	while ((job = store_queue_next(&st->to_read)) != NULL) {
		carry_out(&rd, job);
		worker_post(job->worker, &job->done);
	}
	reader_close(&rd);
	return NULL;
}

void store_ask(struct archive *a, struct archive_job *job)
{
	struct store *st = (struct store *)a;
	bool writes = job->what == ARCHIVE_DELETE || job->what == ARCHIVE_KEEP;

	if (!store_queue_order(writes ? &st->to_log : &st->to_read, job))
		store_refuse(job);
}
