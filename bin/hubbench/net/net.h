/* The room net/: bytes to a server and back. It owns sockets (this header), TLS (net_tls.c, the
 * only file that knows OpenSSL), the upgrade to WebSocket (upgrade.h), frames and lines (wsio.h),
 * and one connection with all of these (bench_conn.h). It knows neither members nor what is said:
 * it returns what has happened, and run/ decides what is done. */
#ifndef HUBBENCH_NET_H
#define HUBBENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/url.h"

struct tls_context;
struct tls;

/* How the server is reached. Texts are borrowed for the time of net_resolve(). */
struct net_options {
	bool insecure;		/* any certificate of the server will do */
	const char *cert, *key; /* files (PEM): our own; NULL: none */
	const char *proxy;	/* [user:password@]host:port of an HTTP proxy; NULL: none */
};

struct target {
	struct url url;
	struct sockaddr_storage address; /* of the server, or of the proxy */
	socklen_t address_len;
	char *tunnel;  /* what the proxy is asked for, by malloc(); NULL: none */
	bool insecure; /* any certificate will do */
	bool loopback; /* IPv4, 127.0.0.0/8 */
	bool shallow;  /* the kernel takes little that it cannot send, so that what was handed to
			* it is on its way, and not in a queue of our own making; TCP only */
	uint32_t per_source;	 /* clients from one source address; 0: any number */
	struct tls_context *tls; /* NULL: no TLS */
};

/* Looks the host up, or the proxy's (blocks), and prepares TLS. Returns 0 or an exit status of
 * sysexits.h with the reason in why; net_release() takes *t in either case. */
int net_resolve(struct target *t, const struct url *url, const struct net_options *o, char *why,
		size_t cap);
void net_release(struct target *t);

/* Begins to connect client number `client`, which decides on its source address. small_buffer: the
 * kernel keeps little of what is not read. Returns a descriptor, the caller's, with *done where the
 * connection stands; or -errno, -EAGAIN where a Unix socket's queue is full. */
int net_connect(const struct target *t, uint32_t client, bool small_buffer, bool *done);

/* 0 once a connection stands, or -errno. */
int net_connected(int fd);

/* tls may be NULL. Return the bytes moved, 0 at the end of the stream, -EAGAIN, or another -errno.
 */
ssize_t net_read(int fd, struct tls *tls, void *p, size_t n);
ssize_t net_write(int fd, struct tls *tls, const void *p, size_t n);

/* --- net_tls.c */

/* NULL with the reason in why. */
struct tls_context *tls_context_new(const struct net_options *o, char *why, size_t cap);
void tls_context_free(struct tls_context *context); /* NULL is fine */

/* A TLS connection on a connected descriptor, which stays the caller's; t has a context. NULL: no
 * memory. */
struct tls *tls_new(const struct target *t, int fd);
void tls_free(struct tls *tls); /* NULL is fine */

/* Returns 0 when TLS stands; -EAGAIN with *wants_write; or -EPROTO, with the reason in why. */
int tls_handshake(struct tls *tls, bool *wants_write, char *why, size_t cap);

/* As net_read() and net_write(). */
ssize_t tls_read(struct tls *tls, void *p, size_t n);
ssize_t tls_write(struct tls *tls, const void *p, size_t n);

#endif
