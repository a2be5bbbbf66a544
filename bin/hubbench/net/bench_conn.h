/* One connection to the server: connecting, TLS, the upgrade, then messages in and frames out. It
 * owns the descriptor and its place in epoll, what was read of a message, and what the socket did
 * not take of a frame.
 *
 * It calls nobody. A function returns what has happened (enum conn_step), and whoever owns the
 * connection does what is to be done: it goes on with the next step, takes messages, or closes it
 * after CONN_LOST, for which io->why has the reason. Nothing but bench_conn_close() closes. For one
 * thread. */
#ifndef HUBBENCH_BENCH_CONN_H
#define HUBBENCH_BENCH_CONN_H

#include <sys/types.h>

#include "net/inflate.h"
#include "net/net.h"
#include "net/wsio.h"

enum bench_conn_state {
	CONN_CLOSED,	 /* no socket */
	CONN_CONNECTING, /* connect(2) is under way, or has just ended */
	CONN_TUNNEL, /* the proxy was asked for a way to the server, or some of its answer came */
	CONN_TLS,    /* so is the handshake of TLS */
	CONN_UPGRADING, /* the request is on its way, or some of its answer has come */
	CONN_OPEN,	/* for messages */
};

struct bench_conn {
	int fd;		 /* -1: none */
	uint32_t events; /* that epoll watches */
	uint8_t state;	 /* enum bench_conn_state */
	uint8_t upgrade; /* what was seen of the answer */
	bool tunnelled;	 /* the proxy's way stands */
	bool paused;	 /* does not read */
	bool blocked;	 /* the socket takes nothing of the next frame */
	uint8_t ahead;	 /* it was read from already: its place there, from 1 */
	uint32_t out_len, out_at;
	char *out;		     /* what the socket did not take of a frame */
	const struct target *target; /* since it was opened */
	struct wsio in;
	struct tls *tls;
};

/* What the connections of one thread share. */
struct bench_io {
	int epoll; /* hands out the struct bench_conn */
	uint64_t random;
	char *room;		 /* for what is read, behind a space for what was left before it */
	char *read;		 /* what was read last, */
	size_t before;		 /* and how large that space is */
	struct ahead *ahead;	 /* NULL: each is read by itself, */
	unsigned apart;		 /* or for so many rounds; UINT_MAX: for ever */
	bool deflate;		 /* was offered: who does not agree is of no use */
	struct inflate *inflate; /* made when it is first needed */
	char why[256];		 /* after CONN_LOST */
};

/* What has happened. FLUSHED and READABLE may come together. */
enum conn_step {
	CONN_WAIT = 0,		 /* nothing: epoll will tell */
	CONN_LOST = 1 << 0,	 /* it is of no use any more: io->why */
	CONN_FULL = 1 << 1,	 /* the server's queue of new connections is full */
	CONN_CONNECTED = 1 << 2, /* next: bench_conn_secure() */
	CONN_SECURE = 1 << 3,	 /* next: bench_conn_upgrade() */
	CONN_STANDS = 1 << 4,	 /* from now on there are messages */
	CONN_FLUSHED = 1 << 5,	 /* the socket takes frames again */
	CONN_READABLE = 1 << 6,	 /* next: bench_conn_read() */
	CONN_MESSAGE = 1 << 7,
};

/* Makes room and an epoll instance. Returns 0 or -errno; bench_io_free()
 * takes it in either case. */
int bench_io_init(struct bench_io *io, uint64_t seed);
void bench_io_free(struct bench_io *io);

/* 48 bits. xorshift64*, by Sebastiano Vigna. */
static inline uint64_t bench_io_random(struct bench_io *io)
{
	io->random ^= io->random >> 12;
	io->random ^= io->random << 25;
	io->random ^= io->random >> 27;
	return io->random * 0x2545f4914f6cdd1du >> 16;
}

void bench_conn_init(struct bench_conn *c);

/* Gives everything back; it may be opened again. Closed already is fine. */
void bench_conn_close(struct bench_conn *c);

/* --- getting there: these may be called in this order only, each after the step before it */

/* Begins to connect; t, which stays, client and small_buffer as in net_connect(). Returns
 * CONN_WAIT, CONN_CONNECTED, CONN_FULL or CONN_LOST. */
