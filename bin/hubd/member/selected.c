/* The bytes of what was selected. Invariant: what a cache holds are the records [from, to) behind
 * the one that `from` is in the chunk with that serial, of all senders; a serial is never used
 * again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/sends.h"
#include "member/member_impl.h"
#include "member/select_text.h"
#include "member/span.h"
#include "wire/log_place.h"
#include "wire/wsframe.h"

#define RECORDS_MAX 16384	/* looked at at a time */
#define BYTES_MAX (1024 * 1024) /* about */
#define LOOK_BYTES 64		/* of a step that a record is, whether it is wanted or not */

static bool passes(const struct slot *slot, uint64_t skip, bool echo)
{
	return !skip || slot->sender != skip ||
	       !(echo ? slot->own == OWN_NEVER : slot->own != OWN_ALWAYS);
}

/* Where what is looked at at a time ends, [from, *to). */
static uint64_t end_of(const struct chunk *c, uint64_t from, uint64_t head)
{
	uint64_t end = from;
	size_t bytes = 0;

	while (end <= head && end - from < RECORDS_MAX && bytes < BYTES_MAX) {
		c = chunk_find(c, end);
		bytes += chunk_slot(c, end - c->first)->len;
		end++;
	}
	return end;
}

/* The same of one that is not of the log any more, which knows its number itself. */
static uint64_t seq_of(const struct picked *p, bool live)
{
	return live ? p->seq : place_of_record(p->text, p->len);
}

