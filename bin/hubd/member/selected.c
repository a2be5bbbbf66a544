/* The bytes of what was selected. Invariant: what a cache holds are the records [from, to) behind
 * the one that `from` is in the chunk with that serial, of all senders; a serial is never used
 * again. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "member/member.h"
#include "member/select.h"
#include "member/span.h"
#include "wire/log_place.h"
#include "wire/wsframe.h"

#define RECORDS_MAX 16384	/* looked at at a time */
#define BYTES_MAX (1024 * 1024) /* about */
#define LOOK_BYTES 64		/* of a step that a record is, whether it is wanted or not */

/* A record that is wanted. */
struct picked {
	const struct slot *slot;
	const char *text;
	uint32_t len;
	bool late; /* another one says it anew */
};

struct pick {
	struct picked *at; /* in a worker's scratch */
	size_t n;
	uint64_t skipped;
};

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

static int pick(struct selection *sel, const struct chunk *c, uint64_t from, uint64_t to,
		uint64_t skip, bool echo, struct buf *room, struct pick *out)
{
	if (buf_reserve(room, (to - from) * sizeof(struct picked)) < 0)
		return -ENOMEM;
	*out = (struct pick){.at = (void *)room->data};
	for (; from < to; from++) {
		const struct slot *slot;
		const unsigned char *frame;
		size_t header;
		struct picked p;

		c = chunk_find(c, from);
		slot = chunk_slot(c, from - c->first);
		if (!passes(slot, skip, echo))
			continue;
		frame = c->data + slot->offset;
		header = wsframe_header_len(frame);
		p = (struct picked){slot, (const char *)frame + header,
				    (uint32_t)(slot->len - header), false};
		if (select_wants(sel, slot, p.text, p.len))
			out->at[out->n++] = p;
	}
	return 0;
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
		p->skipped += r->late;
		if (!r->late)
			seen[at & (size - 1)] = (uint32_t)i + 1;
	}
	return 0;
}

static int encode_each(const struct span_about *about, const struct pick *p, struct buf *b)
{
	const struct encoding *encoding = about->key.encoding;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct picked *k = &p->at[i];

		if (k->late)
			continue;
		if (encoding->record)
			r = encoding->record(
			    b, k->text, k->len,
			    (struct span){k->text + k->slot->type_at, k->slot->type_len},
			    &about->in);
		else
			r = encoding->message(b, k->text, k->len);
	}
	return r;
}

/* What every record says, and the one before it may have said. */
enum { SESSION, TIMESTAMP, FROM, SAID };

static struct json_paths *said_paths; /* NULL: no memory; then nothing is left out */

static void make_said_paths(void)
{
	static const char *const names[SAID] = {"session_id", "timestamp", "from"};

	said_paths = json_paths_new(names, SAID);
}

static struct span value_of(const struct picked *k, const struct json_member *m)
{
	return (struct span){k->text + m->start, m->end - m->start};
}

/* The first member from `at` on that is as it was, or NULL. */
static const struct json_member *next_said(const struct picked *k, const struct json_member *m,
					   const struct span *said, uint32_t at)
{
	const struct json_member *next = NULL;

	for (int i = 0; i < SAID; i++) {
		struct span now = value_of(k, &m[i]);

		if (now.len && m[i].name >= at && now.len == said[i].len &&
		    memcmp(now.p, said[i].p, now.len) == 0 && (!next || m[i].name < next->name))
			next = &m[i];
	}
	return next;
}

/* Appends a record without what is as it was in the one before it, which is in `said`. `from` and
 * `seq` stand last, so a comma is behind each of these. */
static int put_compact(struct buf *out, const struct picked *k, struct span said[SAID])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct json_member m[SAID] = {{0}};
	const struct json_member *next;
	struct json_scan scan;
	uint32_t at = 0;
	int r = 0;

	pthread_once(&once, make_said_paths);
	if (said_paths)
		json_scan(said_paths, k->text, k->len, m, &scan);
	while (r == 0 && (next = next_said(k, m, said, at)) != NULL) {
		uint32_t end = next->end;

		r = buf_put(out, k->text + at, next->name - at);
		while (end < k->len && k->text[end] != ',')
			end++;
		at = end + 1;
	}
	for (int i = 0; i < SAID; i++)
		said[i] = value_of(k, &m[i]);
	return r == 0 ? buf_put(out, k->text + at, k->len - at) : r;
}

static int put_skipped(const struct seat *seat, const struct pick *p, struct buf *text)
{
	return seat->conn->door->dialect->skipped(text, seat->m.session->id, p->skipped);
}

/* The same as one array. */
static int encode_batch(const struct seat *seat, struct span_about *about, const struct pick *p,
			struct buf *text, struct buf *b)
{
	bool compact = seat->select->wish.compact;
	struct span said[SAID] = {{0}};
	const struct encoding *encoding = about->key.encoding;
	int r = 0;