enum conn_step bench_conn_open(struct bench_io *io, struct bench_conn *c, const struct target *t,
			       uint32_t client, bool small_buffer);

/* Begins TLS, or first asks the proxy: then CONN_CONNECTED comes once more. Returns CONN_WAIT,
 * CONN_SECURE (where the target has no TLS, too), or CONN_LOST. */
enum conn_step bench_conn_secure(struct bench_io *io, struct bench_conn *c);

/* Sends the request to upgrade; over a Unix socket there is none. Returns CONN_WAIT, CONN_STANDS or
 * CONN_LOST. */
enum conn_step bench_conn_upgrade(struct bench_io *io, struct bench_conn *c, const char *request,
				  size_t len);

/* What it is waiting for, for people: "connect", "proxy", "TLS", "WebSocket"; NULL: for nothing. */
const char *bench_conn_stage(const struct bench_conn *c);

/* --- what epoll tells */

/* Takes EPOLL* events. Returns CONN_WAIT, CONN_CONNECTED, CONN_SECURE or CONN_LOST; or CONN_FLUSHED
 * and CONN_READABLE, one or both. */
enum conn_step bench_conn_ready(struct bench_io *io, struct bench_conn *c, uint32_t events);

/* Reads from several that epoll has just told of, by one system call, for bench_conn_read() of each
 * in this round: at most AHEAD_MAX. Those that are not open, or over TLS, are left out. */
void bench_conns_read(struct bench_io *io, struct bench_conn *const *c, unsigned n);

/* Reads once, at most 256 KiB. Returns how many bytes came, for bench_conn_feed(); 0: none are
 * there; -1: CONN_LOST. */
ssize_t bench_conn_read(struct bench_io *io, struct bench_conn *c);

/* The same, and throws them away; no more than are there now. */
ssize_t bench_conn_discard(struct bench_io *io, struct bench_conn *c);

/* Takes the bytes that were read. Returns CONN_WAIT or CONN_LOST. */
enum conn_step bench_conn_feed(struct bench_io *io, struct bench_conn *c, size_t n);

/* The next of the messages in it, inflated, good until the next call. Pings are answered on the
 * way. Returns CONN_MESSAGE, or CONN_STANDS for the end of the upgrade: there may be more;
 * CONN_WAIT: all bytes are used; CONN_LOST. */
static inline enum conn_step bench_conn_next(struct bench_io *io, struct bench_conn *c,
					     struct wsio_message *m);

/* --- writing */

/* Writes a text as it goes over the connection, a frame or a line; returns its length, at most
 * len + WSIO_HEADER_MAX. */
size_t bench_conn_frame(struct bench_io *io, const struct bench_conn *c, unsigned char *out,
			const char *text, size_t len);

/* Sends a text as a frame or a line, now or as soon as the socket takes it. Returns CONN_WAIT or
 * CONN_LOST. */
enum conn_step bench_conn_send(struct bench_io *io, struct bench_conn *c, const char *text,
			       size_t len);

/* Hands bytes to the kernel. Returns how many it took, or -1: CONN_LOST. */
ssize_t bench_conn_write(struct bench_io *io, struct bench_conn *c, const void *p, size_t n);

/* Keeps the rest of a frame that the kernel has begun to take. Returns CONN_WAIT or CONN_LOST. */
enum conn_step bench_conn_rest(struct bench_io *io, struct bench_conn *c, const void *p, size_t n);

/* The kernel took nothing of the next frame: CONN_FLUSHED tells when it may be tried again. */
void bench_conn_block(struct bench_io *io, struct bench_conn *c);

/* Stops or goes on reading. */
void bench_conn_pause(struct bench_io *io, struct bench_conn *c, bool paused);

/* --- the fast path of bench_conn_next() */

enum conn_step bench_conn_next_odd(struct bench_io *io, struct bench_conn *c, enum wsio_got got,
				   struct wsio_message *m);

static inline enum conn_step bench_conn_next(struct bench_io *io, struct bench_conn *c,
					     struct wsio_message *m)
{
	enum wsio_got got = wsio_next(&c->in, m);

	if (got == WSIO_MESSAGE && c->state == CONN_OPEN && !m->deflated)
		return CONN_MESSAGE;
	return bench_conn_next_odd(io, c, got, m);
}

#endif
