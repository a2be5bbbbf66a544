/* Invariant: the list runs from the lowest seq to the highest; an entry is in the list exactly when
 * it has a frame. */
#include "log/state.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MIN 16

struct state_entry {
	struct state_entry *hash_next;
	struct state_entry *older, *newer;
	uint64_t hash; /* of the key */
	uint64_t seq;  /* 0: has no frame yet */
	uint64_t sender;
	uint32_t len, cap; /* of the frame */
	uint16_t key_len, type_len;
	unsigned char data[]; /* key, type, frame */
};

uint64_t state_hash(const struct state *s, struct span key)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.p, key.len,
			 s->hash_key);
	return hash;
}

static size_t entry_size(const struct state_entry *e)
{
	return sizeof(*e) + e->key_len + e->type_len + e->cap;
}

static void count_memory(struct state *s, size_t add, size_t sub)
{
	atomic_fetch_add_explicit(&s->memory->used, add - sub, memory_order_relaxed);
}

static bool has_key(const struct state_entry *e, uint64_t hash, struct span key)
{
	return e->hash == hash && e->key_len == key.len && memcmp(e->data, key.p, key.len) == 0;
}

static bool has_type(const struct state_entry *e, struct span type)
{
	return e->type_len == type.len && memcmp(e->data + e->key_len, type.p, type.len) == 0;
}

/* The state is about to change. */
static void drop_snapshot(struct state *s)
{
	chunk_unref(s->snapshot);
	s->snapshot = NULL;
}

static void list_remove(struct state *s, struct state_entry *e)
{
	*(e->older ? &e->older->newer : &s->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &s->latest) = e->older;
	e->older = e->newer = NULL;
}

static void list_append(struct state *s, struct state_entry *e)
{
	e->older = s->latest;
	e->newer = NULL;
	*(s->latest ? &s->latest->newer : &s->oldest) = e;
	s->latest = e;
}

/* Takes *link out of the table and frees it. */
static void entry_remove(struct state *s, struct state_entry **link)
{
	struct state_entry *e = *link;

	*link = e->hash_next;
	if (e->seq)
		list_remove(s, e);
	count_memory(s, 0, entry_size(e));
	s->n--;
	free(e);
}

static struct state_entry **entry_link(struct state *s, const struct state_entry *e)
{
	struct state_entry **link = &s->table[e->hash & (s->size - 1)];

	while (*link != e)
		link = &(*link)->hash_next;
	return link;
}

static int table_grow(struct state *s)
{
	size_t size = s->size ? 2 * s->size : TABLE_MIN, i;
	struct state_entry **table = calloc(size, sizeof(*table));

	if (!table)
		return s->size ? 0 : -ENOMEM; /* chains may just grow longer */
	for (i = 0; i < s->size; i++) {
		while (s->table[i]) {
			struct state_entry *e = s->table[i];

			s->table[i] = e->hash_next;
			e->hash_next = table[e->hash & (size - 1)];
			table[e->hash & (size - 1)] = e;
		}
	}
	count_memory(s, size * sizeof(*table), s->size * sizeof(*table));
	free(s->table);
	s->table = table;
	s->size = size;
	return 0;
}

void state_init(struct state *s, struct log_memory *memory)
{
	*s = (struct state){.memory = memory};
	crypto_shorthash_keygen(s->hash_key);
}

void state_free(struct state *s)
{
	size_t i;

	drop_snapshot(s);
	for (i = 0; i < s->size; i++)
		while (s->table[i])
			entry_remove(s, &s->table[i]);
	count_memory(s, 0, s->size * sizeof(*s->table));
	free(s->table);
	s->table = NULL;
	s->size = 0;
}

/* Makes room for a frame of len bytes in *link; the entry may move. */
static struct state_entry *entry_room(struct state *s, struct state_entry **link, size_t len)
{
	struct state_entry *e = *link, *moved;
	size_t before = entry_size(e);

