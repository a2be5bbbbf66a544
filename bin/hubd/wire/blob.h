/* An immutable text that several connections, on any worker, are to get. */
#ifndef HUBD_BLOB_H
#define HUBD_BLOB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct blob {
	atomic_uint refs;
	size_t len;
	char text[];
};

/* Copies text. Returns a new reference, or NULL where memory is out. */
static inline struct blob *blob_new(const char *text, size_t len)
{
	struct blob *b = malloc(sizeof(*b) + len);

	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->len = len;
	memcpy(b->text, text, len);
	return b;
}

static inline struct blob *blob_ref(struct blob *b)
{
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

/* Takes the reference; NULL is fine. */
static inline void blob_unref(struct blob *b)
{
	if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}

#endif
