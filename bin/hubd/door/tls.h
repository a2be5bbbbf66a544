/* TLS 1.2 and 1.3 for streams, by OpenSSL. */
#ifndef HUBD_TLS_H
#define HUBD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct ssl_st;
struct tls; /* a certificate and its key, shared by connections: counted references */

/* Loads a certificate chain and its key (PEM). NULL with which file is wrong and why in words. */
struct tls *tls_load(const char *cert, const char *key, char *why, size_t cap);
void tls_unref(struct tls *t); /* NULL is fine */

/* The server's side of a connection; NULL: no memory. */
struct ssl_st *tls_accept(struct tls *t);
void tls_free(struct ssl_st *ssl);

/* Reads from fd, a non-blocking socket, as much as there is: bytes, 0 at the peer's end, -EAGAIN,
 * or -errno of a broken connection (-EPROTO: not TLS, or an alert). Nothing goes to fd: what is to
 * be sent for it, as in a handshake, is put behind what `out` has, on an error too. *more: there
 * may be more in fd or here, which no event will tell. */
ssize_t tls_read(struct ssl_st *ssl, int fd, void *data, size_t len, struct buf *out, bool *more);

/* Puts data as TLS records behind what `out` has. Returns 0, -EPROTO (the handshake is not done,
 * the connection broken) or -ENOMEM. */
int tls_write(struct ssl_st *ssl, const void *data, size_t len, struct buf *out);

/* Whether the handshake is done. */
bool tls_established(const struct ssl_st *ssl);

/* Puts the end of our side there. */
void tls_shutdown(struct ssl_st *ssl, struct buf *out);

#endif
