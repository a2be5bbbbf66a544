/* Invariant: the list runs from the lowest seq to the highest; an entry is in the list, and among
 * those of its sender, exactly when it has a frame. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "log/state_impl.h"

#define TABLE_MIN 16
#define STATE_PASTS 8	     /* snapshots of a session, beside the one that is true */
#define SHARE_BYTES_MS 65536 /* of a snapshot, for a millisecond in which it is shared */

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

/* --- snapshots of before */

struct state_pasts {
	unsigned n;
	struct state_past at[STATE_PASTS]; /* the oldest first */
};

static bool is_read(const struct chunk *c)
{
	return atomic_load_explicit(&c->refs, memory_order_acquire) > 1;
}

/* Whether it took so long to make that it is still to be shared. */
static bool is_dear(const struct state_past *p, uint64_t now_ms)
{
	return now_ms - p->ms < p->bytes / SHARE_BYTES_MS;
}

void state_trim(struct state *s)
{
	uint64_t now_ms = s->pasts ? clock_mono_ms() : 0;
	struct state_pasts *all = s->pasts;
	unsigned i, n = 0;

	for (i = 0; all && i < all->n; i++) {
		if (is_read(all->at[i].chunk) || is_dear(&all->at[i], now_ms))
			all->at[n++] = all->at[i];
		else
			chunk_unref(all->at[i].chunk);
	}
	if (all)
		all->n = n;
	if (all && !n) {
		free(all);
		s->pasts = NULL;
	}
}

/* The oldest has to go: those who still read it are told when they are flushed. */
static void revoke_oldest(struct state_pasts *all)
{
	atomic_store(&all->at[0].chunk->revoked, true);
	chunk_unref(all->at[0].chunk);
	memmove(&all->at[0], &all->at[1], --all->n * sizeof(all->at[0]));
}

/* The state is about to change. */
static void drop_snapshot(struct state *s)
{
	struct state_past p = {s->snapshot, s->snapshot_n, s->next - 1, s->snapshot_bytes,
			       s->snapshot_ms};

	if (!p.chunk)
		return;
	s->snapshot = NULL;
	state_trim(s);
	if ((is_read(p.chunk) || is_dear(&p, clock_mono_ms())) && s->next > 0 && !s->pasts)
		s->pasts = calloc(1, sizeof(*s->pasts));
	if (!s->pasts || !s->next) {
		chunk_unref(p.chunk);
		return;
	}
	if (s->pasts->n == STATE_PASTS)
		revoke_oldest(s->pasts);
	s->pasts->at[s->pasts->n++] = p;
}

const struct state_past *state_share(struct state *s, uint64_t tail, bool tight)
{
	struct state_pasts *all = s->pasts;
	struct state_past *newest = all ? &all->at[all->n - 1] : NULL;

	if (s->snapshot || !newest || newest->seq + 1 < tail)
		return NULL;
	return tight || all->n >= STATE_PASTS / 2 || is_dear(newest, clock_mono_ms()) ? newest
										      : NULL;
}

