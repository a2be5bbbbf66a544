/* One table for all of them: a ban is found by its kind and a text, which is a user, a jti, or the
 * bits of a network. A network is asked for by each length that any has. Invariant: a ban is in the
 * table and in the list of all, or in neither; those that are over go when they are met, or when
 * room is needed. */
#include "auth/bans.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_SIZE 4096

struct key {
	uint8_t kind, bits; /* bits: of a network */
	uint16_t len;
	char text[TOKEN_SUB_MAX];
};

struct entry {
	struct entry *hash_next, *prev, *next;
	uint64_t number, until_ms; /* 0: for ever */
	double issued_before;
	struct key key; /* as long as it is */
};

struct bans {
	pthread_mutex_t lock;
	atomic_size_t n;
	uint64_t numbers;
	struct entry *first, *last;
	unsigned lengths[129]; /* networks by their bits */
	unsigned char hash_key[crypto_shorthash_KEYBYTES];
	struct entry *table[TABLE_SIZE];
};

struct bans *bans_new(void)
{
	struct bans *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	crypto_shorthash_keygen(b->hash_key);
	return b;
}

void bans_free(struct bans *b)
{
	struct entry *e;

	if (!b)
		return;
	while ((e = b->first) != NULL) {
		b->first = e->next;
		free(e);
	}
	pthread_mutex_destroy(&b->lock);
	free(b);
}

bool bans_any(struct bans *b)
{
	return b && atomic_load_explicit(&b->n, memory_order_relaxed) > 0;
}

/* --- keys */

static size_t key_size(const struct key *k)
{
	return offsetof(struct key, text) + k->len;
}

static void set_text(struct key *k, enum ban kind, struct span text)
{
	k->kind = (uint8_t)kind;
	k->bits = 0;
	k->len = (uint16_t)text.len;
	if (text.len)
		memcpy(k->text, text.p, text.len);
}

/* The first bits of an address. */
static void set_network(struct key *k, const unsigned char ip[16], unsigned bits)
{
	set_text(k, BAN_ADDRESS, (struct span){(const char *)ip, (bits + 7) / 8});
	k->bits = (uint8_t)bits;
	if (bits % 8)
		k->text[bits / 8] = (char)(k->text[bits / 8] & (0xff00 >> bits % 8));
}

static struct span span_of(const struct token_text *t)
{
	return (struct span){t->text, t->len};
}

enum ban bans_kind(const struct whom *w)
{
	if (w->has_client || w->session_len ||
	    w->has_network + (w->jti.len > 0) + (w->has_issued || w->user.len) != 1)
		return BAN_NONE;
	return w->has_network  ? BAN_ADDRESS
	       : w->jti.len    ? BAN_TOKEN
	       : w->has_issued ? BAN_ISSUED
			       : BAN_USER;
}

static bool key_of(struct key *k, const struct whom *w)
{
	enum ban kind = bans_kind(w);

	if (kind == BAN_ADDRESS)
		set_network(k, w->network.ip, w->network.bits);
	else
		set_text(k, kind, span_of(kind == BAN_TOKEN ? &w->jti : &w->user));
	return kind != BAN_NONE;
}

/* --- the table, under the lock */

static struct entry **find_link(struct bans *b, const struct key *k)
{
	struct entry **link;
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)k, key_size(k),
			 b->hash_key);
	link = &b->table[hash % TABLE_SIZE];
	while (*link && ((*link)->key.len != k->len || memcmp(&(*link)->key, k, key_size(k)) != 0))
		link = &(*link)->hash_next;
	return link;
}

static void drop(struct bans *b, struct entry **link)
{
	struct entry *e = *link;

	*link = e->hash_next;
	*(e->prev ? &e->prev->next : &b->first) = e->next;
	*(e->next ? &e->next->prev : &b->last) = e->prev;
	if (e->key.kind == BAN_ADDRESS)
		b->lengths[e->key.bits]--;
	atomic_fetch_sub_explicit(&b->n, 1, memory_order_relaxed);
	free(e);
}

static bool is_over(const struct entry *e, uint64_t now_ms)
{
	return e->until_ms && e->until_ms <= now_ms;
}

/* The ban with that key, or NULL. */
static struct entry *find(struct bans *b, const struct key *k, uint64_t now_ms)
{
	struct entry **link = find_link(b, k);

	if (*link && is_over(*link, now_ms))
		drop(b, link);
	else
		return *link;
	return NULL;
}

static void drop_over(struct bans *b, uint64_t now_ms)
{
	struct entry *e, *next;

	for (e = b->first; e; e = next) {
		next = e->next;
		if (is_over(e, now_ms))
			drop(b, find_link(b, &e->key));
	}
}

/* --- what others do */