	if (e->cap >= len)
		return e;
	moved = realloc(e, before - e->cap + len);
	if (!moved) {
		errno = ENOMEM;
		return NULL;
	}
	moved->cap = (uint32_t)len;
	count_memory(s, entry_size(moved), before);
	*link = moved;
	if (moved->seq) {
		*(moved->older ? &moved->older->newer : &s->oldest) = moved;
		*(moved->newer ? &moved->newer->older : &s->latest) = moved;
	}
	return moved;
}

struct state_entry *state_reserve(struct state *s, uint64_t hash, struct span key, struct span type,
				  size_t len, size_t max, bool full)
{
	struct state_entry **link, *e;

	if (s->n >= s->size && table_grow(s) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	link = &s->table[hash & (s->size - 1)];
	while (*link && !(has_key(*link, hash, key) && has_type(*link, type)))
		link = &(*link)->hash_next;
	if (*link && ((*link)->cap >= len || !full))
		return entry_room(s, link, len);
	if (*link || s->n >= max || full) {
		errno = !*link && s->n >= max ? ENOSPC : EDQUOT;
		return NULL;
	}
	e = malloc(sizeof(*e) + key.len + type.len + len);
	if (!e) {
		errno = ENOMEM;
		return NULL;
	}
	*e = (struct state_entry){.hash = hash,
				  .cap = (uint32_t)len,
				  .key_len = (uint16_t)key.len,
				  .type_len = (uint16_t)type.len};
	memcpy(e->data, key.p, key.len);
	memcpy(e->data + key.len, type.p, type.len);
	*link = e;
	s->n++;
	count_memory(s, entry_size(e), 0);
	return e;
}

void state_set(struct state *s, struct state_entry *e, uint64_t seq, uint64_t sender,
	       const void *frame, size_t len)
{
	drop_snapshot(s);
	memcpy(e->data + e->key_len + e->type_len, frame, len);
	e->len = (uint32_t)len;
	e->sender = sender;
	if (e->seq)
		list_remove(s, e);
	e->seq = seq;
	list_append(s, e);
}

void state_abandon(struct state *s, struct state_entry *e)
{
	if (!e->seq)
		entry_remove(s, entry_link(s, e));
}

void state_delete(struct state *s, uint64_t hash, struct span key)
{
	struct state_entry **link;

	if (!s->size)
		return;
	link = &s->table[hash & (s->size - 1)];
	while (*link) {
		if (has_key(*link, hash, key)) {
			drop_snapshot(s);
			entry_remove(s, link);
		} else {
			link = &(*link)->hash_next;
		}
	}
}

size_t state_before(const struct state *s, uint64_t seq)
{
	const struct state_entry *e = s->oldest;
	size_t n = 0;

	for (; e && e->seq < seq; e = e->newer)
		n++;
	return n;
}

void state_each(const struct state *s,
		void (*each)(uint64_t seq, const struct slot *tags, const void *frame, size_t len,
			     void *arg),
		void *arg)
{
	const struct state_entry *e;

	for (e = s->oldest; e; e = e->newer) {
		struct slot tags = {.sender = e->sender, .key = e->hash, .class = RECORD_SET};

		each(e->seq, &tags, e->data + e->key_len + e->type_len, e->len, arg);
	}
}

struct collect {
	struct log out;
	int status;
};

static void collect(uint64_t seq, const struct slot *tags, const void *frame, size_t len, void *arg)
{
	struct collect *c = arg;

	(void)seq;
	if (c->status == 0 && log_put(&c->out, tags, frame, len) < 0)
		c->status = -ENOMEM;
}

struct chunk *state_snapshot(struct state *s, bool *out_of_memory)
{
	*out_of_memory = false;
	if (!s->snapshot && s->n) {
		struct collect c = {0};

		log_init(&c.out, s->memory);
		state_each(s, collect, &c);
		if (c.status < 0) {
			*out_of_memory = true;
			log_free(&c.out);
			return NULL;
		}
		s->snapshot = c.out.oldest;
	}
	return s->snapshot ? chunk_ref(s->snapshot) : NULL;
}
