/* A session's log: frames that a WebSocket can take as they are, what is kept and what goes, and
 * readers that walk without the lock. */
#include "log/log.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "wire/wsframe.h"

#define EVERYBODY UINT64_MAX /* low: no member lags */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

/* --- records that can be told from each other --- */

/* The length of record seq, the same whenever asked: mostly small, some at the edges, few large. */
static size_t body_len(uint64_t seq)
{
	uint64_t h = seq * 0x9e3779b97f4a7c15;

	h ^= h >> 29;
	if (h % 4096 == 0)
		return 70000 + h % 1000;
	if (h % 64 == 0)
		return 1000 + h % 5000;
	return 1 + h % 200;
}

static uint64_t sender_of(uint64_t seq)
{
	return seq * 0xbf58476d1ce4e5b9 + 1;
}

/* As different as can be; the place is the log's, whatever stands there before. */
static struct slot tags_of(uint64_t seq)
{
	return (struct slot){.sender = sender_of(seq),
			     .key = seq * 3,
			     .msg = ~seq,
			     .offset = 12345,
			     .len = 54321,
			     .acked = seq % 3 == 0,
			     .key_at = (uint32_t)seq,
			     .type_at = (uint32_t)seq + 1,
			     .area = (uint32_t)seq % 5,
			     .key_len = (uint16_t)(seq % 257),
			     .type_len = (unsigned)(seq % 65) & 0x3fff,
			     .class = (unsigned)(seq % 3) & 3};
}

static bool same_tags(const struct slot *a, const struct slot *b)
{
	return a->sender == b->sender && a->key == b->key && a->msg == b->msg &&
	       a->acked == b->acked && a->key_at == b->key_at && a->type_at == b->type_at &&
	       a->area == b->area && a->key_len == b->key_len && a->type_len == b->type_len &&
	       a->class == b->class;
}

#define BODY_MAX (1 << 20)

static char letters[BODY_MAX + 26];

static const char *body_of(uint64_t seq)
{
	return letters + seq % 26;
}

static int64_t append_sized(struct log *log, size_t len, uint64_t now_ms)
{
	uint64_t seq = log->head + 1;
	struct slot tags = tags_of(seq);

	return log_append(log, &tags, body_of(seq), len, now_ms);
}

/* As a session trims. */
static void log_trim(struct log *log, const struct log_limits *limits, uint64_t low,
		     uint64_t now_ms)
{
	while (log_may_drop(log, limits, low, now_ms))
		log_drop_oldest(log);
}

/* Reads a frame as a client would (RFC 6455 section 5.2): the payload, and that it ends with the
 * frame. */
static const unsigned char *read_frame(const unsigned char *p, size_t frame_len, size_t *len)
{
	size_t header = 2, n = p[1];

	assert_int_equal(p[0], 0x81); /* final, text */
	assert_false(p[1] & 0x80);    /* not masked */
	if (n == 126) {
		n = (size_t)p[2] << 8 | p[3];
		assert_true(n > 125);
		header = 4;
	} else if (n == 127) {
		n = 0;
		for (int i = 2; i < 10; i++)
			n = n << 8 | p[i];
		assert_true(n > 65535);
		header = 10;
	}
	assert_int_equal(header + n, frame_len);
	assert_int_equal(wsframe_header_len(p), header);
	*len = n;
	return p + header;
}

/* No cmocka here, since threads call it. */
static bool record_ok(const struct chunk *c, uint64_t seq, size_t len)
{
	const struct slot *slot = chunk_slot(c, seq - c->first);
	const unsigned char *p = c->data + slot->offset;
	size_t header = wsframe_header_len(p);
	struct slot tags = tags_of(seq);
	char field[32];
	int n = snprintf(field, sizeof(field), ",\"seq\":%ju}", (uintmax_t)seq);

	if (!same_tags(slot, &tags) || slot->len != header + len + (size_t)n)
		return false;
	if (memcmp(p + header + len, field, (size_t)n) != 0)
		return false;
	return memcmp(p + header, body_of(seq), len) == 0;
}

/* Everything from seq to the view's head is there, one frame behind the other. */
static bool walk_ok(const struct log_view *view, uint64_t seq, size_t (*len_of)(uint64_t seq))
{
	const struct chunk *c = view->chunk;
	uint32_t offset = 0;

	if (seq < view->tail)
		seq = view->tail;
	for (; seq <= view->head; seq++) {
		const struct chunk *at = chunk_find(c, seq);
		const struct slot *slot = chunk_slot(at, seq - at->first);

		if (seq < at->first || !record_ok(at, seq, len_of(seq)))
			return false;
		if (seq > at->first && at == c && offset && slot->offset != offset)
			return false;
		c = at;
		offset = slot->offset + slot->len;
		if (offset > c->cap)
			return false;
	}
	return true;
}

