/* Where strangers and friends come in. listener.c accepts for all workers and hands connections
 * over; ws.c serves WebSocket and the little HTTP beside it (http.c, health.c), unix.c lines on a
 * Unix socket. A door makes a struct conn, feeds it, and carries what it writes: conn/door.h. */
#ifndef HUBD_DOORS_H
#define HUBD_DOORS_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/worker.h"
#include "session/registry.h"

struct ws;

/* Options of hubd(8) that are the doors', and what /healthz tells of. */
struct door_settings {
	const char *tls_cert, *tls_key; /* both or none */
	unsigned max_connections;
	struct registry *registry;
};

/* What this room keeps for each worker. */
struct doors {
	const struct door_settings *set;
	struct ws *ws; /* the WebSocket door's context */
};

/* The worker's hooks of these names. */
int doors_start(struct worker *w);
void doors_read_on(struct worker *w);
void doors_second(struct worker *w);
void doors_stop(struct worker *w);
void doors_free(struct worker *w);

/* Takes over a connection that was just accepted, as number born, on its worker's thread. */
void doors_adopt(struct worker *w, int fd, bool local, uint32_t born);

#endif
