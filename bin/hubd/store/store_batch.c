/* What a commit has of one session: its records in rows of many, its state, its window of acks.
 * Within the writer's transaction. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "json/keys.h"
#include "json/terms.h"
#include "store/store_impl.h"
#include "wire/id.h"
#include "wire/wsframe.h"

#define BATCH_BYTES 65536	     /* of a row; one record may be longer */
#define PART_BYTES ((size_t)4 << 20) /* of a session in one commit, about */

const char *const store_write_sql[WRITE_STMTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [FIND_SESSION] = "SELECT id, epoch, head FROM session WHERE name = ?1",
    [PUT_SESSION] = "UPDATE session SET head = ?2, written = ?3, bytes = bytes + ?4 WHERE id = ?1"
		    " RETURNING bytes",
    [NEW_SESSION] = "INSERT INTO session (name, epoch, head, written) VALUES (?1, ?2, ?3, ?4)",
    [TAKE_BYTES] = "UPDATE session SET bytes = bytes - ?2 WHERE id = ?1",
    [SESSION_BYTES] = "SELECT bytes FROM session WHERE id = ?1",
    [STORE_SIZE] = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count,"
		   " pragma_freelist_count, pragma_page_size",
    [PUT_BATCH] = "INSERT INTO batch (session, seq, n, time, bodies) VALUES (?1, ?2, ?3, ?4, ?5)",
    [PUT_STATE] = "INSERT OR REPLACE INTO state (session, key, type, seq, sender, body,"
		  " own, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [DROP_STATE] = "DELETE FROM state WHERE session = ?1 AND key = ?2",
    [PUT_ACK] = "INSERT INTO ack (session, seq, n, messages) VALUES (?1, ?2, ?3, ?4)",
    [COUNT_ACKS] = "SELECT sum(n) FROM ack WHERE session = ?1",
    [FIRST_ACKS] = "SELECT seq, n FROM ack WHERE session = ?1 ORDER BY seq LIMIT 256",
    [DROP_ACKS] = "DELETE FROM ack WHERE session = ?1 AND seq <= ?2",
    [NEXT_SESSION] = "SELECT id, head FROM session WHERE id > ?1 ORDER BY id LIMIT 1",
    [FIRST_BATCH] = ("SELECT id, seq + n - 1, time, length(CAST(bodies AS BLOB)) FROM batch"
		     " WHERE session = ?1 ORDER BY seq LIMIT 1"),
    [PAST_BATCH] = "SELECT time FROM (SELECT seq, time FROM batch WHERE session = ?1 ORDER BY seq"
		   " LIMIT 4096) WHERE time <= ?2 ORDER BY seq LIMIT 1",
    [DROP_BATCH] = "DELETE FROM batch WHERE id = ?1",
    [HIDE_SESSION] = "UPDATE session SET name = '!' || id WHERE name = ?1",
    [NEXT_HIDDEN] = "SELECT id FROM session WHERE name >= '!' AND name < '\"' LIMIT 1",
    [CLEAR_BATCH] = "DELETE FROM batch WHERE id IN"
		    " (SELECT id FROM batch WHERE session = ?1 ORDER BY seq LIMIT 16)",
    [CLEAR_STATE] = "DELETE FROM state WHERE session = ?1 AND (key, type) IN"
		    " (SELECT key, type FROM state WHERE session = ?1 LIMIT 64)",
    [CLEAR_ACKS] = "DELETE FROM ack WHERE session = ?1 AND seq IN"
		   " (SELECT seq FROM ack WHERE session = ?1 LIMIT 64)",
    [CLEAR_CRASHES] = "DELETE FROM crash WHERE session = ?1",
    [CLEAR_SESSION] = "DELETE FROM session WHERE id = ?1",
    [PUT_KEPT] = "INSERT OR REPLACE INTO kept (name, value, until) VALUES (?1, ?2, ?3)",
    [DROP_KEPT] = "DELETE FROM kept WHERE name = ?1",
    [DROP_OVER] = "DELETE FROM kept WHERE until BETWEEN 1 AND ?1",
    [NEXT_OVER] = "SELECT min(until) FROM kept WHERE until > 0",
    [DROP_LIMITS] = "DELETE FROM kept WHERE name = 'limits ' || ?1",
};

/* Where the part ends that one commit has of a session, so that one which has much does not hold up
 * the others: at the end of a chunk, or head. */
static uint64_t last_of_part(const struct chunk *c, uint64_t from, uint64_t head)
{
	size_t bytes = 0;

	for (c = chunk_find(c, from); bytes < PART_BYTES; c = atomic_load(&c->next)) {
		uint64_t end = c->first + atomic_load_explicit(&c->n, memory_order_acquire);

		if (end > head)
			return head;
		bytes += c->cap;
		from = end;
	}
	return from - 1;
}

/* Of what the session has behind `after`, up to head at most, a part of bearable size: false where
 * that is nothing. Under the session's lock. */
