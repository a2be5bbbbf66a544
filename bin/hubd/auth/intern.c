/* A table of chains, whose size is fixed. Invariant: what is in the table has references; the last
 * one is given up, and one is taken of what was found, under the lock only. */
#include "auth/intern.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MIN 64
#define TABLE_MAX (1 << 22)

struct intern {
	pthread_mutex_t lock;
	unsigned char key[crypto_shorthash_KEYBYTES];
	size_t mask;
	struct interned **table;
};

struct intern *intern_new(size_t about)
{
	struct intern *all = calloc(1, sizeof(*all));
	size_t n = TABLE_MIN;

	while (n < about && n < TABLE_MAX)
		n *= 2;
	/* Of zeroes the system makes pages only when they are written to. */
	if (!all || !(all->table = calloc(n, sizeof(struct interned *)))) {
		free(all);
		return NULL;
	}
	all->mask = n - 1;
	crypto_shorthash_keygen(all->key);
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void intern_free(struct intern *all)
{
	if (!all)
		return;
	pthread_mutex_destroy(&all->lock);
	free(all->table);
	free(all);
}

uint32_t intern_hash(const struct intern *all, struct span bytes)
{
	uint64_t h;

	crypto_shorthash((unsigned char *)&h, (const unsigned char *)(bytes.p ? bytes.p : ""),
			 bytes.len, all->key);
	return (uint32_t)h;
}

struct interned *intern_keep(struct intern *all, struct interned *mine,
			     bool (*same)(const struct interned *a, const struct interned *b))
{
	struct interned **bucket = &all->table[mine->hash & all->mask], *x;

	pthread_mutex_lock(&all->lock);
	for (x = *bucket; x && !(x->hash == mine->hash && same(x, mine)); x = x->next)
		;
	if (x) {
		interned_ref(x);
	} else {
		x = mine;
		atomic_init(&x->refs, 1);
		x->next = *bucket;
		*bucket = x;
	}
	pthread_mutex_unlock(&all->lock);
	return x;
}

void interned_ref(struct interned *x)
{
	atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
}

bool intern_drop(struct intern *all, struct interned *x)
{
	unsigned refs = atomic_load_explicit(&x->refs, memory_order_relaxed);
	struct interned **link;
	bool last;

	while (refs > 1)
		if (atomic_compare_exchange_weak_explicit(
			&x->refs, &refs, refs - 1, memory_order_release, memory_order_relaxed))
			return false;
	pthread_mutex_lock(&all->lock);
	last = atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) == 1;
	if (last) {
		for (link = &all->table[x->hash & all->mask]; *link != x; link = &(*link)->next)
			;
		*link = x->next;
	}
	pthread_mutex_unlock(&all->lock);
	return last;
}
