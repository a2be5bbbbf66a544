/* Selections of a worker. Invariant: no two of them are for the same wish. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "json/keys.h"
#include "loop/sends.h"
#include "member/member.h"
#include "member/select_impl.h"
#include "wire/wsframe.h"

int select_type(struct select_wish *wish, struct span glob)
{
	bool out = glob.len && *glob.p == '!';
	struct span bare = {glob.p + out, glob.len - out};
	struct select_types *types = out ? &wish->out : &wish->in;

	if (!bare.len || bare.len > ENVELOPE_TYPE_MAX)
		return -EINVAL;
	return globs_add(&types->list, &types->memory, bare, (struct span){0});
}

int select_first(struct select_wish *wish, struct span glob)
{
	if (!glob.len || glob.len > ENVELOPE_TYPE_MAX || *glob.p == '!')
		return -EINVAL;
	return globs_add(&wish->first.list, &wish->first.memory, glob, (struct span){0});
}

void select_wish_free(struct select_wish *wish)
{
	buf_free(&wish->in.memory);
	buf_free(&wish->out.memory);
	buf_free(&wish->first.memory);
	*wish = (struct select_wish){0};
}

static bool are_same(const struct select_types *a, const struct select_types *b)
{
	return a->list.n == b->list.n && a->memory.len == b->memory.len &&
	       (!a->memory.len || memcmp(a->memory.data, b->memory.data, b->memory.len) == 0);
}

static bool match(const struct select_types *types, struct span type)
{
	return types->list.n && globs_match(&types->list, types->memory.data, type);
}

struct select_verdicts {
	struct select_verdict {
		uint8_t len; /* 0: none */
		bool wanted, first;
		char text[ENVELOPE_TYPE_MAX + 2];
	} at[SELECT_VERDICTS], other;
};

/* But for the area. */
static bool is_same(const struct select_wish *a, const struct select_wish *b)
{
	return a->tick_ms == b->tick_ms && a->batch == b->batch && a->compact == b->compact &&
	       a->conflate == b->conflate && a->delta == b->delta && are_same(&a->in, &b->in) &&
	       are_same(&a->out, &b->out) && are_same(&a->first, &b->first);
}

/* One that is new, for a wish whose texts it takes. */
static struct selection *add(struct worker *w, struct selection **first,
			     const struct select_wish *wish)
{
	struct selection *sel = calloc(1, sizeof(*sel));

	if (!sel)
		return NULL;
	sel->refs = 1;
	sel->worker = w;
	sel->wish = *wish;
	sel->next = *first;
	sel->link = first;
	if (sel->next)
		sel->next->link = &sel->next;
	*first = sel;
	return sel;
}

/* Of a wish without an area, which it takes. */
static struct selection *base_of(struct worker *w, struct select_wish *wish)
{
	struct selection **first = &w->members->selections[0], *sel = *first;

	while (sel && (sel->wish.in_area || !is_same(&sel->wish, wish)))
		sel = sel->next;
	if (sel) {
		select_wish_free(wish);
		return select_ref(sel);
	}
	sel = add(w, first, wish);
	if (sel)
		sel->verdicts = calloc(1, sizeof(*sel->verdicts));
	if (sel && sel->verdicts)
		sel->base = sel;
	else if (!sel)
		select_wish_free(wish);
	*wish = (struct select_wish){0};
	if (sel && !sel->base) {
		select_unref(sel);
		return NULL;
	}
	return sel;
}

/* The base's with an area; takes the reference on it. */
static struct selection *with_area(struct worker *w, struct selection *base,
				   const struct area *area)
{
	struct select_wish wish = base->wish;
	uint64_t hash = (uintptr_t)base >> 6;
	struct selection **first, *sel;

	for (unsigned i = 0; i < AREA_GRIDS; i++)
		hash = (hash ^ area->rect[i].x0 ^ (uint64_t)area->rect[i].y0 << 16 ^
			(uint64_t)area->rect[i].x1 << 32) *
		       0x9e3779b97f4a7c15U;
	first = &w->members->selections[1 + (hash >> 32) % (SELECT_BUCKETS - 1)];
	for (sel = *first; sel && !(sel->base == base && area_same(&sel->wish.area, area));)
		sel = sel->next;
	if (sel) {
		select_unref(base);
		return select_ref(sel);
	}
	wish.in_area = true;
	wish.area = *area;
	sel = add(w, first, &wish);
	if (sel)
		sel->base = base;
	else
		select_unref(base);
	return sel;
}

struct selection *select_get(struct worker *w, struct select_wish *wish, bool *ok)
{
	const struct select_wish nothing = {0};
	const struct area area = wish->area;
	bool in_area = wish->in_area;
	struct selection *sel;

	*ok = true;
	wish->in_area = false;
	wish->area = nothing.area;
	if (!in_area && is_same(wish, &nothing))
		return NULL;
	sel = base_of(w, wish);
	if (sel && in_area)
		sel = with_area(w, sel, &area);
	*ok = sel != NULL;
	return sel;
}

struct selection *select_in(struct worker *w, struct selection *sel, const struct area *area,
			    bool *ok)
{
	struct select_wish nothing = {0};

	*ok = true;
	if (!area && (!sel || is_same(&sel->wish, &nothing)))
		return NULL;
	sel = sel ? select_ref(sel->base) : base_of(w, &nothing);
	if (sel && area)
		sel = with_area(w, sel, area);
	*ok = sel != NULL;
	return sel;
}

static bool wants_all_types(const struct selection *sel)
{
	return !sel->wish.in.list.n && !sel->wish.out.list.n;
}

bool select_knows(const struct selection *had, const struct selection *sel)
{
	if (!had || wants_all_types(had))
		return true;
	return sel && are_same(&had->wish.in, &sel->wish.in) &&
	       are_same(&had->wish.out, &sel->wish.out);
}

