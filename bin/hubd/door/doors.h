/* Where strangers and friends come in. listener.c accepts for all workers and hands connections
 * over; http.c is the front of all that come over TCP, ws.c what most of them become, unix.c lines
 * on a Unix socket; http_routes.c says who serves what of HTTP; stream.c carries their bytes, tls.c
 * seals them, peer.c says whose they are. A door makes a struct conn, feeds it, and carries what it
 * writes: conn/door.h. */
#ifndef HUBD_DOORS_H
#define HUBD_DOORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "door/sockets.h"
#include "loop/wheel.h"
#include "loop/worker.h"
#include "session/registry.h"
#include "wire/http1_chars.h"

struct engineios;
struct gate;
struct http;
struct tls;
struct trust;
struct www;

/* Options of hubd(8) that are the doors', and what /healthz tells of. */
struct door_settings {
	struct registry *registry;
	const struct auth *auth; /* how tokens are taken; NULL: they are not */
	unsigned max_connections;
	size_t max_header;		 /* bytes of a request's head */
	uint32_t header_timeout;	 /* seconds for it to come */
	bool tls;			 /* TCP connections speak it */
	uint64_t started_ms;		 /* wall-clock time */
	const struct opt_list *cors;	 /* origins whose pages may read answers; "*": all */
	const struct trust *trust;	 /* the proxies that are believed: wire/forwarded.h */
	struct http1_span socketio_path; /* of Socket.IO, without a slash at its end; empty: none */
	uint32_t socketio_connect_ms;	 /* for its clients to connect to a namespace */
	unsigned max_polling;		 /* of its clients, those that poll */
	bool socketio_echo;		 /* it sends back what comes, and is none */
	const struct gate *gate;	 /* hosts and origins: door/gate.h */
	const struct www *www;		 /* folders of files */
};

/* What this room keeps for each worker. */
struct doors {
	const struct door_settings *set; /* borrowed, and another one after a change */
	struct tls *tls;		 /* for new connections; the same, or NULL */
	struct wheel deadlines;
	uint64_t step_ns; /* until when the stream that is being read may go on; 0: not asked yet */
	struct http *waiting_first, *waiting_last; /* connections without a request */
	atomic_uint waiting;			   /* how many; others read it */
	uint64_t told;				   /* a bucket: door/gate.h */
	atomic_int highest;			   /* descriptor so far; others read it */
	struct sockets sockets;			   /* worker 0's */
	struct engineios *engineio;		   /* engineio_session.c's */
	atomic_uint polling;			   /* sessions that poll; others read it */
};

/* The worker's hooks of these names. */
int doors_start(struct worker *w);
void doors_second(struct worker *w);
void doors_drain(struct worker *w);
void doors_abort(struct worker *w);
void doors_free(struct worker *w);

/* Steps of a worker's turn: TURN_STREAMS, TURN_POLLS, TURN_FILES. */
void stream_turn(struct worker *w, struct turn_entry *e);
void engineio_turn(struct worker *w, struct turn_entry *e);
void www_turn(struct worker *w, struct turn_entry *e);

/* What is spoken on a listening socket. */
enum listen_kind {
	LISTEN_UNIX,	/* lines */
	LISTEN_TCP,	/* HTTP, over TLS where there is a certificate */
	LISTEN_PROXIED, /* the same, behind the header of a trusted proxy */
};

#endif
