/* The addresses of a name, to be tried one after the other (in the spirit of RFC 8305: families in
 * turn, the resolver's first one first). Looked up in a thread of libuv's, never on the loop. */
#ifndef HUB_ADDRESSES_H
#define HUB_ADDRESSES_H

#include <stddef.h>

#define ADDRESSES_MAX 16

struct uv_loop_s;

struct addresses {
	char text[ADDRESSES_MAX][46]; /* as inet_ntop(3) writes them */
	size_t n, next;
};

struct addresses_lookup;

/* Looks host up. done() comes from the loop: with the addresses, borrowed, or NULL and why. Returns
 * NULL where it cannot even begin. */
struct addresses_lookup *
addresses_find(struct uv_loop_s *loop, const char *host,
	       void (*done)(void *arg, const struct addresses *found, const char *why), void *arg);

/* It will not be done(). Not from inside done(). */
void addresses_cancel(struct addresses_lookup *l);

#endif
