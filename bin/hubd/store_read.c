/* Reading, in the workers' threads, each with a connection of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dedup.h"
#include "hub.h"
#include "identity.h"
#include "session.h"
#include "store_impl.h"
#include "wire/wsframe.h"

static const char *const read_sql[READ_STMTS] = {
    [GET_CRASH] = "SELECT min(head) FROM crash WHERE session ="
		  " (SELECT id FROM session WHERE name = ?1) AND run >= ?2",
    [LAST_CRASH] = "SELECT head FROM crash WHERE session ="
		   " (SELECT id FROM session WHERE name = ?1) ORDER BY run DESC LIMIT 1",
    [GET_SESSION] = "SELECT id, epoch, head FROM session WHERE name = ?1",
    [GET_TAIL] =
	"SELECT min(seq) FROM batch WHERE session = (SELECT id FROM session WHERE name = ?1)",
    [GET_STATE] = "SELECT key, type, seq, sender, body FROM state WHERE session = ?1 ORDER BY seq",
    [GET_ACKS] = "SELECT n, messages FROM ack WHERE session = ?1 ORDER BY seq DESC",
    [GET_RECORDS] =
	"SELECT seq, bodies FROM batch WHERE session = ?1 AND seq <= ?3 AND seq >= coalesce("
	"(SELECT max(seq) FROM batch WHERE session = ?1 AND seq <= ?2), 0) ORDER BY seq",
};

static struct reader *reader_of(struct store *st, unsigned index)
{
	struct reader *r = &st->reader[index];

	if (r->db)
		return r;
	if (sqlite3_open_v2(st->file, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK ||
	    sqlite3_busy_timeout(r->db, STORE_BUSY_MS) != SQLITE_OK ||
	    store_prepare(r->db, read_sql, r->stmt, READ_STMTS) < 0) {
		unsigned k;

		err_log(ERR_ERROR, "store %s: %s", st->file, store_db_error(r->db));
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

/* 64 bits, the lowest byte first. */
static uint64_t get_number(const unsigned char *bytes)
{
	uint64_t n = 0;
	int i;

	for (i = 8; i-- > 0;)
		n = n << 8 | bytes[i];
	return n;
}

/* The newest come first from the store, and go last into the window. */
static int load_acks(struct session *s, sqlite3_stmt *q, int64_t id)
{
	unsigned char *all = malloc(DEDUP_MAX * STORE_ACK_BYTES);
	size_t at = DEDUP_MAX * STORE_ACK_BYTES;
	int r = SQLITE_ROW, err = all ? 0 : -ENOMEM;

	sqlite3_bind_int64(q, 1, id);
	while (err == 0 && at && (r = sqlite3_step(q)) == SQLITE_ROW) {
		const unsigned char *blob = sqlite3_column_blob(q, 1);
		size_t len = (size_t)sqlite3_column_bytes(q, 1) / STORE_ACK_BYTES * STORE_ACK_BYTES;
		size_t take = len < at ? len : at;

		at -= take;
		if (take)
			memcpy(all + at, blob + len - take, take);
	}
	sqlite3_reset(q);
	if (err == 0 && r != SQLITE_DONE && r != SQLITE_ROW)
		err = -EIO;
	for (; err == 0 && at < DEDUP_MAX * STORE_ACK_BYTES; at += STORE_ACK_BYTES)
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
	store_bind_text(q, 1, s->id, s->id_len);
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
			r == -ENOMEM ? "out of memory" : store_db_error(rd->db));
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
	store_bind_text(q, 1, s->id, s->id_len);
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
	store_bind_text(q, 1, s->id, s->id_len);
	if (run)
		sqlite3_bind_int64(q, 2, *run);
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
		sure = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return sure;
}

/* The sender of a record that ends with `"from":"ID","seq":SEQ}`, as each of ours does; 0 of one
 * that does not. */
static uint64_t body_sender(struct span body, uint64_t seq)
{
	char tail[64];
	size_t n = (size_t)snprintf(tail, sizeof(tail), "\",\"seq\":%ju}", (uintmax_t)seq);
	uint64_t sender = 0;

	if (body.len > n + IDENTITY_LEN && memcmp(body.p + body.len - n, tail, n) == 0)
		identity_parse((struct span){body.p + body.len - n - IDENTITY_LEN, IDENTITY_LEN},
			       &sender);
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
		r = make_frame(&frame, body);
		if (r == 0 && log_put(out, body_sender(body, seq), frame.data, frame.len) < 0)
			r = -ENOMEM;
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
	store_bind_text(q, 1, s->id, s->id_len);
	if (sqlite3_step(q) == SQLITE_ROW)
		id = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	q = rd->stmt[GET_RECORDS];
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, (int64_t)from);
	sqlite3_bind_int64(q, 3, (int64_t)to);
	r = read_batches(q, &out, from, to, max);
	sqlite3_reset(q);
	if (r < 0) {
		err_log(ERR_ERROR, "store %s: session %s: %s", st->file, s->id,
			r == -ENOMEM ? "out of memory" : store_db_error(rd->db));
		log_free(&out);
		return NULL;
	}
	*error = false;
	*n = out.head;
	return out.oldest;
}

void store_readers_free(struct store *st)
{
	unsigned i, k;

	for (i = 0; st->reader && i < st->hub->nworkers; i++) {
		for (k = 0; k < READ_STMTS; k++)
			sqlite3_finalize(st->reader[i].stmt[k]);
		sqlite3_close(st->reader[i].db);
	}
}