static bool view(struct batch *b, uint64_t after, uint64_t head)
{
	struct log_view view = {0};

	if (after >= head)
		return false;
	b->from = after + 1;
	log_view(&b->session->log, b->from, &view);
	b->chunk = view.chunk;
	b->epoch = b->session->epoch;
	if (view.chunk)
		b->to = last_of_part(b->chunk, b->from, head);
	return view.chunk != NULL;
}

void batch_clear(struct batch *b)
{
	chunk_unref(b->chunk);
	b->chunk = NULL;
}

struct span batch_record(const struct batch *b, uint64_t seq, const struct chunk **c,
			 const struct slot **slot)
{
	const unsigned char *frame;
	size_t header;

	*c = chunk_find(*c ? *c : b->chunk, seq);
	*slot = chunk_slot(*c, seq - (*c)->first);
	frame = (*c)->data + (*slot)->offset;
	header = wsframe_header_len(frame);
	return (struct span){(const char *)frame + header, (*slot)->len - header};
}

bool batches_view(struct batch *all, enum store_turn turn)
{
	bool any = false;

	for (struct batch *b = all; b; b = b->next) {
		struct session *s = b->session;

		batch_clear(b);
		b->time = (int64_t)clock_wall_ms();
		pthread_mutex_lock(&s->lock);
		any |= turn == TURN_LOG ? view(b, s->durable, s->log.head)
					: view(b, s->stored, s->durable);
		pthread_mutex_unlock(&s->lock);
	}
	return any;
}

struct batch *batches_new(struct store_queue *q, struct session *sessions, bool *whole)
{
	struct batch *all = NULL, **last = &all;
	struct session *s;

	*whole = true;
	while ((s = store_queue_pop(q, &sessions)) != NULL) {
		struct batch *b = calloc(1, sizeof(*b));

		if (!b) {
			*whole = false;
			store_queue_put(q, s, 0);
			session_unref(s);
			continue;
		}
		b->session = s;
		b->name = (struct span){s->id, s->id_len};
		b->acks = &s->stored_acks;
		*last = b;
		last = &b->next;
	}
	return all;
}

void batches_free(struct batch *all)
{
	struct batch *b;

	while ((b = all) != NULL) {
		all = b->next;
		batch_clear(b);
		session_unref(b->session);
		free(b);
	}
}

/* Numbers in the dedup window's blobs: 64 bits, the lowest byte first. */
static int put_number(struct buf *b, uint64_t n)
{
	unsigned char bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(n >> (8 * i));
	return buf_put(b, bytes, sizeof(bytes));
}

/* The record's part of the state, by its tags. */
static int put_state(struct store *st, int64_t session, const struct slot *slot, struct span body,
		     uint64_t seq, int64_t now)
{
	char id[ID_LEN + 1], key_room[ENVELOPE_KEY_MAX], type_room[ENVELOPE_KEY_MAX];
	sqlite3_stmt *q = st->stmt[slot->class == RECORD_SET ? PUT_STATE : DROP_STATE];
	struct span key = {"", 0}, type;

	if (slot->key_len &&
	    !keys_value((struct span){body.p + slot->key_at, slot->key_len}, key_room, &key))
		return -EINVAL;
	sqlite3_bind_int64(q, 1, session);
	store_bind_text(q, 2, key.p, key.len);
	if (slot->class == RECORD_SET) {
		if (!keys_value((struct span){body.p + slot->type_at, slot->type_len}, type_room,
				&type))
			return -EINVAL;
		id_text(slot->sender, id);
		store_bind_text(q, 3, type.p, type.len);
		sqlite3_bind_int64(q, 4, (int64_t)seq);
		store_bind_text(q, 5, id, ID_LEN);
		store_bind_text(q, 6, body.p, body.len);
		sqlite3_bind_int(q, 7, slot->owned);
		if (slot->timed)
			sqlite3_bind_int64(q, 8, now + (int64_t)terms_ttl_ms(body.p, body.len));
		else
			sqlite3_bind_null(q, 8);
	}
	return store_run(q);
}

/* A record, but for its body. */
static int put_record(struct store *st, int64_t session, const struct slot *slot, struct span body,
		      uint64_t seq, int64_t now)
{
	if (slot->acked &&
	    (put_number(&st->messages, seq) < 0 || put_number(&st->messages, slot->msg) < 0 ||
	     put_number(&st->messages, slot->sender) < 0))
		return -ENOMEM;
	return slot->class == RECORD_PLAIN ? 0 : put_state(st, session, slot, body, seq, now);
}

/* The session's row, which is made where it is missing. */
static int find_session(struct store *st, struct batch *b)
{
	sqlite3_stmt *q = st->stmt[FIND_SESSION];
	int r;

	store_bind_text(q, 1, b->name.p, b->name.len);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW)
		b->id = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	if (r == SQLITE_ROW)
		return 0;
	if (r != SQLITE_DONE)
		return -EIO;
	q = st->stmt[NEW_SESSION];
	store_bind_text(q, 1, b->name.p, b->name.len);
	sqlite3_bind_int64(q, 2, (int64_t)b->epoch);
	sqlite3_bind_int64(q, 3, (int64_t)b->to);
	sqlite3_bind_int64(q, 4, b->time);
	r = store_run(q);
	b->id = sqlite3_last_insert_rowid(st->db);
	return r;
}

