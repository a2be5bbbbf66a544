/* TLS 1.2 and 1.3 for streams, by OpenSSL. */
#ifndef HUBD_TLS_H
#define HUBD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st;
struct tls; /* a certificate and its key, shared by connections: counted references */

/* Loads a certificate chain and its key (PEM). NULL with which file is wrong and why in words. */
struct tls *tls_load(const char *cert, const char *key, char *why, size_t cap);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); /* NULL is fine */

/* The server's side of a connection on fd; NULL: no memory. */
struct ssl_st *tls_accept(struct tls *t, int fd);
void tls_free(struct ssl_st *ssl);

/* As recv() and send() on a non-blocking socket: bytes, 0 at the peer's end, -EAGAIN, or -errno of
 * a broken connection (-EPROTO: not TLS, or an alert). What was not taken by tls_write() must be
 * given again, from its first byte on, and more of it may be. */
ssize_t tls_read(struct ssl_st *ssl, void *data, size_t len);
ssize_t tls_write(struct ssl_st *ssl, const void *data, size_t len);

/* Says the end of our side, as far as the socket takes it. */
void tls_shutdown(struct ssl_st *ssl);

#endif