static void check_view(const struct log *log, uint64_t from, size_t (*len_of)(uint64_t seq))
{
	struct log_view view;

	log_view(log, from, &view);
	assert_int_equal(view.tail, log->tail);
	assert_int_equal(view.head, log->head);
	assert_int_equal(view.chunk == NULL, from > log->head);
	if (view.chunk)
		assert_true(walk_ok(&view, from, len_of));
	chunk_unref(view.chunk);
}

/* --- one at a time --- */

static void an_empty_log_has_nothing(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {0};
	struct log_view view;
	struct log log;

	(void)state;
	log_init(&log, &memory);
	log_view(&log, 1, &view);
	assert_null(view.chunk);
	assert_int_equal(view.head, 0);
	assert_int_equal(view.tail, 1);
	log_trim(&log, &limits, EVERYBODY, 0);
	assert_int_equal(log.bytes, 0);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static const size_t sizes[] = {1,     2,     30,    116,   117,	   118,	   119,	   1000,   4096,
			       65000, 65525, 65526, 65527, 65528,  65535,  65536,  100000, 1 << 20,
			       1,     50000, 50000, 1,	   131072, 131073, 262144, 1};

static size_t listed_len(uint64_t seq)
{
	return sizes[(seq - 1) % UNIT_COUNT(sizes)];
}

static void records_of_all_sizes_are_frames(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log log;

	(void)state;
	log_init(&log, &memory);
	for (uint64_t seq = 1; seq <= 3 * UNIT_COUNT(sizes); seq++) {
		struct log_view view;
		const struct slot *slot;
		size_t len;

		assert_int_equal(append_sized(&log, listed_len(seq), seq), (int64_t)seq);
		log_view(&log, seq, &view);
		assert_non_null(view.chunk);
		slot = chunk_slot(view.chunk, seq - view.chunk->first);
		read_frame(view.chunk->data + slot->offset, slot->len, &len);
		assert_true(len > listed_len(seq));
		chunk_unref(view.chunk);
	}
	for (uint64_t from = 1; from <= log.head + 1; from++)
		check_view(&log, from, listed_len);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static size_t one_byte(uint64_t seq)
{
	(void)seq;
	return 1;
}

static void sequence_numbers_grow_in_length(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log log;

	(void)state;
	log_init(&log, &memory);
	log.head = 9999999999 - 5;
	log.tail = log.head + 1;
	for (int i = 0; i < 10; i++)
		append_sized(&log, 1, 0);
	log.head = UINT64_MAX - 20; /* the longest there is */
	log_free(&log);
	log.tail = log.head + 1;
	for (int i = 0; i < 10; i++)
		append_sized(&log, 1, 0);
	check_view(&log, log.tail, one_byte);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void small_sessions_take_little(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log log;

	(void)state;
	log_init(&log, &memory);
	append_sized(&log, 100, 0);
	assert_true(log.bytes < 2048);
	assert_int_equal(log.bytes, atomic_load(&memory.used));
	for (int i = 0; i < 10000; i++)
		append_sized(&log, 100, 0);
	assert_int_equal(log.bytes, atomic_load(&memory.used));
	/* Frames, slots, and not much lost in between. */
	assert_true(log.bytes < 10001 * (4 + 100 + 13 + sizeof(struct slot)) * 11 / 10 + 65536);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* Frames of one log, in another: as they are, under numbers of their own. */
static void frames_can_be_put_elsewhere(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log from, to;
	const struct chunk *c, *put;

	(void)state;
	log_init(&from, &memory);
	log_init(&to, &memory);
	for (uint64_t seq = 1; seq <= 3000; seq++)
		append_sized(&from, body_len(seq), 0);
	c = from.oldest;
	for (uint64_t seq = 7; seq <= 3000; seq += 7) {
		const struct slot *slot;

		c = chunk_find(c, seq);
		slot = chunk_slot(c, seq - c->first);
		assert_int_equal(log_put(&to, slot, c->data + slot->offset, slot->len),
				 (int64_t)(seq / 7));
	}
	c = from.oldest;
	put = to.oldest;
	for (uint64_t seq = 7; seq <= 3000; seq += 7) {
		const struct slot *slot, *copy;

		c = chunk_find(c, seq);
		put = chunk_find(put, seq / 7);
		slot = chunk_slot(c, seq - c->first);
		copy = chunk_slot(put, seq / 7 - put->first);
		assert_int_equal(copy->len, slot->len);
		assert_true(same_tags(copy, slot));
		assert_memory_equal(put->data + copy->offset, c->data + slot->offset, slot->len);
	}
	assert_int_equal(to.head, 3000 / 7);
	log_free(&from);
	log_free(&to);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* --- what is kept --- */

/* 1000 records of 1000 bytes each, a millisecond apart. */
static void thousand(struct log *log, struct log_memory *memory)
{
	log_init(log, memory);
	for (uint64_t i = 1; i <= 1000; i++)
		append_sized(log, 1000, i);
	assert_int_equal(log->tail, 1);
}

static size_t thousand_bytes(uint64_t seq)
{
	(void)seq;
	return 1000;
}

static void the_number_of_records_is_a_minimum(void **state)
{
	static const size_t keep[] = {1, 10, 256, 999, 1000, 5000};
	struct log_memory memory = {.max = SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(keep); i++) {
		struct log_limits limits = {.records = keep[i]};
		struct log log;
		uint64_t left;

		thousand(&log, &memory);
		log_trim(&log, &limits, EVERYBODY, 100000);
		left = log.head + 1 - log.tail;
		assert_true(left >= (keep[i] < 1000 ? keep[i] : 1000));
		/* A chunk more at most. */
		assert_true(left < keep[i] + 66);
		check_view(&log, 1, thousand_bytes);
		log_free(&log);
	}
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void bytes_are_kept_where_that_is_more(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {.records = 10, .bytes = 400000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, EVERYBODY, 100000);
	assert_true(log.bytes <= 400000);
	assert_true(log.bytes > 400000 - 66000);
	assert_int_equal(log.bytes, atomic_load(&memory.used));
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void the_last_chunk_always_stays(void **state)
{
	struct log_memory memory = {.max = 0};
	struct log_limits limits = {0};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, EVERYBODY, 100000);
	assert_ptr_equal(log.oldest, log.last);
	assert_true(log.tail <= log.head);
	check_view(&log, 1, thousand_bytes);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void a_member_that_lags_has_some_time(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {.records = 1, .grace_ms = 2000};
	struct log log;
	uint64_t tail;

	(void)state;
	thousand(&log, &memory);
	/* What it has read is gone, what it has not is there. */
	log_trim(&log, &limits, 500, 1000);
	assert_in_range(log.tail, 500 - 65, 500);
	check_view(&log, 500, thousand_bytes);
	tail = log.tail;
	log_trim(&log, &limits, 500, tail + 1999);
	assert_int_equal(log.tail, tail);
	/* The chunks go as they were finished, each at its time. */
	for (uint64_t now = 2000 + tail; log.oldest != log.last; now++) {
		assert_true(now < 3100);
		log_trim(&log, &limits, 500, now);
		assert_true(log.oldest == log.last || now - log.oldest->sealed_ms < 2000);
	}
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void memory_over_the_limit_takes_what_all_have(void **state)
{
	struct log_memory memory = {.max = 300000};
	struct log_limits limits = {.records = 1000, .bytes = SIZE_MAX, .grace_ms = 2000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	assert_true(log_memory_over(&memory));
	log_trim(&log, &limits, EVERYBODY, 1000);
	assert_false(log_memory_over(&memory));
	assert_true(log.bytes > 300000 - 66000); /* and no more than that */
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* A burst within one turn of the loop must not overtake members that keep up. */
static void memory_over_the_limit_spares_what_a_member_lacks(void **state)
{
	struct log_memory memory = {.max = 0};
	struct log_limits limits = {.records = 1, .bytes = SIZE_MAX, .grace_ms = 2000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, 500, 1000);
	assert_in_range(log.tail, 500 - 65, 500);
	/* But not without bounds, */
	limits.bytes = 200000;
	log_trim(&log, &limits, 500, 1000);
	assert_true(log.tail > 500);
	assert_true(log.bytes <= 200000);
	/* and not for long. */
	log_trim(&log, &limits, log.tail, 4000);
	assert_ptr_equal(log.oldest, log.last);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

/* Workers have clocks of their own, some milliseconds apart. */
static void a_clock_that_is_behind_takes_nothing_away(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {.records = 1, .grace_ms = 2000};
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_trim(&log, &limits, 1, 20);
	assert_int_equal(log.tail, 1);
	log_trim(&log, &limits, 1, 0);
	assert_int_equal(log.tail, 1);
	log_free(&log);
	assert_int_equal(atomic_load(&memory.used), 0);
}

static void readers_keep_what_is_trimmed(void **state)
{
	struct log_memory memory = {.max = SIZE_MAX};
	struct log_limits limits = {0};
	struct log_view view;
	struct log log;

	(void)state;
	thousand(&log, &memory);
	log_view(&log, 1, &view);
	log_trim(&log, &limits, EVERYBODY, 100000);
	assert_true(log.tail > 900);
	/* Who trims sees at once what it has gained. */
	assert_int_equal(atomic_load(&memory.used), log.bytes);
	for (int i = 0; i < 1000; i++)
		append_sized(&log, 1000, 0);
	log_free(&log);
	assert_true(atomic_load(&memory.used) > 1000000);
	assert_true(walk_ok(&view, 1, thousand_bytes));
	/* Of so many chunks in a row, the last reference gives back all, without recursion. */
	chunk_unref(view.chunk);
	assert_int_equal(atomic_load(&memory.used), 0);
	chunk_unref(NULL);
}

/* --- against a model --- */

#define OPERATIONS 100000
#define VIEWS 16

struct model {
	uint64_t *time; /* of each append, by seq */
	struct log log;
	struct log_memory memory;
	struct log_view view[VIEWS];
	uint64_t from[VIEWS];
	uint64_t now, low;
};

static void model_trim(struct model *m)
{
	struct log_limits limits = {
	    .records = pick(3000), .bytes = pick(2000000), .grace_ms = pick(300)};
	struct log *log = &m->log;
	uint64_t tail = log->tail, had = log->head + 1 - tail, have;

	m->low = pick(4) ? EVERYBODY : log->head + 1 - pick(4000) % (had + 1);
	log_trim(log, &limits, m->low, m->now);
	have = log->head + 1 - log->tail;
	assert_true(log->tail >= tail);
	if (log->tail > tail) {
		assert_true(have >= limits.records && have > 0);
		/* The chunk before was finished when the one at tail was begun. */
		assert_true(log->tail <= m->low ||
			    (int64_t)(m->now - m->time[log->tail]) >= (int64_t)limits.grace_ms);
	}
	if (log->oldest != log->last) {
		const struct chunk *c = log->oldest;
		uint64_t next = c->first + atomic_load(&c->n);

		assert_true(log->bytes <= limits.bytes || log->head + 1 - next < limits.records ||
			    (next > m->low &&
			     (int64_t)(m->now - m->time[next]) < (int64_t)limits.grace_ms));
	}
}

static void model_check(const struct log *log)
{
	const struct chunk *c = log->oldest, *last = c;
	size_t bytes = 0;

	assert_int_equal(c ? c->first : log->head + 1, log->tail);
	for (; c; c = atomic_load(&c->next)) {
		const struct chunk *next = atomic_load(&c->next);

		assert_true(c->len + atomic_load(&c->n) * sizeof(struct slot) <= c->cap);
		assert_int_equal(c->first + atomic_load(&c->n), next ? next->first : log->head + 1);
		bytes += sizeof(*c) + c->cap;
		last = c;
	}
	assert_ptr_equal(last, log->last);
	assert_int_equal(bytes, log->bytes);
}

static void model_view(struct model *m)
{
	size_t i = pick(VIEWS);

	if (m->view[i].chunk) {
		assert_true(walk_ok(&m->view[i], m->from[i], body_len));
		chunk_unref(m->view[i].chunk);
	}
	m->from[i] = m->log.head + 2 - pick(3000) % (m->log.head + 2);
	log_view(&m->log, m->from[i], &m->view[i]);
	assert_int_equal(m->view[i].head, m->log.head);
	assert_int_equal(m->view[i].tail, m->log.tail);
	assert_int_equal(m->view[i].chunk == NULL, m->from[i] > m->log.head);
}

static void any_order_of_things_agrees_with_the_model(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	assert_non_null(m);
	m->time = calloc(OPERATIONS + 2, sizeof(*m->time));
	assert_non_null(m->time);
	m->memory.max = SIZE_MAX;
	log_init(&m->log, &m->memory);
	for (int i = 0; i < OPERATIONS; i++) {
		uint32_t what = pick(1000);

		m->now += pick(3);
		if (what < 970) {
			uint64_t seq = m->log.head + 1;

			m->time[seq] = m->now;
			assert_int_equal(append_sized(&m->log, body_len(seq), m->now),
					 (int64_t)seq);
		} else if (what < 980) {
			model_trim(m);
			model_check(&m->log);
		} else {
			model_view(m);
		}
		assert_true(atomic_load(&m->memory.used) >= m->log.bytes);
	}
	model_check(&m->log);
	log_free(&m->log);
	for (size_t i = 0; i < VIEWS; i++) {
		if (m->view[i].chunk)
			assert_true(walk_ok(&m->view[i], m->from[i], body_len));
		chunk_unref(m->view[i].chunk);
	}
	assert_int_equal(atomic_load(&m->memory.used), 0);
	free(m->time);
	free(m);
}

/* --- threads --- */

#define THREADS 3
#define SHARED_RECORDS 20000

struct shared {
	pthread_mutex_t lock;
	struct log log;
	struct log_memory memory;
	_Atomic uint64_t cursor[THREADS];
	atomic_int wrong;
};

struct reader {
	struct shared *s;
	unsigned index;
};

/* As members do: a view under the lock, the walk without. */
static void *reader_run(void *arg)
{
	struct reader *r = arg;
	struct shared *s = r->s;
	uint64_t cursor = 1;

	while (cursor <= SHARED_RECORDS) {
		struct log_view view;

		pthread_mutex_lock(&s->lock);
		log_view(&s->log, cursor, &view);
		pthread_mutex_unlock(&s->lock);
		if (!view.chunk) {
			sched_yield();
			continue;
		}
		if (!walk_ok(&view, cursor, body_len))
			atomic_fetch_add(&s->wrong, 1);
		/* Only the last thread lags so far that it may be overtaken. */
		if (view.tail > cursor && r->index != THREADS - 1)
			atomic_fetch_add(&s->wrong, 1);
		cursor = view.head + 1;
		chunk_unref(view.chunk);
		if (r->index != THREADS - 1)
			atomic_store(&s->cursor[r->index], cursor);
		else
			sched_yield();
	}
	return NULL;
}

static void readers_walk_without_the_lock(void **state)
{
	static struct shared s = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct log_limits limits = {.records = 10, .bytes = 100000, .grace_ms = 1000000};
	struct reader reader[THREADS];
	pthread_t thread[THREADS];

	(void)state;
	s.memory.max = SIZE_MAX;
	log_init(&s.log, &s.memory);
	for (unsigned i = 0; i < THREADS; i++) {
		atomic_store(&s.cursor[i], i == THREADS - 1 ? EVERYBODY : 1);
		reader[i] = (struct reader){&s, i};
		assert_int_equal(pthread_create(&thread[i], NULL, reader_run, &reader[i]), 0);
	}
	for (uint64_t seq = 1; seq <= SHARED_RECORDS; seq++) {
		uint64_t low = EVERYBODY;

		pthread_mutex_lock(&s.lock);
		append_sized(&s.log, body_len(seq), seq);
		for (unsigned i = 0; i < THREADS; i++) {
			uint64_t at = atomic_load(&s.cursor[i]);

			low = at < low ? at : low;
		}
		log_trim(&s.log, &limits, low, seq);
		pthread_mutex_unlock(&s.lock);
		/* However late the readers' threads begin, they are in step now and then. */
		for (unsigned i = 0; i < THREADS - 1 && seq % 1000 == 0; i++)
			while (atomic_load(&s.cursor[i]) <= seq)
				sched_yield();
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(atomic_load(&s.wrong), 0);
	assert_true(s.log.tail > 1);
	log_free(&s.log);
	assert_int_equal(atomic_load(&s.memory.used), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_log_has_nothing),
	    cmocka_unit_test(records_of_all_sizes_are_frames),
	    cmocka_unit_test(sequence_numbers_grow_in_length),
	    cmocka_unit_test(small_sessions_take_little),
	    cmocka_unit_test(frames_can_be_put_elsewhere),
	    cmocka_unit_test(the_number_of_records_is_a_minimum),
	    cmocka_unit_test(bytes_are_kept_where_that_is_more),
	    cmocka_unit_test(the_last_chunk_always_stays),
	    cmocka_unit_test(a_member_that_lags_has_some_time),
	    cmocka_unit_test(memory_over_the_limit_takes_what_all_have),
	    cmocka_unit_test(memory_over_the_limit_spares_what_a_member_lacks),
	    cmocka_unit_test(a_clock_that_is_behind_takes_nothing_away),
	    cmocka_unit_test(readers_keep_what_is_trimmed),
	    cmocka_unit_test(any_order_of_things_agrees_with_the_model),
	    cmocka_unit_test(readers_walk_without_the_lock),
	};

	for (size_t i = 0; i < sizeof(letters); i++)
		letters[i] = (char)('a' + i % 26);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
