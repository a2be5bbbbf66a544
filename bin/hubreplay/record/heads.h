/* Where the logs of sessions stand at this moment, which is what a recording that ends should have.
 * Over the connection that records nothing tells it, since answers go ahead of records (hub(7),
 * ORDER): so it is asked over one of its own, which is in the sessions as long as it asks. */
#ifndef HUBREPLAY_HEADS_H
#define HUBREPLAY_HEADS_H

#include <stdbool.h>
#include <uv.h>

#include "base/url.h"

struct heads;
struct track_session;
struct transport_options;

/* What it runs, from the loop. */
struct heads_events {
	/* One of them is told. */
	void (*one)(void *arg);
	/* Once: all are told (why NULL), or they will not be, for that reason. */
	void (*all)(void *arg, const char *why);
};

/* Asks for the heads of n sessions. Borrows them, not the array. NULL: no memory. */
struct heads *heads_ask(uv_loop_t *loop, const struct url *url,
			const struct transport_options *transport,
			struct track_session *const *sessions, int n,
			const struct heads_events *events, void *arg);

/* Whether all is told, and the files have come so far. */
bool heads_reached(const struct heads *h);

void heads_free(struct heads *h); /* NULL is fine */

#endif
