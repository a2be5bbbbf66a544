/* A set of hashes with a time each, open addressing. Invariant: at least half of the slots are
 * free, so that each search ends. */
#include "auth/ended.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64

struct ended_slot {
	uint64_t hash;
	uint64_t at_ms; /* 0: free */
};

struct ended {
	pthread_mutex_t lock;
	atomic_bool any;
	uint64_t floor_ms; /* of everybody */
	struct ended_slot *slots;
	size_t size, n; /* size: a power of two, or 0 */
	unsigned char key[crypto_shorthash_KEYBYTES];
};

struct ended *ended_new(void)
{
	struct ended *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	pthread_mutex_init(&e->lock, NULL);
	crypto_shorthash_keygen(e->key);
	return e;
}

void ended_free(struct ended *e)
{
	if (!e)
		return;
	pthread_mutex_destroy(&e->lock);
	free(e->slots);
	free(e);
}

static struct ended_slot *find(struct ended_slot *slots, size_t size, uint64_t hash)
{
	size_t i = hash & (size - 1);

	while (slots[i].at_ms && slots[i].hash != hash)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

/* Who cannot be remembered by name is remembered with everybody. */
static void forget_names(struct ended *e, uint64_t now_ms)
{
	e->floor_ms = now_ms;
	e->n = 0;
	if (e->slots)
		memset(e->slots, 0, e->size * sizeof(*e->slots));
}

/* Room for one more: by those whose time is over, then by a larger table. False where there is
 * none. */
static bool make_room(struct ended *e, uint64_t now_ms, uint64_t ttl_ms)
{
	size_t size = SLOTS_MIN, kept = 0, i;
	struct ended_slot *slots;

	for (i = 0; i < e->size; i++) {
		if (e->slots[i].at_ms && ttl_ms && e->slots[i].at_ms + ttl_ms < now_ms)
			e->slots[i].at_ms = 0;
		kept += e->slots[i].at_ms != 0;
	}
	while (size < 4 * (kept + 1) && size < 2 * (size_t)ENDED_MAX)
		size *= 2;
	slots = kept < ENDED_MAX ? calloc(size, sizeof(*slots)) : NULL;
	for (i = 0; slots && i < e->size; i++)
		if (e->slots[i].at_ms)
			*find(slots, size, e->slots[i].hash) = e->slots[i];
	if (!slots)
		return false;
	free(e->slots);
	e->slots = slots;
	e->size = size;
	e->n = kept;
	return true;
}

static void add(struct ended *e, uint64_t hash, uint64_t now_ms, uint64_t ttl_ms)
{
	struct ended_slot *slot;

	pthread_mutex_lock(&e->lock);
	if (2 * (e->n + 1) > e->size && !make_room(e, now_ms, ttl_ms)) {
		forget_names(e, now_ms);
	} else {
		slot = find(e->slots, e->size, hash);
		e->n += slot->at_ms == 0;
		/* What is recalled may be older. */
		*slot = (struct ended_slot){hash, now_ms > slot->at_ms ? now_ms : slot->at_ms};
	}
	atomic_store(&e->any, true);
	pthread_mutex_unlock(&e->lock);
}

static uint64_t hash_client(const struct ended *e, uint64_t client)
{
	unsigned char text[1 + sizeof(client)] = {0};
	uint64_t hash;

	memcpy(text + 1, &client, sizeof(client));
	crypto_shorthash((unsigned char *)&hash, text, sizeof(text), e->key);
	return hash;
}

/* A user has no zero byte in front. */
static uint64_t hash_user(const struct ended *e, struct span user)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)user.p, user.len, e->key);
	return hash;
}

void ended_client(struct ended *e, uint64_t client, uint64_t now_ms, uint64_t ttl_ms)
{
	add(e, hash_client(e, client), now_ms, ttl_ms);
}

void ended_user(struct ended *e, struct span user, uint64_t now_ms, uint64_t ttl_ms)
{
	add(e, hash_user(e, user), now_ms, ttl_ms);
}

bool ended_is(struct ended *e, uint64_t client, struct span user, uint64_t issued_ms)
{
	bool is;

	if (!e || !atomic_load_explicit(&e->any, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&e->lock);
	is = issued_ms <= e->floor_ms;
	if (!is && e->size)
		is = find(e->slots, e->size, hash_client(e, client))->at_ms ||
		     (user.len && issued_ms <= find(e->slots, e->size, hash_user(e, user))->at_ms);
	pthread_mutex_unlock(&e->lock);
	return is;
}
