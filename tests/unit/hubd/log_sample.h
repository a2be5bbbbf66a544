/* A log of records that can be told from each other: each is made of its number alone, so that
 * whoever walks can tell whether it is the right one. main() calls letters_make() first. */
#ifndef HUBD_TEST_LOG_SAMPLE_H
#define HUBD_TEST_LOG_SAMPLE_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "log/log.h"
#include "unit.h"
#include "wire/wsframe.h"

#define EVERYBODY UINT64_MAX /* low: no member lags */

/* The length of record seq, the same whenever asked: mostly small, some at the edges, few large. */
static inline size_t body_len(uint64_t seq)
{
	uint64_t h = seq * 0x9e3779b97f4a7c15;

	h ^= h >> 29;
	if (h % 4096 == 0)
		return 70000 + h % 1000;
	if (h % 64 == 0)
		return 1000 + h % 5000;
	return 1 + h % 200;
}

static inline uint64_t sender_of(uint64_t seq)
{
	return seq * 0xbf58476d1ce4e5b9 + 1;
}

/* As different as can be; the place is the log's, whatever stands there before. */
static inline struct slot tags_of(uint64_t seq)
{
	return (struct slot){.sender = sender_of(seq),
			     .key = seq * 3,
			     .msg = ~seq,
			     .offset = 12345,
			     .len = 54321,
			     .acked = seq % 3 == 0,
			     .key_at = (uint32_t)seq,
			     .type_at = ((uint32_t)seq + 1) & 0x3fffffff,
			     .area = (uint32_t)seq % 5,
			     .key_len = (uint16_t)(seq % 257),
			     .type_len = (unsigned)(seq % 65) & 0xfff,
			     .class = (unsigned)(seq % 3) & 3};
}

static inline bool same_tags(const struct slot *a, const struct slot *b)
{
	return a->sender == b->sender && a->key == b->key && a->msg == b->msg &&
	       a->acked == b->acked && a->key_at == b->key_at && a->type_at == b->type_at &&
	       a->area == b->area && a->key_len == b->key_len && a->type_len == b->type_len &&
	       a->class == b->class;
}

#define BODY_MAX (1 << 20)

static char letters[BODY_MAX + 26];

static inline void letters_make(void)
{
	for (size_t i = 0; i < sizeof(letters); i++)
		letters[i] = (char)('a' + i % 26);
}

static inline const char *body_of(uint64_t seq)
{
	return letters + seq % 26;
}

static inline int64_t append_sized(struct log *log, size_t len, uint64_t now_ms)
{
	uint64_t seq = log->head + 1;
	struct slot tags = tags_of(seq);

	return log_append(log, &tags, body_of(seq), len, now_ms);
}

/* As a session trims. */
static inline void log_trim(struct log *log, const struct log_limits *limits, uint64_t low,
			    uint64_t now_ms)
{
	while (log_may_drop(log, limits, low, now_ms))
		log_drop_oldest(log);
}

/* No cmocka here, since threads call it. */
static inline bool record_ok(const struct chunk *c, uint64_t seq, size_t len)
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
static inline bool walk_ok(const struct log_view *view, uint64_t seq,
			   size_t (*len_of)(uint64_t seq))
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

static inline void check_view(const struct log *log, uint64_t from, size_t (*len_of)(uint64_t seq))
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

#endif
