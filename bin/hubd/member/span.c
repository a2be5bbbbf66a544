/* Invariant: what a cache holds are the records [from, to) of the chunk with that serial, in that
 * encoding, of all senders, one behind the other. A serial is never used again, so nobody has to
 * clear it. */
#include "member/span.h"

#include <errno.h>
#include <stdlib.h>

#include "loop/sends.h"
#include "member/member.h"
#include "wire/wsframe.h"

#define ROOM_MIN 256		/* records */
#define KEEP_BYTES (256 * 1024) /* of a cache that is given up */

static int encode_one(const struct encoding *encoding, struct buf *b, const struct slot *slot,
		      const unsigned char *frame, const struct record_log *in)
{
	size_t header = wsframe_header_len(frame);
	const char *text = (const char *)frame + header;

	if (encoding->record)
		return encoding->record(b, text, slot->len - header,
					(struct span){text + slot->type_at, slot->type_len}, in);
	return encoding->message(b, text, slot->len - header);
}

static int reserve_ends(struct span_cache *cache, size_t n)
{
	size_t room = cache->room ? cache->room : ROOM_MIN;
	uint32_t *end;

	if (n <= cache->room)
		return 0;
	while (room < n)
		room *= 2;
	end = realloc(cache->end, room * sizeof(*end));
	if (!end)
		return -ENOMEM;
	cache->end = end;
	cache->room = room;
	return 0;
}

/* Makes what is there reach to `to`. Returns 0, or -ENOMEM, then nothing is there. */
static int extend(struct span_cache *cache, const struct record_log *in, const struct chunk *chunk,
		  uint64_t to)
{
	if (to > cache->from && reserve_ends(cache, to - cache->from) < 0)
		goto fail;
	while (cache->to < to) {
		const struct slot *slot = chunk_slot(chunk, cache->to - chunk->first);

		if (encode_one(cache->key.encoding, &cache->bytes, slot, chunk->data + slot->offset,
			       in) < 0)
			goto fail;
		cache->end[cache->to++ - cache->from] = (uint32_t)cache->bytes.len;
	}
	return 0;
fail:
	cache->key.chunk = 0;
	return -ENOMEM;
}

bool span_same(const struct span_key *a, const struct span_key *b)
{
	return a->chunk == b->chunk && a->encoding == b->encoding && a->above == b->above &&
	       a->above_seq == b->above_seq && a->in_rooms == b->in_rooms;
}

/* The cache of that, or the one that was used least lately, empty. */
static struct span_cache *cache_of(struct worker *w, const struct span_key *key)
{
	struct members *members = w->members;
	struct span_cache *found = members->cache;

	for (struct span_cache *at = members->cache; at < members->cache + SPAN_CACHES; at++) {
		if (span_same(&at->key, key)) {
			at->used = ++members->uses;
			return at;
		}
		if (at->used < found->used)
			found = at;
	}
	sends_settle(w->sends, found->round);
	if (found->bytes.cap > KEEP_BYTES)
		buf_free(&found->bytes);
	found->key = *key;
	found->from = found->to = 0;
	found->share = (struct deflation_share){0};
	found->used = ++members->uses;
	return found;
}

/* How far a seat is that has rooms: all before has been written, or it cannot be told. */
static struct log_place place_above(const struct seat *seat)
{
	static const struct log_place unknown;

	return seat->m.catchup ? unknown : session_place(seat->m.session, seat->m.cursor - 1);
}

void span_about(const struct seat *seat, uint64_t serial, struct span_about *out)
{
	const struct session *s = seat->m.session,
			     *named = seat->above ? seat->above->m.session : s;

	out->place = session_place(s, 0);
	out->above = seat->above ? place_above(seat->above) : (struct log_place){0};
	out->in = (struct record_log){{named->id, named->id_len},
				      &out->place,
				      seat->rooms,
				      seat->above ? &out->above : NULL,
				      NULL};
	out->key = (struct span_key){.encoding = seat->conn->door->encoding,
				     .chunk = serial,
				     .above = seat->above ? named->epoch : 0,
				     .above_seq = out->above.epoch ? out->above.seq : UINT64_MAX,
				     .in_rooms = seat->rooms};
}

/* The records [from, to) of chunk for a seat: each is encoded once for all who want it, as long as
 * they are not far apart. live: they may be deflated. NULL: no memory. */
