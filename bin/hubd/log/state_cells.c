/* Where records of the state are. Invariant: an entry has a spot exactly when it has a frame whose
 * record has a place, but for want of memory. */
#include <stdlib.h>

#include "log/state_impl.h"
#include "wire/wsframe.h"

#define TABLE_MIN 16

struct state_cells {
	struct state_spot **table; /* by cell, chained */
	size_t size;		   /* a power of two */
	size_t n;
};

static struct state_spot **bucket_of(const struct state_cells *c, uint32_t cell)
{
	return &c->table[((uint64_t)cell * 0x9e3779b97f4a7c15U >> 32) & (c->size - 1)];
}

static void chain(struct state_cells *c, struct state_spot *spot)
{
	struct state_spot **bucket = bucket_of(c, spot->cell);

	spot->next = *bucket;
	spot->link = bucket;
	if (spot->next)
		spot->next->link = &spot->next;
	*bucket = spot;
}

static void unchain(struct state_spot *spot)
{
	*spot->link = spot->next;
	if (spot->next)
		spot->next->link = spot->link;
}

/* False: no memory. Chains may just grow longer. */
static bool grow(struct state *s, struct state_cells *c)
{
	struct state_cells more = {.size = c->size ? 2 * c->size : TABLE_MIN};

	more.table = calloc(more.size, sizeof(struct state_spot *));
	if (!more.table)
		return c->size > 0;
	for (size_t i = 0; i < c->size; i++) {
		struct state_spot *spot;

		while ((spot = c->table[i]) != NULL) {
			unchain(spot);
			chain(&more, spot);
		}
	}
	state_count(s, more.size * sizeof(*more.table), c->size * sizeof(*c->table));
	free(c->table);
	c->table = more.table;
	c->size = more.size;
	return true;
}

static struct state_spot *spot_new(struct state *s, struct state_entry *e)
{
	struct state_cells *c = s->cells;
	struct state_spot *spot;

	if (!c) {
		c = s->cells = calloc(1, sizeof(*c));
		if (!c)
			return NULL;
		state_count(s, sizeof(*c), 0);
	}
	if (c->n >= c->size && !grow(s, c))
		return NULL;
	spot = malloc(sizeof(*spot));
	if (!spot)
		return NULL;
	spot->entry = e;
	c->n++;
	state_count(s, sizeof(*spot), 0);
	return spot;
}

void state_unplace(struct state *s, struct state_entry *e)
{
	unchain(e->spot);
	free(e->spot);
	e->spot = NULL;
	s->cells->n--;
	state_count(s, 0, sizeof(*e->spot));
}

void state_cells_free(struct state *s)
{
	if (!s->cells)
		return;
	state_count(s, 0, sizeof(*s->cells) + s->cells->size * sizeof(*s->cells->table));
	free(s->cells->table);
	free(s->cells);
	s->cells = NULL;
}

void state_place(struct state *s, struct state_entry *e, uint32_t cell)
{
	if (e->spot && e->spot->cell == cell)
		return;
	if (cell == AREA_ANYWHERE) {
		if (e->spot)
			state_unplace(s, e);
		return;
	}
	if (e->spot)
		unchain(e->spot);
	else
		e->spot = spot_new(s, e);
	if (!e->spot)
		return;
	e->spot->cell = cell;
	chain(s->cells, e->spot);
}

uint32_t state_cell(const struct state_entry *e)
{
	if (!e->seq)
		return AREA_NOWHERE;
	return e->spot ? e->spot->cell : AREA_ANYWHERE;
}

uint32_t state_key_cell(const struct state *s, uint64_t hash, struct span key)
{
	const struct state_entry *e;
	uint32_t cell = AREA_NOWHERE;

	if (!s->cells || !s->size)
		return AREA_ANYWHERE;
	for (e = s->table[hash & (s->size - 1)]; e; e = e->hash_next) {
		if (!state_has_key(e, hash, key) || !e->seq)
			continue;
		if (cell != AREA_NOWHERE && cell != state_cell(e))
			return AREA_ANYWHERE;
		cell = state_cell(e);
	}
	return cell == AREA_NOWHERE ? AREA_ANYWHERE : cell;
}

void state_place_all(struct state *s,
		     uint32_t (*cell_of)(const void *arg, struct span type, const char *text,
					 size_t len),
		     const void *arg)
{
	for (struct state_entry *e = s->oldest; e; e = e->newer) {
		const unsigned char *frame = e->data + e->key_len + e->type_len;
		size_t header = wsframe_header_len(frame);
		struct span type = {(const char *)e->data + e->key_len, e->type_len};

		state_place(s, e,
			    cell_of(arg, type, (const char *)frame + header, e->len - header));
	}
}

/* --- looking */

struct look {
	const struct area *in, *but;
	void (*each)(const struct state_entry *e, void *arg);
	void *arg;
};

static void look_at(const struct look *l, const struct state_entry *e, uint32_t cell)
{
	if ((!l->in || area_has(l->in, cell)) && !area_has(l->but, cell))
		l->each(e, l->arg);
}

void state_each_in(const struct state *s, const struct area *in, const struct area *but,
		   void (*each)(const struct state_entry *e, void *arg), void *arg)
{
	const struct look l = {in, but, each, arg};
	const struct state_spot *spot;
	uint64_t at = 0;
	uint32_t cell;

	if (!s->cells)
		return;
	if (!in || area_count(in) > s->cells->size) {
		for (size_t i = 0; i < s->cells->size; i++)
			for (spot = s->cells->table[i]; spot; spot = spot->next)
				look_at(&l, spot->entry, spot->cell);
		return;
	}
	while ((cell = area_next(in, &at)) != AREA_ANYWHERE)
		for (spot = *bucket_of(s->cells, cell); spot; spot = spot->next)
			if (spot->cell == cell)
				look_at(&l, spot->entry, cell);
}