static void free_pasts(struct state *s)
{
	while (s->pasts && s->pasts->n)
		chunk_unref(s->pasts->at[--s->pasts->n].chunk);
	free(s->pasts);
	s->pasts = NULL;
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

/* --- by sender */

static void sender_add(struct state *s, struct state_entry *e)
{
	struct state_entry **link = &s->senders[e->sender & (s->size - 1)];

	e->alike = *link;
	e->alike_link = link;
	if (e->alike)
		e->alike->alike_link = &e->alike;
	*link = e;
}

static void sender_remove(struct state_entry *e)
{
	*e->alike_link = e->alike;
	if (e->alike)
		e->alike->alike_link = e->alike_link;
	e->alike_link = NULL;
}

/* Takes *link out of the table and frees it. */
static void entry_remove(struct state *s, struct state_entry **link)
{
	struct state_entry *e = *link;

	*link = e->hash_next;
	if (e->seq) {
		list_remove(s, e);
		sender_remove(e);
	}
	if (e->tie)
		state_untie(s, e);
	if (e->spot)
		state_unplace(s, e);
	state_count(s, 0, entry_size(e));
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
	struct state_entry **senders = calloc(size, sizeof(*senders));

	if (!table || !senders) {
		free(table);
		free(senders);
		return s->size ? 0 : -ENOMEM; /* chains may just grow longer */
	}
	for (i = 0; i < s->size; i++) {
		while (s->table[i]) {
			struct state_entry *e = s->table[i];

			s->table[i] = e->hash_next;
			e->hash_next = table[e->hash & (size - 1)];
			table[e->hash & (size - 1)] = e;
		}
	}
	state_count(s, 2 * size * sizeof(*table), 2 * s->size * sizeof(*table));
	free(s->table);
	free(s->senders);
	s->table = table;
	s->senders = senders;
	s->size = size;
	for (struct state_entry *e = s->oldest; e; e = e->newer)
		sender_add(s, e);
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

	chunk_unref(s->snapshot);
	s->snapshot = NULL;
	free_pasts(s);
	for (i = 0; i < s->size; i++)
		while (s->table[i])
			entry_remove(s, &s->table[i]);
	state_count(s, 0, 2 * s->size * sizeof(*s->table));
	free(s->table);
	free(s->senders);
	s->table = s->senders = NULL;
	s->size = 0;
	state_bonds_free(s);
	state_cells_free(s);
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
	state_count(s, entry_size(moved), before);
	*link = moved;
	if (moved->tie)
		moved->tie->entry = moved;
	if (moved->spot)
		moved->spot->entry = moved;
	if (moved->seq) {
		*(moved->older ? &moved->older->newer : &s->oldest) = moved;
		*(moved->newer ? &moved->newer->older : &s->latest) = moved;
		*moved->alike_link = moved;
		if (moved->alike)
			moved->alike->alike_link = &moved->alike;
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
	while (*link && !(state_has_key(*link, hash, key) && state_has_type(*link, type)))
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
	state_count(s, entry_size(e), 0);
	return e;
}

static const struct state_entry *find(const struct state *s, uint64_t hash, struct span key,
				      struct span type)
{
	const struct state_entry *e = s->size ? s->table[hash & (s->size - 1)] : NULL;

	while (e && !(state_has_key(e, hash, key) && state_has_type(e, type)))
		e = e->hash_next;
	return e;
}

/* The first of those among which all of a sender's are. */
static const struct state_entry *of_sender(const struct state *s, uint64_t sender)
{
	return s->size ? s->senders[sender & (s->size - 1)] : NULL;
}

bool state_is_share(const struct state *s, uint64_t sender, uint64_t hash, struct span key,
		    struct span type, size_t max)
{
	const struct state_entry *e;
	size_t n = 0;

	if (!max || s->n < max)
		return false;
	if (find(s, hash, key, type))
		return false;
	for (e = of_sender(s, sender); e && n < max; e = e->alike)
		n += e->sender == sender;
	return n == max;
}

bool state_is_large(const struct state *s, uint64_t sender, uint64_t hash, struct span key,
		    struct span type, size_t len, size_t max)
{
	size_t size = sizeof(struct state_entry) + key.len + type.len + len, bytes = s->bytes;
	const struct state_entry *e;

	if (!max || bytes + size <= max)
		return false;
	e = find(s, hash, key, type);
	if (e && e->cap >= len)
		return false; /* it takes no more */
	if (e && (!sender || e->sender == sender))
		size -= entry_size(e);
	if (!sender)
		return bytes + size > max;
	bytes = 0;
	for (e = of_sender(s, sender); e && bytes + size <= max; e = e->alike)
		bytes += e->sender == sender ? entry_size(e) : 0;
	return bytes + size > max;
}

void state_set(struct state *s, struct state_entry *e, uint64_t seq, uint64_t sender,
	       const void *frame, size_t len)
{
	drop_snapshot(s);
	memcpy(e->data + e->key_len + e->type_len, frame, len);
	e->len = (uint32_t)len;
	if (e->tie)
		state_untie(s, e);
	if (e->seq) {
		list_remove(s, e);
		sender_remove(e);
	}
	e->sender = sender;
	e->seq = seq;
	list_append(s, e);
	sender_add(s, e);
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
		if (state_has_key(*link, hash, key)) {
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

static void hand_out(const struct state_entry *e,
		     void (*each)(uint64_t seq, const struct slot *tags, const void *frame,
				  size_t len, void *arg),
		     void *arg)
{
	struct slot tags = {.sender = e->sender,
			    .key = e->hash,
			    .class = RECORD_SET,
			    .area = state_cell(e),
			    .before = AREA_NOWHERE};

	each(e->seq, &tags, e->data + e->key_len + e->type_len, e->len, arg);
}

void state_each(const struct state *s,
		void (*each)(uint64_t seq, const struct slot *tags, const void *frame, size_t len,
			     void *arg),
		void *arg)
{
	const struct state_entry *e;

	for (e = s->oldest; e; e = e->newer)
		hand_out(e, each, arg);
}

void state_each_of(const struct state *s, struct span key,
		   void (*each)(uint64_t seq, const struct slot *tags, const void *frame,
				size_t len, void *arg),
		   void *arg)
{
	uint64_t hash = state_hash(s, key);
	const struct state_entry *e;

	for (e = s->size ? s->table[hash & (s->size - 1)] : NULL; e; e = e->hash_next)
		if (state_has_key(e, hash, key) && e->seq)
			hand_out(e, each, arg);
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
		c.out.pins = true;
		state_each(s, collect, &c);
		if (c.status < 0) {
			*out_of_memory = true;
			log_free(&c.out);
			return NULL;
		}
		s->snapshot = c.out.oldest;
		s->snapshot_n = s->n;
		s->snapshot_bytes = c.out.bytes;
		s->snapshot_ms = clock_mono_ms();
	}
	return s->snapshot ? chunk_ref(s->snapshot) : NULL;
}
