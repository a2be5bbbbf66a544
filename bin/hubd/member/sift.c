/* Invariant: at[i] are in order, and their texts in chunks that the reference on the first of them
 * keeps. */
#include "member/sift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "member/select_impl.h"
#include "wire/wsframe.h"

#define SIFT_MAX 65536		     /* records */
#define SIFT_BYTES (8 * 1024 * 1024) /* of them, about */
#define KEEP 4096		     /* records for which room is kept */

void sift_free(struct sift *s)
{
	chunk_unref(s->chunk);
	free(s->at);
	free(s->node);
	free(s->table);
	free(s->everyone);
	free(s->chosen);
	*s = (struct sift){.from = s->to, .to = s->to};
}

void sift_begin(struct sift *s)
{
	if (s->cap > KEEP && s->n < s->cap / 4) {
		sift_free(s);
		return;
	}
	chunk_unref(s->chunk);
	s->chunk = NULL;
	s->last = NULL;
	s->from = s->to;
	s->n = s->indexed = s->nnodes = s->neveryone = s->size = 0;
	s->bytes = s->first = 0;
}

/* The array, which has n of *cap, with room for one more of size bytes; NULL: no memory, and it
 * stays as it is. */
static void *reserve(void *array, size_t size, size_t n, size_t *cap)
{
	size_t more = *cap ? 2 * *cap : 256;
	void *p;

	if (n < *cap)
		return array;
	p = realloc(array, more * size);
	if (p)
		*cap = more;
	return p;
}

void sift_extend(struct sift *s, struct selection *base, const struct log_view *view)
{
	if (!view->chunk || s->to > view->head)
		return;
	if (s->to < view->chunk->first) {
		/* All have had what is between. */
		s->to = view->chunk->first;
		sift_begin(s);
	}
	while (s->to <= view->head && s->n < SIFT_MAX && s->bytes < SIFT_BYTES) {
		const struct chunk *c = chunk_find(s->last ? s->last : view->chunk, s->to);
		const struct slot *slot = chunk_slot(c, s->to - c->first);
		const unsigned char *frame = c->data + slot->offset;
		size_t header = wsframe_header_len(frame);
		struct picked *at;
		struct picked p = {.slot = slot,
				   .text = (const char *)frame + header,
				   .seq = s->to,
				   .bytes = s->bytes,
				   .len = (uint32_t)(slot->len - header)};

		at = reserve(s->at, sizeof(*at), s->n, &s->cap);
		if (!at)
			return;
		s->at = at;
		if (!s->chunk)
			s->chunk = chunk_ref((struct chunk *)(uintptr_t)c);
		s->last = c;
		s->to++;
		if (!select_judges(base, slot, p.text, p.len, &p.first))
			continue;
		if (p.first)
			s->first = p.seq;
		s->bytes += p.len;
		s->at[s->n++] = p;
	}
}

