/* Invariant: an entry's record is the last one of its key and type that the sift's selection wants,
 * up to `upto`; but while a sift is gone over, `next` is that. */
#include "member/delta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json/area.h"
#include "json/json_merge.h"

#define DELTA_BYTES (64 * 1024 * 1024) /* of all records of a tick's members */
#define RECORD_MAX 4096		       /* bytes of one that is worth it */
#define OVERHEAD 64		       /* of seq and timestamp */

struct delta_entry {
	struct delta_entry *hash_next, *touched;
	uint64_t key;
	uint64_t seq;
	struct picked *next; /* NULL: none in this sift */
	uint32_t cell, len, cap;
	uint16_t type_len;
	bool listed; /* it is among those that were touched */
	char *text;  /* the record; NULL: there is none */
	char type[]; /* as written */
};

static void entry_free(struct delta *d, struct delta_entry *e)
{
	d->n--;
	d->bytes -= sizeof(*e) + e->type_len + e->cap;
	free(e->text);
	free(e);
}

static void forget(struct delta *d)
{
	for (size_t i = 0; i < d->size; i++)
		while (d->table[i]) {
			struct delta_entry *e = d->table[i];

			d->table[i] = e->hash_next;
			entry_free(d, e);
		}
}

void delta_free(struct delta *d)
{
	forget(d);
	free(d->table);
	buf_free(&d->text);
	*d = (struct delta){0};
}

/* Chains may just grow longer. */
static int grow(struct delta *d)
{
	size_t size = d->size ? 2 * d->size : 64;
	struct delta_entry **table = calloc(size, sizeof(*table));

	if (!table)
		return d->size ? 0 : -ENOMEM;
	for (size_t i = 0; i < d->size; i++)
		while (d->table[i]) {
			struct delta_entry *e = d->table[i];

			d->table[i] = e->hash_next;
			e->hash_next = table[e->key & (size - 1)];
			table[e->key & (size - 1)] = e;
		}
	free(d->table);
	d->table = table;
	d->size = size;
	return 0;
}

/* Those of a key are no more. */
static void drop_key(struct delta *d, uint64_t key)
{
	struct delta_entry **link = d->size ? &d->table[key & (d->size - 1)] : NULL;

	while (link && *link) {
		struct delta_entry *e = *link;

		/* It may be listed: it stays, without a record. */
		if (e->key == key) {
			e->next = NULL;
			free(e->text);
			d->bytes -= e->cap;
			e->text = NULL;
			e->cap = e->len = 0;
		}
		link = &e->hash_next;
	}
}

static struct delta_entry *entry_of(struct delta *d, const struct picked *p)
{
	const char *type = p->text + p->slot->type_at;
	struct delta_entry *e;

	if (d->n >= d->size && grow(d) < 0)
		return NULL;
	e = d->table[p->slot->key & (d->size - 1)];
	while (e && !(e->key == p->slot->key && e->type_len == p->slot->type_len &&
		      memcmp(e->type, type, e->type_len) == 0))
		e = e->hash_next;
	if (e)
		return e;
	e = calloc(1, sizeof(*e) + p->slot->type_len);
	if (!e)
		return NULL;
	e->key = p->slot->key;
	e->type_len = p->slot->type_len;
	memcpy(e->type, type, e->type_len);
	e->hash_next = d->table[e->key & (d->size - 1)];
	d->table[e->key & (d->size - 1)] = e;
	d->n++;
	d->bytes += sizeof(*e) + e->type_len;
	return e;
}

/* It is the entry's record now. */
static void keep(struct delta *d, struct delta_entry *e, const struct picked *p)
{
	if (e->cap < p->len) {
		free(e->text);
		d->bytes -= e->cap;
		e->text = malloc(p->len);
		e->cap = e->text ? p->len : 0;
		d->bytes += e->cap;
	}
	if (!e->text)
		return;
	memcpy(e->text, p->text, p->len);
	e->len = p->len;
	e->seq = p->seq;
	e->cell = p->slot->area;
}

/* What it is as a patch of the entry's record; its place is still that in d->text. */
static void compare(struct delta *d, const struct delta_entry *e, struct picked *p)
{
	static const char *const skip[] = {"seq", "timestamp", NULL};
	size_t start = d->text.len;
	int r;

	if (!e->text || p->first || p->len > RECORD_MAX || e->len > RECORD_MAX)
		return;
	r = buf_printf(&d->text, "[%ju,{", (uintmax_t)e->seq);
	if (r == 0)
		r = json_merge_diff(&d->text, e->text, e->len, p->text, p->len, skip);
	if (r < 0 || d->text.len - start + OVERHEAD >= p->len) {
		d->text.len = start;
		return;
	}
	p->patch = (struct span){(const char *)(uintptr_t)start, d->text.len - start};
	p->base = e->cell;
}

void delta_make(struct delta *d, struct sift *s, bool last)
{
	struct delta_entry *touched = NULL, *e;

	d->text.len = 0;
	if (d->upto + 1 != s->from || d->bytes > DELTA_BYTES)
		forget(d);
	for (size_t i = 0; i < s->n; i++) {
		struct picked *p = &s->at[i];

		if (p->slot->class == RECORD_DELETE)
			drop_key(d, p->slot->key);
		if (p->slot->class != RECORD_SET || !p->slot->type_len)
			continue;
		e = entry_of(d, p);
		if (!e) {
			forget(d);
			touched = NULL;
			continue;
		}
		/* The state had none: what is here has ended in silence. */
		if (p->slot->before == AREA_NOWHERE && e->text) {
			free(e->text);
			d->bytes -= e->cap;
			e->text = NULL;
			e->cap = 0;
		}
		if (!last) {
			compare(d, e, p);
			keep(d, e, p);
			continue;
		}
		if (!e->listed) {
			e->listed = true;
			e->touched = touched;
			touched = e;
		}
		e->next = p;
	}
	for (e = touched; e; e = e->touched) {
		e->listed = false;
		if (!e->next)
			continue;
		compare(d, e, e->next);
		keep(d, e, e->next);
		e->next = NULL;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].patch.len)
			s->at[i].patch.p = d->text.data + (uintptr_t)s->at[i].patch.p;
	d->upto = s->to - 1;
}
