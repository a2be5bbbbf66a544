/* Sets of a few slots each: a holder has one slot in the set that his hash names. Invariant: a slot
 * whose n is not 0 stays its holder's. */
#include "conn/shares.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 16 /* slots of a set */
#define NS 1000000000ULL

_Static_assert(SHARES_KEY_LEN == crypto_shorthash_KEYBYTES, "the key of hashes");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "a holder is a hash");

struct slot {
	uint64_t holder; /* 0: none yet */
	uint32_t n;	 /* connections */
	bucket spent[SHARE_RATES];
};

struct shares {
	pthread_mutex_t lock;
	unsigned char key[SHARES_KEY_LEN];
	size_t mask; /* of slots, less one: a power of two */
	struct slot *slot;
};

/* Twice the holders that there may be at a time: each connection has an address and a user. */
struct shares *shares_new(size_t connections, const unsigned char key[SHARES_KEY_LEN])
{
	struct shares *s = calloc(1, sizeof(*s));
	size_t n = 64 * WAYS;

	while (n < 4 * connections && n < SHARES_MAX)
		n *= 2;
	/* Of zeroes the system makes pages only when they are written to. */
	if (!s || !(s->slot = calloc(n, sizeof(*s->slot)))) {
		free(s);
		return NULL;
	}
	s->mask = n - 1;
	memcpy(s->key, key, SHARES_KEY_LEN);
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void shares_free(struct shares *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->slot);
	free(s);
}

/* --- who it is */

static uint64_t hash(const struct shares *s, char kind, const void *data, size_t len)
{
	unsigned char key[SHARES_KEY_LEN];
	uint64_t h;

	memcpy(key, s->key, sizeof(key));
	key[0] ^= (unsigned char)kind;
	crypto_shorthash((unsigned char *)&h, data, len, key);
	return h ? h : 1;
}

static uint64_t hash_address(const struct shares *s, char kind, const struct address *a)
{
	struct network n = network_around(a);

	return hash(s, kind, n.ip, sizeof(n.ip));
}

uint64_t shares_address(const struct shares *s, const struct address *a)
{
	return hash_address(s, 'a', a);
}

uint64_t shares_pollers(const struct shares *s, const struct address *a)
{
	return hash_address(s, 'p', a);
}

uint64_t shares_user(const struct shares *s, struct span user)
{
	return hash(s, 'u', user.p, user.len);
}

/* --- under the lock */

/* When it will have been idle since; in the future: it is not. */
static uint64_t idle_at(const struct slot *slot)
{
	uint64_t at = 0;

	for (int i = 0; i < SHARE_RATES; i++)
		at = slot->spent[i] > at ? slot->spent[i] : at;
	return at;
}

/* The holder's slot, in the place of who has been idle for longest where he had none. NULL: all of
 * the set have something. */
static struct slot *find(struct shares *s, uint64_t holder)
{
	struct slot *set = &s->slot[holder & s->mask & ~(size_t)(WAYS - 1)], *free_slot = NULL;

	for (struct slot *slot = set; slot < set + WAYS; slot++) {
		if (slot->holder == holder)
			return slot;
		if (slot->n == 0 && (!free_slot || idle_at(slot) < idle_at(free_slot)))
			free_slot = slot;
	}
	if (free_slot)
		*free_slot = (struct slot){.holder = holder};
	return free_slot;
}

/* --- counting */

int shares_take(struct shares *s, uint64_t holder, unsigned max, share *at)
{
	struct slot *slot;
	int r = 0;

	*at = SHARE_NONE;
	pthread_mutex_lock(&s->lock);
	slot = find(s, holder);
	if (slot && slot->n >= max) {
		r = -EBUSY;
	} else if (slot) {
		slot->n++;
		*at = (share)(slot - s->slot) + 1;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void shares_drop(struct shares *s, share at)
{
	if (at == SHARE_NONE)
		return;
	pthread_mutex_lock(&s->lock);
	s->slot[at - 1].n--;
	pthread_mutex_unlock(&s->lock);
}

void shares_drop_of(struct shares *s, uint64_t holder)
{
	pthread_mutex_lock(&s->lock);
	find(s, holder)->n--;
	pthread_mutex_unlock(&s->lock);
}

uint64_t shares_spend(struct shares *s, uint64_t holder, enum share_rate what, uint64_t n,
		      int64_t rate, uint64_t now_ns, bool owes)
{
	uint64_t over = 0;
	struct slot *slot;
	bucket before;

	pthread_mutex_lock(&s->lock);
	slot = find(s, holder);
	if (slot) {
		before = slot->spent[what];
		over = bucket_add(&slot->spent[what], now_ns, NS * n / (uint64_t)rate, SHARE_BURST);
		if (over && !owes)
			slot->spent[what] = before;
	}
	pthread_mutex_unlock(&s->lock);
	return over;
}

uint64_t shares_send(struct shares *s, uint64_t holder, uint64_t messages_ns, uint64_t bytes_ns,
		     uint64_t now_ns)
{
	uint64_t over = 0, more = 0;
	struct slot *slot;

	pthread_mutex_lock(&s->lock);
	slot = find(s, holder);
	if (slot) {
		over = bucket_add(&slot->spent[SHARE_MESSAGES], now_ns, messages_ns, SHARE_BURST);
		more = bucket_add(&slot->spent[SHARE_BYTES], now_ns, bytes_ns, SHARE_BURST);
	}
	pthread_mutex_unlock(&s->lock);
	return more > over ? more : over;
}
