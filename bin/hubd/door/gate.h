/* Who comes in at all, before anybody looks at what is wanted: how much there is of his address,
 * what the hub is called by a request, and whose page it is of. Nothing of it is for the Unix
 * socket. */
#ifndef HUBD_GATE_H
#define HUBD_GATE_H

#include <stdbool.h>

#include "auth/globs.h"
#include "base/buf.h"
#include "json/envelope.h"

/* What the hub may be called, and of which pages requests may be. */
struct gate {
	struct globs hosts;   /* as host_name() gives them; none: see gate_open() */
	struct globs origins; /* none: all */
	struct buf memory;    /* of both */
};

/* Adds a host, or an origin; all hosts come before all origins. Returns 0, -E2BIG or -ENOMEM. */
int gate_add_host(struct gate *g, const char *glob);
int gate_add_origin(struct gate *g, const char *glob);

/* Whether requests of a page of that origin are taken. */
bool gate_has_origin(const struct gate *g, struct span origin);

#endif