/* Those of a range that it wants, by looking at each. */
static int look(struct selection *sel, const struct chunk *c, const struct select_range *range,
		struct buf *room)
{
	for (uint64_t from = range->from; from < range->to; from++) {
		const struct slot *slot;
		const unsigned char *frame;
		size_t header;
		struct picked p;
		enum select_want want;

		c = chunk_find(c, from);
		slot = chunk_slot(c, from - c->first);
		frame = c->data + slot->offset;
		header = wsframe_header_len(frame);
		p = (struct picked){.slot = slot,
				    .text = (const char *)frame + header,
				    .seq = from,
				    .len = (uint32_t)(slot->len - header)};
		want = select_wants(sel, slot, p.text, p.len);
		p.left = want == SELECT_LEFT;
		if (range->ahead && want != SELECT_NOT && seq_of(&p, range->live) <= range->ahead)
			select_judges(sel, slot, p.text, p.len, &p.first);
		if (want != SELECT_NOT && buf_put(room, (const char *)&p, sizeof(p)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The same without those that are its own; from the sift, where that has them. */
static int pick(struct selection *sel, struct sift *sift, const struct chunk *c,
		const struct select_range *range, struct buf *room, struct pick *out)
{
	int r;
	size_t n = 0;

	room->len = 0;
	r = sift ? sift_pick(sift, sel, range->from, range->to, room) : look(sel, c, range, room);
	*out = (struct pick){.at = (void *)room->data, .n = room->len / sizeof(struct picked)};
	for (size_t i = 0; i < out->n; i++) {
		const struct picked *p = &out->at[i];

		if (!passes(p->slot, range->skip, range->echo) || (range->alone && !p->first) ||
		    (!range->alone && p->first && seq_of(p, range->live) <= range->ahead))
			continue;
		out->left += out->at[i].left;
		out->at[n++] = out->at[i];
	}
	out->n = n;
	return r;
}

static bool is_same_state(const struct picked *a, const struct picked *b)
{
	return a->slot->key == b->slot->key && a->slot->type_len == b->slot->type_len &&
	       memcmp(a->text + a->slot->type_at, b->text + b->slot->type_at, a->slot->type_len) ==
		   0;
}

/* Marks all but the last of each key and type: what comes later is met first. */
static int conflate(struct pick *p, struct buf *room)
{
	size_t size = 16, i;
	uint32_t *seen; /* the place + 1 of a record; 0: none */

	while (size < 2 * p->n)
		size *= 2;
	room->len = 0;
	if (buf_reserve(room, size * sizeof(*seen)) < 0)
		return -ENOMEM;
	seen = (void *)room->data;
	memset(seen, 0, size * sizeof(*seen));
	for (i = p->n; i-- > 0;) {
		struct picked *r = &p->at[i];
		uint64_t at = r->slot->key ^ (r->slot->type_len * 0x9e3779b97f4a7c15U);

		if (r->slot->class != RECORD_SET || !r->slot->type_len)
			continue;
		at ^= at >> 29;
		while (seen[at & (size - 1)] &&
		       !is_same_state(&p->at[seen[at & (size - 1)] - 1], r))
			at++;
		r->late = seen[at & (size - 1)] != 0;
		p->skipped += r->late && !r->left;
		if (!r->late)
			seen[at & (size - 1)] = (uint32_t)i + 1;
	}
	return 0;
}

static int encode(const struct seat *seat, struct span_about *about, struct sift *sift,
		  const struct chunk *chunk, const struct select_range *range,
		  struct select_cache *out)
{
	struct worker *w = seat->conn->worker;
	struct selection *sel = seat->more->select;
	struct buf *room = worker_scratch(w), *more = worker_scratch(w), *b = &out->bytes;
	struct pick p;
	int r = pick(sel, sift, chunk, range, room, &p);

	b->len = 0;
	if (r == 0 && range->live && !range->alone && sel->wish.conflate && p.n > 1)
		r = conflate(&p, more);
	if (r == 0 && range->alone && p.n)
		r = select_before(seat, &p, more, b);
	else if (r == 0 && sel->wish.batch && p.n)
		r = select_batch(seat, about, &p, range, more, b);
	else if (r == 0)
		r = select_each(seat, about, &p, more, b);
	if (r == 0 && p.skipped && !sel->wish.batch)
		r = select_skipped(seat, &p, more, b);
	out->n = r == 0 ? p.n - p.skipped - p.left : 0;
	worker_scratch_done(w, more);
	worker_scratch_done(w, room);
	return r;
}

/* The cache of these, or the one that was made least lately. */
static struct select_cache *cache_of(struct selection *sel, const struct span_key *key,
				     const struct select_range *range, bool *found)
{
	const unsigned n = sel->wish.in_area ? SELECT_CACHES_AREA : SELECT_CACHES;

	for (unsigned i = 0; i < n; i++) {
		struct select_cache *cache = &sel->cache[i];

		*found = cache->from == range->from && cache->to == range->to &&
			 cache->ahead == range->ahead && cache->alone == range->alone &&
			 cache->patches == range->patches && span_same(&cache->key, key);
		if (*found)
			return cache;
	}
	sel->last = (sel->last + 1) % n;
	return &sel->cache[sel->last];
}

/* Deflated is what others may share: no more of the past, nor what is without somebody's own. */
static void share_deflated(const struct seat *seat, struct record_log *in, bool found, bool live)
{
	struct worker *w = seat->conn->worker;

	if (found)
		deflation_shared(&w->members->deflation, &seat->more->select->share);
	else if (live)
		in->deflation =
		    deflation_for(&w->members->deflation, w, &seat->more->select->share);
}

/* Writes a range. True where more may be written. */
static bool write_range(const struct seat *seat, struct sift *sift, const struct chunk *chunk,
			const struct select_range *range, size_t *bytes)
{
	struct conn *c = seat->conn;
	struct selection *sel = seat->more->select;
	struct select_cache *cache;
	struct span_about about;
	bool found = false, goes_on, alone = sel->refs == 1 || range->skip;

	span_about(seat, chunk->serial, &about);
	/* What only he gets takes nobody's place. */
	cache = range->skip ? &c->worker->members->own : cache_of(sel, &about.key, range, &found);
	if (about.key.encoding->deflates && !range->skip)
		share_deflated(seat, &about.in, found, range->live);
	if (!found) {
		sends_settle(c->worker->sends, cache->round);
		cache->key.chunk = 0;
		if (encode(seat, &about, sift, chunk, range, cache) < 0) {
			conn_close(c, CLOSE_INTERNAL, "out of memory");
			return false;
		}
		cache->key = about.key;
		cache->from = range->from;
		cache->to = range->to;
		cache->ahead = range->ahead;
		cache->alone = range->alone;
		cache->patches = range->patches;
	}
	*bytes += cache->bytes.len;
	counter_add_at(&c->worker->counters, delivered, c->door->counted, cache->n);
	if (!alone && range->live && cache->bytes.len && cache->bytes.len <= SENDS_PIECES_BYTES) {
		goes_on = conn_write_soon(c, cache->bytes.data, cache->bytes.len);
		cache->round = sends_round(c->worker->sends);
		return goes_on;
	}
	goes_on = cache->bytes.len == 0 || conn_write(c, cache->bytes.data, cache->bytes.len);
	if (alone) {
		sends_settle(c->worker->sends, cache->round);
		select_shrink(cache);
	}
	return goes_on;
}

/* What of that has come already. */
static uint64_t ahead_of(const struct seat *seat, const struct select_range *range)
{
	if (!seat->more->ahead || (range->live && seat->more->ahead < range->from))
		return 0;
	return range->live && seat->more->ahead >= range->to ? range->to - 1 : seat->more->ahead;
}

bool select_write(const struct seat *seat, struct log_view *view, uint64_t *cursor, uint64_t skip,
		  bool echo, bool live, size_t *bytes)
{
	const struct chunk *chunk =
	    view->hint && view->hint->first <= *cursor ? view->hint : view->chunk;
	struct selection *sel = seat->more->select;
	struct sift *sift =
	    live && seat->more->pace && sift_covers(&seat->more->pace->sift, *cursor)
		? &seat->more->pace->sift
		: NULL;
	struct select_range range = {.from = *cursor, .skip = skip, .echo = echo, .live = live};

	chunk = view->hint = chunk_find(chunk, range.from);
	/* What has been looked at for all may go in one. */
	range.to = sift ? sift_end(sift, range.from, view->head,
				   sel->wish.in_area ? UINT64_MAX : BYTES_MAX)
			: end_of(chunk, range.from, view->head);
	range.ahead = ahead_of(seat, &range);
	/* Patches are of what was before all of it. */
	range.patches = sift && sel->wish.delta && !seat->whole && seat->m.echo && !seat->others &&
			range.from == sift->from && range.to == sift->to;
	*cursor = range.to;
	/* What was looked at is work, too, whether it is wanted or not. */
	*bytes += sift ? 0 : LOOK_BYTES * (size_t)(range.to - range.from);
	return write_range(seat, sift, chunk, &range, bytes);
}

void select_ahead(struct seat *seat)
{
	struct sift *sift = &seat->more->pace->sift;
	struct select_range range = {.from = seat->more->ahead + 1,
				     .to = sift->to,
				     .echo = seat->m.echo,
				     .live = true,
				     .alone = true};
	size_t bytes = 0;

	if (range.from < seat->m.cursor)
		range.from = seat->m.cursor;
	if ((!seat->m.echo || seat->others) && seat->m.last_sent >= range.from)
		range.skip = seat->m.client;
	if (range.from >= range.to || !sift_covers(sift, range.from))
		return;
	if (sift->first >= range.from)
		write_range(seat, sift, chunk_find(sift->chunk, range.from), &range, &bytes);
	seat->more->ahead = range.to - 1;
}
