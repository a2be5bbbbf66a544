#include "door/ws_memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The hook has no argument of ours. */
static struct {
	pthread_mutex_t lock;
	char *slots; /* NULL: none */
	size_t n;
	size_t fresh;	/* before it all were used at some time */
	uint32_t *free; /* those of them that are free again, the latest last; n at most */
	size_t nfree;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Zeros that take no memory until they are touched; NULL where there is no room for them. */
static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

void ws_memory_start(size_t n)
{
	if (pool.slots || n == 0 || n > UINT32_MAX)
		return;
	pool.free = map(n * sizeof(*pool.free));
	if (pool.free)
		pool.slots = map(n * WS_MEMORY_SLOT);
	pool.n = n;
}

static void *slot_take(void)
{
	char *slot = NULL;

	pthread_mutex_lock(&pool.lock);
	if (pool.nfree)
		slot = pool.slots + (size_t)pool.free[--pool.nfree] * WS_MEMORY_SLOT;
	else if (pool.slots && pool.fresh < pool.n)
		slot = pool.slots + pool.fresh++ * WS_MEMORY_SLOT;
	pthread_mutex_unlock(&pool.lock);
	return slot;
}

static bool slot_is(const void *p)
{
	uintptr_t at = (uintptr_t)p, first = (uintptr_t)pool.slots;

	return first && at >= first && at < first + pool.n * WS_MEMORY_SLOT;
}

static void slot_free(void *p)
{
	pthread_mutex_lock(&pool.lock);
	pool.free[pool.nfree++] = (uint32_t)((size_t)((char *)p - pool.slots) / WS_MEMORY_SLOT);
	pthread_mutex_unlock(&pool.lock);
}

void *ws_memory_realloc(void *p, size_t size, const char *reason)
{
	void *other;

	if (!p && size == WS_MEMORY_SLOT && strcmp(reason, "rx_ubuf") == 0) {
		p = slot_take();
		return p ? p : malloc(size);
	}
	if (!slot_is(p)) {
		if (size)
			return realloc(p, size);
		free(p);
		return NULL;
	}
	other = size ? malloc(size) : NULL;
	if (size && !other)
		return NULL;
	if (other)
		memcpy(other, p, size < WS_MEMORY_SLOT ? size : WS_MEMORY_SLOT);
	slot_free(p);
	return other;
}