static struct span_cache *cover(const struct seat *seat, const struct chunk *chunk, uint64_t from,
				uint64_t to, bool live)
{
	struct worker *w = seat->conn->worker;
	struct span_about about;
	struct span_cache *cache;

	span_about(seat, chunk->serial, &about);
	cache = cache_of(w, &about.key);
	if (from < cache->from || from > cache->to) {
		if (from < cache->from && to >= cache->from && to < cache->to)
			to = cache->to;
		sends_settle(w->sends, cache->round);
		cache->from = cache->to = from;
		cache->bytes.len = 0;
	}
	if (about.key.encoding->deflates && to <= cache->to)
		deflation_shared(&w->members->deflation, &cache->share);
	else if (about.key.encoding->deflates && live)
		about.in.deflation = deflation_for(&w->members->deflation, w, &cache->share);
	if (cache->to < to)
		sends_settle(w->sends, cache->round);
	return extend(cache, &about.in, chunk, to) == 0 ? cache : NULL;
}

/* The bytes of a record that is logged so, or in the cache. */
static struct span bytes_of(const struct span_cache *cache, const struct chunk *chunk, uint64_t seq)
{
	const struct slot *slot = chunk_slot(chunk, seq - chunk->first);
	uint32_t start;

	if (!cache)
		return (struct span){(const char *)chunk->data + slot->offset, slot->len};
	start = seq == cache->from ? 0 : cache->end[seq - cache->from - 1];
	return (struct span){cache->bytes.data + start, cache->end[seq - cache->from] - start};
}

/* All of [from, to), of which there is one at least. */
static struct span bytes_between(const struct span_cache *cache, const struct chunk *chunk,
				 uint64_t from, uint64_t to)
{
	struct span first = bytes_of(cache, chunk, from), last = bytes_of(cache, chunk, to - 1);

	return (struct span){first.p, (size_t)(last.p + last.len - first.p)};
}

/* The same without those that sender `skip` does not get; *n: how many are left. p is NULL: no
 * memory. Good until the next call. */
static struct span bytes_for(struct members *members, const struct span_cache *cache,
			     const struct chunk *chunk, uint64_t from, uint64_t to, uint64_t skip,
			     bool echo, uint64_t *n)
{
	struct buf *some = &members->some;
	uint64_t start = from;

	*n = 0;
	some->len = 0;
	for (uint64_t seq = from; seq <= to; seq++) {
		const struct slot *slot = seq < to ? chunk_slot(chunk, seq - chunk->first) : NULL;
		struct span run;

		if (slot && (slot->sender != skip ||
			     (echo ? slot->own != OWN_NEVER : slot->own == OWN_ALWAYS)))
			continue;
		if (!slot && start == from) { /* none of them is its own */
			*n = to - from;
			return bytes_between(cache, chunk, from, to);
		}
		if (seq > start) {
			run = bytes_between(cache, chunk, start, seq);
			*n += seq - start;
			if (buf_put(some, run.p, run.len) < 0)
				return (struct span){NULL, 0};
		}
		start = seq + 1;
	}
	return (struct span){some->data ? some->data : "", some->len};
}

bool span_write(const struct seat *seat, struct log_view *view, uint64_t *cursor, uint64_t skip,
		bool echo, bool live, size_t *bytes)
{
	struct conn *c = seat->conn;
	const struct chunk *chunk =
	    view->hint && view->hint->first <= *cursor ? view->hint : view->chunk;
	struct span_cache *cache = NULL;
	struct span data = {NULL, 0};
	uint64_t end, n;
	bool goes_on;

	chunk = view->hint = chunk_find(chunk, *cursor);
	end = chunk->first + atomic_load_explicit(&chunk->n, memory_order_relaxed);
	if (end > view->head + 1)
		end = view->head + 1;
	n = end - *cursor;
	if (c->door->encoding->as_logged || (cache = cover(seat, chunk, *cursor, end, live)))
		data =
		    skip ? bytes_for(c->worker->members, cache, chunk, *cursor, end, skip, echo, &n)
			 : bytes_between(cache, chunk, *cursor, end);
	if (!data.p) {
		conn_close(c, CLOSE_INTERNAL, "out of memory");
		return false;
	}
	/* What is large is not to be copied for a peer that does not take what it was sent before.
	 */
	if (data.len > SENDS_PIECES_BYTES) {
		sends_go(c->worker->sends);
		if (c->blocked || c->closing)
			return false;
	}
	*cursor = end;
	*bytes += data.len;
	counter_add_at(&c->worker->counters, delivered, c->door->counted, n);
	if (data.len == 0)
		return true;
	/* What is from the past, or of this member alone, is gone sooner. */
	if (!live || data.len > SENDS_PIECES_BYTES || data.p == c->worker->members->some.data)
		return conn_write(c, data.p, data.len);
	goes_on = conn_write_soon(c, data.p, data.len);
	if (cache)
		cache->round = sends_round(c->worker->sends);
	return goes_on;
}
