/* Invariant: what the cache holds are the records [from, to) of the chunk with that serial, in that
 * encoding, of all senders. A serial is never used again, so nobody has to clear it. */
#include "member/span.h"

#include "member/member.h"
#include "wire/wsframe.h"

/* The records [from, to) of chunk in c's encoding, without those of sender `skip`, in a buffer of
 * the worker's that is good until the next call. NULL: no memory. */
static const struct buf *encode(struct conn *c, const struct chunk *chunk, uint64_t from,
				uint64_t to, uint64_t skip)
{
	const struct encoding *encoding = c->door->encoding;
	struct span_cache *cache = &c->worker->members->cache;
	struct buf *b = &cache->bytes;
	uint64_t seq;

	/* Members in step with each other want the same bytes. */
	if (!skip && cache->chunk == chunk->serial && cache->encoding == encoding &&
	    cache->from == from && cache->to == to)
		return b;
	b->len = 0;
	cache->chunk = 0;
	for (seq = from; seq < to; seq++) {
		const struct slot *slot = chunk_slot(chunk, seq - chunk->first);
		const unsigned char *frame = chunk->data + slot->offset;
		size_t header = encoding->as_logged ? 0 : wsframe_header_len(frame);
		int r;

		if (skip && slot->sender == skip)
			continue;
		if (encoding->as_logged)
			r = buf_put(b, frame, slot->len);
		else
			r = encoding->message(b, (const char *)frame + header, slot->len - header,
					      seq);
		if (r < 0)
			return NULL;
	}
	if (!skip) {
		cache->chunk = chunk->serial;
		cache->encoding = encoding;
		cache->from = from;
		cache->to = to;
	}
	return b;
}

bool span_write(struct conn *c, struct log_view *view, uint64_t *cursor, uint64_t skip,
		size_t *bytes)
{
	const struct chunk *chunk =
	    view->hint && view->hint->first <= *cursor ? view->hint : view->chunk;
	const void *data;
	uint64_t end;
	size_t len;

	chunk = view->hint = chunk_find(chunk, *cursor);
	end = chunk->first + atomic_load_explicit(&chunk->n, memory_order_relaxed);
	if (end > view->head + 1)
		end = view->head + 1;
	if (c->door->encoding->as_logged && !skip) {
		const struct slot *first = chunk_slot(chunk, *cursor - chunk->first);
		const struct slot *last = chunk_slot(chunk, end - 1 - chunk->first);

		data = chunk->data + first->offset;
		len = last->offset + last->len - first->offset;
	} else {
		const struct buf *b = encode(c, chunk, *cursor, end, skip);

		if (!b) {
			conn_close(c, CLOSE_INTERNAL, "out of memory");
			return false;
		}
		data = b->data;
		len = b->len;
	}
	*cursor = end;
	*bytes += len;
	return len == 0 || conn_write(c, data, len);
}