/* The number of the first one from that seq on. */
static size_t find(const struct sift *s, uint64_t seq)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->at[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t sift_end(const struct sift *s, uint64_t from, uint64_t head, uint64_t bytes)
{
	uint64_t end = s->to <= head ? s->to : head + 1;
	size_t first = find(s, from), low = first, high = s->n;

	if (first == s->n)
		return end;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->at[middle].bytes - s->at[first].bytes < bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n && s->at[low].seq < end ? s->at[low].seq : end;
}

/* --- by cell */

static uint32_t *bucket_of(const struct sift *s, uint32_t cell)
{
	return &s->table[((uint64_t)cell * 0x9e3779b97f4a7c15U >> 32) & (s->size - 1)];
}

static int add_node(struct sift *s, uint32_t cell, size_t at)
{
	struct sift_node *node = reserve(s->node, sizeof(*node), s->nnodes, &s->nodes_cap);

	if (!node)
		return -ENOMEM;
	s->node = node;
	s->node[s->nnodes++] = (struct sift_node){.cell = cell, .at = (uint32_t)at};
	return 0;
}

static int add_record(struct sift *s, size_t at)
{
	const struct slot *slot = s->at[at].slot;
	bool was = slot->class == RECORD_SET;
	uint32_t *everyone;
	int r;

	if (slot->area == AREA_ANYWHERE || (was && slot->before == AREA_ANYWHERE)) {
		everyone = reserve(s->everyone, sizeof(*everyone), s->neveryone, &s->everyone_cap);
		if (!everyone)
			return -ENOMEM;
		s->everyone = everyone;
		s->everyone[s->neveryone++] = (uint32_t)at;
		return 0;
	}
	r = add_node(s, slot->area, at);
	if (r == 0 && was && slot->before != AREA_NOWHERE && slot->before != slot->area)
		r = add_node(s, slot->before, at);
	return r;
}

/* Returns 0 or -ENOMEM. */
static int make_index(struct sift *s)
{
	size_t size = 16;
	uint32_t *table;

	if (s->indexed == s->n && s->size)
		return 0;
	while (s->indexed < s->n) {
		if (add_record(s, s->indexed) < 0)
			return -ENOMEM;
		s->indexed++;
	}
	while (size < s->nnodes)
		size *= 2;
	table = realloc(s->table, size * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table, 0, size * sizeof(*table));
	s->table = table;
	s->size = size;
	for (size_t i = 0; i < s->nnodes; i++) {
		uint32_t *chain = bucket_of(s, s->node[i].cell);

		s->node[i].next = *chain;
		*chain = (uint32_t)i + 1;
	}
	return 0;
}

/* Chooses one, as it is to that area. Returns 0 or -ENOMEM. */
static int choose(struct sift *s, size_t at, const struct area *area, uint64_t from, uint64_t to)
{
	const struct picked *p = &s->at[at];
	enum select_want want = area ? select_is_in(area, p->slot) : SELECT_WANTED;
	uint32_t *chosen;

	if (p->seq < from || p->seq >= to || want == SELECT_NOT)
		return 0;
	chosen = reserve(s->chosen, sizeof(*chosen), s->nchosen, &s->chosen_cap);
	if (!chosen)
		return -ENOMEM;
	s->chosen = chosen;
	s->chosen[s->nchosen++] = (uint32_t)at << 1 | (want == SELECT_LEFT);
	return 0;
}

static int choose_cell(struct sift *s, uint32_t cell, const struct area *area, uint64_t from,
		       uint64_t to)
{
	int r = 0;

	for (uint32_t i = *bucket_of(s, cell); r == 0 && i; i = s->node[i - 1].next) {
		const struct sift_node *node = &s->node[i - 1];

		if (node->cell != cell)
			continue;
		/* One that goes from cell to cell within is there twice. */
		if (s->at[node->at].slot->area == cell ||
		    !area_has(area, s->at[node->at].slot->area))
			r = choose(s, node->at, area, from, to);
	}
	return r;
}

static int older(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int sift_pick(struct sift *s, const struct selection *sel, uint64_t from, uint64_t to,
	      struct buf *out)
{
	const struct area *area = select_area(sel);
	uint64_t at = 0;
	uint32_t cell;
	size_t i;
	int r = 0;

	s->nchosen = 0;
	if (!area || area_count(area) > s->n) {
		for (i = find(s, from); r == 0 && i < s->n && s->at[i].seq < to; i++)
			r = choose(s, i, area, from, to);
	} else {
		r = make_index(s);
		while (r == 0 && (cell = area_next(area, &at)) != AREA_ANYWHERE)
			r = choose_cell(s, cell, area, from, to);
		for (i = 0; r == 0 && i < s->neveryone; i++)
			r = choose(s, s->everyone[i], area, from, to);
		if (s->nchosen > 1) /* numbers are as the records are */
			qsort(s->chosen, s->nchosen, sizeof(*s->chosen), older);
	}
	if (r == 0)
		r = buf_reserve(out, s->nchosen * sizeof(struct picked));
	for (i = 0; r == 0 && i < s->nchosen; i++) {
		struct picked p = s->at[s->chosen[i] >> 1];

		p.left = s->chosen[i] & 1;
		r = buf_put(out, (const char *)&p, sizeof(p));
	}
	return r;
}
