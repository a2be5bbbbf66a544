/* Sockets: where a server is, and connections to it, non-blocking, with or without TLS. OpenSSL
 * stays in net_tls.c. */
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

struct target {
	struct url url;
	struct sockaddr_storage address;
	socklen_t address_len;
	bool loopback; /* IPv4, 127.0.0.0/8 */
	bool shallow;  /* the kernel takes little that it cannot send, so that what was handed to
			* it is on its way, and not in a queue of our own making; TCP only */
	uint32_t per_source;	 /* clients from one source address; 0: any number */
	struct tls_context *tls; /* NULL: no TLS */
};

/* Looks the host up (blocks), and prepares TLS. insecure: any certificate will do. Returns 0 or an
 * exit status with the reason in why. */
int net_resolve(struct target *t, const struct url *url, bool insecure, char *why, size_t cap);
void net_release(struct target *t);

/* Begins to connect. Returns a descriptor, with *done where the connection stands, or -errno. */
int net_connect(const struct target *t, uint32_t client, bool small_buffer, bool *done);

/* 0 once a connection stands, or -errno. */
int net_connected(int fd);

/* tls may be NULL. Return the bytes moved, 0 at the end of the stream, -EAGAIN, or another -errno.
 */
ssize_t net_read(int fd, struct tls *tls, void *p, size_t n);
ssize_t net_write(int fd, struct tls *tls, const void *p, size_t n);

/* --- net_tls.c */

struct tls_context *tls_context_new(bool insecure, char *why, size_t cap);
void tls_context_free(struct tls_context *context); /* NULL is fine */

/* A TLS connection on a connected descriptor, which stays the caller's. NULL: no memory. */
struct tls *tls_new(struct tls_context *context, int fd, const struct url *url, bool insecure);
void tls_free(struct tls *tls); /* NULL is fine */

/* Returns 0 when TLS stands; -EAGAIN with *wants_write; or -EPROTO, with the reason in why. */
int tls_handshake(struct tls *tls, bool *wants_write, char *why, size_t cap);

ssize_t tls_read(struct tls *tls, void *p, size_t n);
ssize_t tls_write(struct tls *tls, const void *p, size_t n);

#endif
