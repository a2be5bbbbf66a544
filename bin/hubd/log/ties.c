/* Invariant: no tie of the heap is due before its parent; heap[i]->at is i. */
#include "log/ties.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_MIN 16

void ties_free(struct ties *t)
{
	free(t->table);
	free(t->heap);
	*t = (struct ties){0};
}

static struct tie **bucket_of(const struct ties *t, uint64_t client)
{
	return &t->table[client & (t->size - 1)];
}

static void chain(struct ties *t, struct tie *tie)
{
	struct tie **bucket = bucket_of(t, tie->client);

	if ((size_t)(bucket - t->table) < t->empty)
		t->empty = (size_t)(bucket - t->table);
	tie->next = *bucket;
	tie->link = bucket;
	if (tie->next)
		tie->next->link = &tie->next;
	*bucket = tie;
}

static void unchain(struct tie *tie)
{
	*tie->link = tie->next;
	if (tie->next)
		tie->next->link = tie->link;
	tie->link = NULL;
}

static int table_grow(struct ties *t)
{
	struct ties more = {.size = t->size ? 2 * t->size : ROOM_MIN};
	size_t i;

	more.table = calloc(more.size, sizeof(struct tie *));
	if (!more.table)
		return -ENOMEM;
	for (i = 0; i < t->size; i++) {
		struct tie *tie;

		while ((tie = t->table[i]) != NULL) {
			unchain(tie);
			chain(&more, tie);
		}
	}
	free(t->table);
	t->table = more.table;
	t->size = more.size;
	t->empty = 0;
	return 0;
}

static int heap_grow(struct ties *t)
{
	size_t cap = t->cap ? 2 * t->cap : ROOM_MIN;
	struct tie **heap = realloc(t->heap, cap * sizeof(struct tie *));

	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->cap = cap;
	return 0;
}

int ties_reserve(struct ties *t)
{
	int r = t->owned >= t->size ? table_grow(t) : 0;

	return r == 0 && t->timed >= t->cap ? heap_grow(t) : r;
}

/* --- the heap */

static void put_at(struct ties *t, struct tie *tie, size_t i)
{
	t->heap[i] = tie;
	tie->at = i;
}

/* Puts a tie into the free place i, or above. */
static void rise(struct ties *t, struct tie *tie, size_t i)
{
	while (i > 0 && t->heap[(i - 1) / 2]->due_ms > tie->due_ms) {
		put_at(t, t->heap[(i - 1) / 2], i);
		i = (i - 1) / 2;
	}
	put_at(t, tie, i);
}

/* ... or below. */
static void sink(struct ties *t, struct tie *tie, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < t->timed && t->heap[child + 1]->due_ms < t->heap[child]->due_ms)
			child++;
		if (child >= t->timed || t->heap[child]->due_ms >= tie->due_ms)
			break;
		put_at(t, t->heap[child], i);
		i = child;
	}
	put_at(t, tie, i);
}

static void heap_remove(struct ties *t, size_t i)
{
	struct tie *last = t->heap[--t->timed];

	if (i == t->timed)
		return;
	if (i > 0 && t->heap[(i - 1) / 2]->due_ms > last->due_ms)
		rise(t, last, i);
	else
		sink(t, last, i);
}

/* --- ties */

void ties_add(struct ties *t, struct tie *tie, uint64_t client, uint64_t due_ms)
{
	tie->client = client;
	tie->due_ms = due_ms;
	tie->link = NULL;
	if (client) {
		t->owned++;
		chain(t, tie);
	}
	if (due_ms != TIES_NEVER)
		rise(t, tie, t->timed++);
}

void ties_remove(struct ties *t, struct tie *tie)
{
	if (tie->link) {
		t->owned--;
		unchain(tie);
	}
	if (tie->due_ms != TIES_NEVER)
		heap_remove(t, tie->at);
}

struct tie *ties_of(const struct ties *t, uint64_t client)
{
	struct tie *tie = t->owned ? *bucket_of(t, client) : NULL;

	while (tie && tie->client != client)
		tie = tie->next;
	return tie;
}

struct tie *ties_where(const struct ties *t, bool (*is)(uint64_t client, void *arg), void *arg)
{
	struct tie *tie;

	for (size_t i = 0; t->owned && i < t->size; i++)
		for (tie = t->table[i]; tie; tie = tie->next)
			if (is(tie->client, arg))
				return tie;
	return NULL;
}

struct tie *ties_of_any(struct ties *t)
{
	while (t->owned && t->empty < t->size && !t->table[t->empty])
		t->empty++;
	return t->owned && t->empty < t->size ? t->table[t->empty] : NULL;
}

struct tie *ties_due(const struct ties *t, uint64_t now_ms)
{
	return t->timed && t->heap[0]->due_ms <= now_ms ? t->heap[0] : NULL;
}

uint64_t ties_next_ms(const struct ties *t)
{
	return t->timed ? t->heap[0]->due_ms : TIES_NEVER;
}

size_t ties_bytes(const struct ties *t)
{
	return t->size * sizeof(struct tie *) + t->cap * sizeof(struct tie *);
}
