/* Invariant: slot finds each entry by its name, and is never more than half full. */
#include "files/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static size_t slot_of(const struct tally *t, struct span name)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	size_t i;

	for (i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.p[i]) * UINT64_C(1099511628211);
	for (i = hash & (t->cap - 1); t->slot[i]; i = (i + 1) & (t->cap - 1))
		if (t->slot[i]->len == name.len &&
		    (!name.len || memcmp(t->slot[i]->name, name.p, name.len) == 0))
			break;
	return i;
}

static void *need(void *p)
{
	if (!p)
		err_die(EX_OSERR, "out of memory");
	return p;
}

static void grow(struct tally *t)
{
	free(t->slot);
	t->cap = t->cap ? 2 * t->cap : 16;
	t->slot = need(calloc(t->cap, sizeof(struct tally_entry *)));
	for (struct tally_entry *e = t->first; e; e = e->next)
		t->slot[slot_of(t, (struct span){e->name, e->len})] = e;
}

struct tally_entry *tally_find(struct tally *t, struct span name)
{
	struct tally_entry *e;
	size_t i;

	if (2 * t->n >= t->cap)
		grow(t);
	i = slot_of(t, name);
	if (t->slot[i])
		return t->slot[i];
	if (t->n == t->limit) {
		t->full = true;
		return NULL;
	}
	e = need(calloc(1, sizeof(*e)));
	e->name = need(malloc(name.len + 1));
	e->len = name.len;
	if (name.len)
		memcpy(e->name, name.p, name.len);
	e->name[name.len] = '\0';
	e->extra = t->extra ? need(calloc(1, t->extra)) : NULL;
	if (t->last)
		t->last->next = e;
	else
		t->first = e;
	t->last = e;
	t->slot[i] = e;
	t->n++;
	return e;
}

struct tally_entry *tally_need(struct tally *t, struct span name)
{
	struct tally_entry *e = tally_find(t, name);

	if (!e)
		err_die(EX_DATAERR, "more than %zu names", t->limit);
	return e;
}

void tally_free(struct tally *t)
{
	while (t->first) {
		struct tally_entry *e = t->first;

		t->first = e->next;
		free(e->name);
		free(e->extra);
		free(e);
	}
	free(t->slot);
	*t = (struct tally){.extra = t->extra, .limit = t->limit};
}