static void put(struct bans *b, struct entry *e)
{
	struct entry **link = find_link(b, &e->key);

	if (*link)
		drop(b, link);
	link = find_link(b, &e->key);
	*link = e;
	e->number = ++b->numbers;
	e->prev = b->last;
	*(b->last ? &b->last->next : &b->first) = e;
	b->last = e;
	if (e->key.kind == BAN_ADDRESS)
		b->lengths[e->key.bits]++;
	atomic_fetch_add_explicit(&b->n, 1, memory_order_relaxed);
}

int bans_add(struct bans *b, const struct whom *w, uint64_t now_ms, uint64_t until_ms)
{
	struct entry *e;
	struct key k;
	bool room;

	if (!key_of(&k, w))
		return -EINVAL;
	e = calloc(1, offsetof(struct entry, key) + key_size(&k));
	if (!e)
		return -ENOMEM;
	memcpy(&e->key, &k, key_size(&k));
	e->until_ms = until_ms;
	e->issued_before = w->issued_before;
	pthread_mutex_lock(&b->lock);
	if (b->n >= BANS_MAX)
		drop_over(b, now_ms);
	room = b->n < BANS_MAX || *find_link(b, &k);
	if (room)
		put(b, e);
	pthread_mutex_unlock(&b->lock);
	if (!room)
		free(e);
	return room ? 0 : -ENOSPC;
}

bool bans_remove(struct bans *b, const struct whom *w, uint64_t now_ms)
{
	struct key k;
	bool there;

	if (!key_of(&k, w))
		return false;
	pthread_mutex_lock(&b->lock);
	there = find(b, &k, now_ms) != NULL;
	if (there)
		drop(b, find_link(b, &k));
	pthread_mutex_unlock(&b->lock);
	return there;
}

static bool has_text(struct bans *b, enum ban kind, struct span text, uint64_t now_ms)
{
	struct key k;

	set_text(&k, kind, text);
	return text.len && find(b, &k, now_ms);
}

/* Whether a user's tokens that are as old as this one are good no more; of nobody: everybody's. */
static bool is_old(struct bans *b, const struct identity *id, struct span user, uint64_t now_ms)
{
	const struct entry *e;
	struct key k;

	set_text(&k, BAN_ISSUED, user);
	e = find(b, &k, now_ms);
	return e && identity_iat(id) < e->issued_before;
}

static enum ban find_identity(struct bans *b, const struct identity *id, uint64_t now_ms)
{
	struct span sub = identity_sub(id);

	if (has_text(b, BAN_USER, sub, now_ms))
		return BAN_USER;
	if (has_text(b, BAN_TOKEN, identity_jti(id), now_ms))
		return BAN_TOKEN;
	if (is_old(b, id, (struct span){0}, now_ms) || (sub.len && is_old(b, id, sub, now_ms)))
		return BAN_ISSUED;
	return BAN_NONE;
}

static enum ban find_address(struct bans *b, const struct address *a, uint64_t now_ms)
{
	struct key k;

	for (unsigned bits = 0; bits <= 128; bits++) {
		if (!b->lengths[bits])
			continue;
		set_network(&k, a->ip, bits);
		if (find(b, &k, now_ms))
			return BAN_ADDRESS;
	}
	return BAN_NONE;
}

enum ban bans_find(struct bans *b, const struct identity *id, const struct address *a,
		   uint64_t now_ms)
{
	enum ban ban = BAN_NONE;

	if (!bans_any(b))
		return BAN_NONE;
	pthread_mutex_lock(&b->lock);
	if (a && a->known)
		ban = find_address(b, a, now_ms);
	if (!ban && id && id != &identity_none)
		ban = find_identity(b, id, now_ms);
	pthread_mutex_unlock(&b->lock);
	return ban;
}

static void describe(const struct entry *e, struct ban_listed *out, uint64_t now_ms)
{
	struct whom *w = &out->whom;
	struct token_text *text = e->key.kind == BAN_TOKEN ? &w->jti : &w->user;

	*out = (struct ban_listed){.number = e->number,
				   .left_ms = e->until_ms ? e->until_ms - now_ms : 0};
	w->has_network = e->key.kind == BAN_ADDRESS;
	w->has_issued = e->key.kind == BAN_ISSUED;
	w->issued_before = e->issued_before;
	if (w->has_network) {
		w->network.bits = e->key.bits;
		memcpy(w->network.ip, e->key.text, e->key.len);
	} else {
		text->len = e->key.len;
		memcpy(text->text, e->key.text, e->key.len);
	}
}

size_t bans_list(struct bans *b, uint64_t from, uint64_t now_ms, struct ban_listed *out, size_t max,
		 bool *more)
{
	const struct entry *e;
	size_t n = 0;

	*more = false;
	pthread_mutex_lock(&b->lock);
	for (e = b->first; e; e = e->next) {
		if (e->number < from || is_over(e, now_ms))
			continue;
		if (n == max) {
			*more = true;
			break;
		}
		describe(e, &out[n++], now_ms);
	}
	pthread_mutex_unlock(&b->lock);
	return n;
}