	text->len = 0;
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct picked *k = &p->at[i];

		if (k->late)
			continue;
		about->place.seq = place_of_record(k->text, k->len);
		r = buf_puts(text, text->len ? "," : "[");
		if (r == 0 && compact)
			r = put_compact(text, k, said);
		else if (r == 0)
			r = buf_put(text, k->text, k->len);
	}
	if (r == 0 && p->skipped)
		r = buf_puts(text, ",");
	if (r == 0 && p->skipped)
		r = put_skipped(seat, p, text);
	if (r == 0)
		r = buf_puts(text, "]");
	if (r < 0)
		return r;
	return encoding->batch ? encoding->batch(b, text->data, text->len, &about->in)
			       : encoding->message(b, text->data, text->len);
}

static int say_skipped(const struct seat *seat, const struct pick *p, struct buf *text,
		       struct buf *b)
{
	int r;

	text->len = 0;
	r = put_skipped(seat, p, text);
	return r == 0 ? seat->conn->door->encoding->message(b, text->data, text->len) : r;
}

static int encode(const struct seat *seat, struct span_about *about, const struct chunk *chunk,
		  uint64_t from, uint64_t to, uint64_t skip, bool echo, bool live,
		  struct select_cache *out)
{
	struct worker *w = seat->conn->worker;
	struct selection *sel = seat->select;
	struct buf *room = worker_scratch(w), *more = worker_scratch(w), *b = &out->bytes;
	struct pick p;
	int r = pick(sel, chunk, from, to, skip, echo, room, &p);

	b->len = 0;
	if (r == 0 && live && sel->wish.conflate && p.n > 1)
		r = conflate(&p, more);
	if (r == 0 && sel->wish.batch && p.n)
		r = encode_batch(seat, about, &p, more, b);
	else if (r == 0)
		r = encode_each(about, &p, b);
	if (r == 0 && p.skipped && !sel->wish.batch)
		r = say_skipped(seat, &p, more, b);
	out->n = r == 0 ? p.n - p.skipped : 0;
	worker_scratch_done(w, more);
	worker_scratch_done(w, room);
	return r;
}

/* The cache of these, or the one that was made least lately. */
static struct select_cache *cache_of(struct selection *sel, const struct span_key *key,
				     uint64_t from, uint64_t to, bool *found)
{
	for (unsigned i = 0; i < SELECT_CACHES; i++) {
		struct select_cache *cache = &sel->cache[i];

		*found = cache->from == from && cache->to == to && span_same(&cache->key, key);
		if (*found)
			return cache;
	}
	sel->last = (sel->last + 1) % SELECT_CACHES;
	return &sel->cache[sel->last];
}

/* Deflated is what others may share: no more of the past, nor what is without somebody's own. */
static void share_deflated(const struct seat *seat, struct record_log *in, bool found, bool live)
{
	struct worker *w = seat->conn->worker;

	if (found)
		deflation_shared(&w->members->deflation, &seat->select->share);
	else if (live)
		in->deflation = deflation_for(&w->members->deflation, w, &seat->select->share);
}

bool select_write(const struct seat *seat, struct log_view *view, uint64_t *cursor, uint64_t skip,
		  bool echo, bool live, size_t *bytes)
{
	struct conn *c = seat->conn;
	const struct chunk *chunk =
	    view->hint && view->hint->first <= *cursor ? view->hint : view->chunk;
	struct select_cache *cache;
	struct span_about about;
	struct selection *sel = seat->select;
	uint64_t from = *cursor, to;
	bool found, goes_on;

	chunk = view->hint = chunk_find(chunk, from);
	to = end_of(chunk, from, view->head);
	span_about(seat, chunk->serial, &about);
	cache = cache_of(seat->select, &about.key, from, to, &found);
	if (about.key.encoding->deflates && !skip)
		share_deflated(seat, &about.in, found, live);
	if (skip || !found) {
		cache->key.chunk = 0;
		if (encode(seat, &about, chunk, from, to, skip, echo, live, cache) < 0) {
			conn_close(c, CLOSE_INTERNAL, "out of memory");
			return false;
		}
		cache->key = about.key;
		cache->from = from;
		cache->to = to;
		if (skip)
			cache->key.chunk = 0;
	}
	*cursor = to;
	/* What was looked at is work, too, whether it is wanted or not. */
	*bytes += cache->bytes.len + LOOK_BYTES * (size_t)(to - from);
	counter_add_at(&c->worker->counters, delivered, c->door->counted, cache->n);
	goes_on = cache->bytes.len == 0 || conn_write(c, cache->bytes.data, cache->bytes.len);
	if (sel->refs == 1)
		select_shrink(cache);
	return goes_on;
}
