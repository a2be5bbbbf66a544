/* Deflated messages of a server that takes no context over (RFC 7692): each is inflated alone, by
 * one of these for all connections of a thread. */
#ifndef HUBBENCH_INFLATE_H
#define HUBBENCH_INFLATE_H

#include <stddef.h>

struct inflate;

struct inflate *inflate_new(void);    /* NULL: no memory */
void inflate_free(struct inflate *i); /* NULL is fine */

/* What a message's payload stands for, *len bytes, good until the next call; at most max of them.
 * NULL: it is no deflate stream, or longer, or there is no memory. */
const char *inflate_whole(struct inflate *i, const char *p, size_t n, size_t max, size_t *len);

#endif