const struct area *select_area(const struct selection *sel)
{
	return sel && sel->wish.in_area ? &sel->wish.area : NULL;
}

struct selection *select_ref(struct selection *sel)
{
	if (sel)
		sel->refs++;
	return sel;
}

void select_unref(struct selection *sel)
{
	if (!sel || --sel->refs)
		return;
	*sel->link = sel->next;
	if (sel->next)
		sel->next->link = sel->link;
	for (unsigned i = 0; i < SELECT_CACHES; i++) {
		sends_settle(sel->worker->sends, sel->cache[i].round);
		buf_free(&sel->cache[i].bytes);
	}
	if (sel->wish.in_area)
		select_unref(sel->base);
	else
		select_wish_free(&sel->wish);
	free(sel->verdicts);
	free(sel);
}

void select_shrink(struct select_cache *cache)
{
	if (cache->bytes.cap <= SELECT_KEEP)
		return;
	buf_free(&cache->bytes);
	cache->key.chunk = 0;
}

void selections_trim(struct worker *w)
{
	for (unsigned b = 0; b < SELECT_BUCKETS; b++)
		for (struct selection *sel = w->members->selections[b]; sel; sel = sel->next)
			for (unsigned i = 0; i < SELECT_CACHES; i++)
				select_shrink(&sel->cache[i]);
}

/* --- types */

static struct json_paths *type_path; /* NULL: no memory; then all are wanted */

static void make_type_path(void)
{
	static const char *const path[] = {"type"};

	type_path = json_paths_new(path, 1);
}

/* As written; empty where there is none. Records of the state and of archives do not note it. */
static struct span type_of(const struct slot *slot, const char *text, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct json_member type = {0};
	struct json_scan scan;

	if (slot->type_len)
		return (struct span){text + slot->type_at, slot->type_len};
	pthread_once(&once, make_type_path);
	if (type_path)
		json_scan(type_path, text, len, &type, &scan);
	return (struct span){text + type.start, type.end - type.start};
}

static bool is_deletion(struct span type)
{
	return type.len == sizeof(KEYS_DELETED) - 1 && memcmp(type.p, KEYS_DELETED, type.len) == 0;
}

static void judge(const struct select_wish *wish, struct span written, struct select_verdict *v)
{
	char room[ENVELOPE_KEY_MAX];
	struct span type;

	v->wanted = true;
	v->first = false;
	if (!keys_value(written, room, &type))
		return;
	/* Who wants only some types of state has to hear that it goes. */
	v->wanted = (!wish->in.list.n || match(&wish->in, type) || is_deletion(type)) &&
		    !match(&wish->out, type);
	v->first = v->wanted && match(&wish->first, type);
}

/* What is thought of a record; good until the next call. */
static const struct select_verdict *verdict_of(struct selection *sel, const struct slot *slot,
					       const char *text, size_t len)
{
	struct span type = type_of(slot, text, len);
	struct select_verdict *v;
	unsigned hash;

	sel = sel->base;
	v = &sel->verdicts->other;
	if (!type.len || type.len > sizeof(v->text)) {
		judge(&sel->wish, type, v);
		return v;
	}
	hash = (unsigned)type.len * 31U + (unsigned char)type.p[type.len / 2] * 7U +
	       (unsigned char)type.p[1] * 3U + (unsigned char)type.p[type.len - 1 - (type.len > 2)];
	v = &sel->verdicts->at[hash % SELECT_VERDICTS];
	if (v->len != type.len || memcmp(v->text, type.p, type.len) != 0) {
		v->len = (uint8_t)type.len;
		memcpy(v->text, type.p, type.len);
		judge(&sel->wish, type, v);
	}
	return v;
}

enum select_want select_is_in(const struct area *area, const struct slot *slot)
{
	if (slot->area == AREA_ANYWHERE || area_has(area, slot->area))
		return SELECT_WANTED;
	return slot->class == RECORD_SET &&
		       (slot->before == AREA_ANYWHERE || area_has(area, slot->before))
		   ? SELECT_LEFT
		   : SELECT_NOT;
}

enum select_want select_wants(struct selection *sel, const struct slot *slot, const char *text,
			      size_t len)
{
	enum select_want want =
	    sel->wish.in_area ? select_is_in(&sel->wish.area, slot) : SELECT_WANTED;

	if (want != SELECT_NOT && !wants_all_types(sel) &&
	    !verdict_of(sel, slot, text, len)->wanted)
		return SELECT_NOT;
	return want;
}

bool select_judges(struct selection *sel, const struct slot *slot, const char *text, size_t len,
		   bool *first)
{
	const struct select_verdict *v;

	*first = false;
	if (wants_all_types(sel) && !sel->wish.first.list.n)
		return true;
	v = verdict_of(sel, slot, text, len);
	*first = v->first;
	return v->wanted;
}

uint64_t select_count(struct selection *sel, struct chunk *chunk, uint64_t n)
{
	const struct chunk *c = chunk;

	if (wants_all_types(sel))
		return n;
	if (sel->counted == chunk->serial && sel->counted_n == n)
		return sel->count;
	sel->counted = chunk->serial;
	sel->counted_n = n;
	sel->count = 0;
	for (uint64_t i = 1; i <= n; i++) {
		const struct slot *slot;
		const unsigned char *frame;
		size_t header;

		c = chunk_find(c, i);
		slot = chunk_slot(c, i - c->first);
		frame = c->data + slot->offset;
		header = wsframe_header_len(frame);
		sel->count += select_wants(sel, slot, (const char *)frame + header,
					   slot->len - header) == SELECT_WANTED;
	}
	return sel->count;
}
