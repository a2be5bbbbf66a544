/* Where strangers and friends come in. listener.c accepts for all workers and hands connections
 * over; http.c is the front of all that come over TCP, ws.c what most of them become, unix.c lines
 * on a Unix socket; stream.c carries their bytes, tls.c seals them. A door makes a struct conn,
 * feeds it, and carries what it writes: conn/door.h. */
#ifndef HUBD_DOORS_H
#define HUBD_DOORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop/wheel.h"
#include "loop/worker.h"
#include "session/registry.h"

struct http;
struct tls;

/* Options of hubd(8) that are the doors', and what /healthz tells of. */
struct door_settings {
	struct registry *registry;
	unsigned max_connections;
	size_t max_header;	 /* bytes of a request's head */
	uint32_t header_timeout; /* seconds for it to come */
	bool tls;		 /* TCP connections speak it */
};

/* What this room keeps for each worker. */
struct doors {
	const struct door_settings *set;
	struct tls *tls; /* for new connections; a reference, or NULL */
	struct wheel deadlines;
	struct http *waiting_first, *waiting_last; /* connections without a request */
	atomic_uint waiting;			   /* how many; others read it */
};

/* The worker's hooks of these names. */
int doors_start(struct worker *w);
void doors_second(struct worker *w);
void doors_drain(struct worker *w);
void doors_abort(struct worker *w);
void doors_free(struct worker *w);

/* Connections that come from now on speak TLS by that. For any thread; takes a reference of its
 * own. */
void doors_set_tls(struct worker *w, struct tls *tls);

/* Takes over a connection that was just accepted, as number born, on its worker's thread; full:
 * only where another one that does nothing makes room for it. */
void doors_adopt(struct worker *w, int fd, bool local, bool full, uint32_t born);

/* Turns a connection away. */
void doors_refuse(struct worker *w, int fd, bool local);

#endif