/* Its head, and so many bytes more. */
static int put_session(struct store *st, struct batch *b, size_t more)
{
	sqlite3_stmt *q = st->stmt[PUT_SESSION];
	int r;

	sqlite3_bind_int64(q, 1, b->id);
	sqlite3_bind_int64(q, 2, (int64_t)b->to);
	sqlite3_bind_int64(q, 3, b->time);
	sqlite3_bind_int64(q, 4, (int64_t)more);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW)
		b->bytes = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return r == SQLITE_ROW ? 0 : -EIO;
}

/* A row with the bodies of the records first to last. */
static int put_bodies(struct store *st, int64_t session, uint64_t first, uint64_t last, int64_t now)
{
	sqlite3_stmt *q = st->stmt[PUT_BATCH];

	sqlite3_bind_int64(q, 1, session);
	sqlite3_bind_int64(q, 2, (int64_t)first);
	sqlite3_bind_int64(q, 3, (int64_t)(last - first) + 1);
	sqlite3_bind_int64(q, 4, now);
	store_bind_text(q, 5, st->bodies.data, st->bodies.len);
	return store_run(q);
}

/* How many messages the session's rows have. */
static int count_acks(struct store *st, const struct batch *b)
{
	sqlite3_stmt *q = st->stmt[COUNT_ACKS];
	int r;

	sqlite3_bind_int64(q, 1, b->id);
	r = sqlite3_step(q);
	if (r == SQLITE_ROW)
		*b->acks = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	return r == SQLITE_ROW ? 0 : -EIO;
}

/* Some of the rows that the window does not need any more. */
static int drop_acks(struct store *st, const struct batch *b)
{
	sqlite3_stmt *first = st->stmt[FIRST_ACKS], *drop = st->stmt[DROP_ACKS];
	uint64_t *all = b->acks, n;
	int64_t last = 0;

	sqlite3_bind_int64(first, 1, b->id);
	while (sqlite3_step(first) == SQLITE_ROW &&
	       *all >= STORE_ACKS + (n = (uint64_t)sqlite3_column_int64(first, 1))) {
		*all -= n;
		last = sqlite3_column_int64(first, 0);
	}
	sqlite3_reset(first);
	if (!last)
		return 0;
	sqlite3_bind_int64(drop, 1, b->id);
	sqlite3_bind_int64(drop, 2, last);
	return store_run(drop);
}

/* The batch's part of the dedup window, whose older part goes a little at a time: to look for all
 * of it, and to drop it, takes milliseconds, for which a commit would have to wait. */
static int put_acks(struct store *st, const struct batch *b)
{
	sqlite3_stmt *q = st->stmt[PUT_ACK];
	size_t n = st->messages.len / STORE_ACK_BYTES;
	int r;

	sqlite3_bind_int64(q, 1, b->id);
	sqlite3_bind_int64(q, 2, (int64_t)b->to);
	sqlite3_bind_int64(q, 3, (int64_t)n);
	sqlite3_bind_blob64(q, 4, st->messages.data, st->messages.len, SQLITE_STATIC);
	r = store_run(q);
	if (r == 0 && *b->acks)
		*b->acks += n;
	else if (r == 0)
		r = count_acks(st, b);
	if (r == 0 && *b->acks >= STORE_ACKS + STORE_ACKS_MORE)
		r = drop_acks(st, b);
	return r;
}

int store_put_batch(struct store *st, struct batch *b)
{
	const struct chunk *c = NULL;
	uint64_t seq, first = b->from;
	int r = find_session(st, b);
	size_t more = 0;

	st->bodies.len = st->messages.len = 0;
	for (seq = b->from; seq <= b->to && r == 0; seq++) {
		const struct slot *slot;
		struct span body = batch_record(b, seq, &c, &slot);

		if (st->bodies.len && st->bodies.len + 1 + body.len > BATCH_BYTES) {
			r = put_bodies(st, b->id, first, seq - 1, b->time);
			first = seq;
			more += st->bodies.len;
			st->bodies.len = 0;
		}
		if (r == 0)
			r = put_record(st, b->id, slot, body, seq, b->time);
		if (r == 0 && ((st->bodies.len && buf_put(&st->bodies, "\n", 1) < 0) ||
			       buf_put(&st->bodies, body.p, body.len) < 0))
			r = -ENOMEM;
	}
	if (r == 0)
		r = put_bodies(st, b->id, first, b->to, b->time);
	if (r == 0)
		r = put_session(st, b, more + st->bodies.len);
	if (r == 0 && st->messages.len)
		r = put_acks(st, b);
	return r;
}
