/* OpenSSL never meets the socket: a read takes what there is at once, whatever the number of
 * records, and what is to be sent is gathered. With its own BIO each record costs two reads, or a
 * write.
 *
 * Invariant: the thread's queue of errors is empty before each call that may look at it. */
#include "door/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Forward secrecy and authenticated encryption only (RFC 9325 section 4.2); TLS 1.3 has no others.
 * Of AES first the shorter key, which is as good here and takes a third less time; whoever prefers
 * ChaCha20, as machines without AES in hardware do, gets that. */
#define CIPHERS "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

static const unsigned char http1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/* HTTP/2 has no upgrade to WebSocket that browsers use. Who offers nothing that we have goes on
 * without (RFC 7301 section 3.2 lets a server do that). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, http1, sizeof(http1), in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

struct tls *tls_load(const char *cert, const char *key, char *why, size_t cap)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *file = NULL;

	ERR_clear_error();
	if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, CIPHERSUITES) != 1)
		file = "OpenSSL";
	else if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		file = cert;
	else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(ctx) != 1)
		file = key;
	if (file) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());

		snprintf(why, cap, "%s: %s", file, reason ? reason : "cannot be used");
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* A FIN alone is an end as good as any here: messages say themselves whether they are
	 * whole.
	 */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return (struct tls *)ctx;
}

void tls_unref(struct tls *t)
{
	SSL_CTX_free((SSL_CTX *)t);
}

/* --- between OpenSSL and the socket */

#define GATHERED 49152		  /* bytes read at a time */
#define RECORD_MAX (16384 + 1024) /* what OpenSSL may hold of one that is not whole */

/* What one call of ours reads from and writes to. */
struct carrier {
	struct buf *out;
	int fd;
	int error; /* errno of the socket, or 0 */
	bool ended;
	bool drained; /* the socket had less than was asked for, or is not to be asked */
	size_t at, len;
	size_t cap; /* of `in`, which is filled once; 0: straight to where OpenSSL wants it */
	char *in;
};

static ssize_t receive(struct carrier *c, void *p, size_t n)
{
	ssize_t r;

	if (c->drained || c->ended)
		return 0;
	do
		r = recv(c->fd, p, n, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	c->drained = r < (ssize_t)n;
	if (r == 0)
		c->ended = true;
	else if (r < 0 && errno != EAGAIN)
		c->error = errno;
	return r;
}

static int carrier_read(BIO *b, char *p, int n)
{
	struct carrier *c = BIO_get_data(b);
	ssize_t r;

	BIO_clear_retry_flags(b);
	if (c->cap && !c->len) {
		r = receive(c, c->in, c->cap);
		c->len = r > 0 ? (size_t)r : 0;
	}
	if (c->at < c->len) {
		size_t some = c->len - c->at < (size_t)n ? c->len - c->at : (size_t)n;

		memcpy(p, c->in + c->at, some);
		c->at += some;
		return (int)some;
	}
	r = c->cap ? 0 : receive(c, p, (size_t)n);
	if (r > 0)
		return (int)r;
	if (!c->ended && !c->error)
		BIO_set_retry_read(b);
	return c->ended ? 0 : -1;
}

static int carrier_write(BIO *b, const char *p, int n)
{
	struct carrier *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (buf_put(c->out, p, (size_t)n) == 0)
		return n;
	c->error = ENOMEM;
	return -1;
}

static long carrier_ctrl(BIO *b, int what, long n, void *p)
{
	struct carrier *c = BIO_get_data(b);

	(void)n;
	(void)p;
	if (what == BIO_CTRL_EOF)
		return c->ended;
	return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *carrier_method;

static void make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hub");

	if (m && BIO_meth_set_read(m, carrier_read) == 1 &&
	    BIO_meth_set_write(m, carrier_write) == 1 && BIO_meth_set_ctrl(m, carrier_ctrl) == 1)
		carrier_method = m;
	else
		BIO_meth_free(m);
}

/* --- connections */

struct ssl_st *tls_accept(struct tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	SSL *ssl = SSL_new((SSL_CTX *)t);
	BIO *b;

	pthread_once(&once, make_method);
	b = ssl && carrier_method ? BIO_new(carrier_method) : NULL;
	if (!b) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_init(b, 1);
	SSL_set_bio(ssl, b, b);
	SSL_set_accept_state(ssl);
	return ssl;
}

void tls_free(struct ssl_st *ssl)
{
	SSL_free(ssl);
}

static void begin(SSL *ssl, struct carrier *c)
{
	ERR_clear_error();
	BIO_set_data(SSL_get_rbio(ssl), c);
}

static int length(size_t len)
{
	return len > 1 << 30 ? 1 << 30 : (int)len;
}

/* Of a call that gave r. */
static ssize_t result(SSL *ssl, int r, const struct carrier *c)
{
	if (r > 0)
		return r;
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return c->error ? -c->error : -ECONNRESET;
	default:
		return c->error ? -c->error : -EPROTO;
	}
}

ssize_t tls_read(struct ssl_st *ssl, int fd, void *data, size_t len, struct buf *out, bool *more)
{
	char in[GATHERED];
	struct carrier c = {.out = out, .fd = fd, .in = in};
	size_t have = 0;
	ssize_t r;

	/* All that is gathered must find room, with what OpenSSL has of a record already. */
	if (len > 2 * RECORD_MAX)
		c.cap = len - RECORD_MAX < sizeof(in) ? len - RECORD_MAX : sizeof(in);
	begin(ssl, &c);
	do {
		r = result(ssl, SSL_read(ssl, (char *)data + have, length(len - have)), &c);
		if (r > 0)
			have += (size_t)r;
	} while (r > 0 && have < len);
	*more = r != -EAGAIN || !c.drained;
	return have ? (ssize_t)have : r;
}

int tls_write(struct ssl_st *ssl, const void *data, size_t len, struct buf *out)
{
	struct carrier c = {.out = out, .drained = true};
	ssize_t r = 0;

	begin(ssl, &c);
	for (size_t done = 0; done < len && r >= 0; done += (size_t)r)
		r = result(ssl, SSL_write(ssl, (const char *)data + done, length(len - done)), &c);
	return r == -EAGAIN ? -EPROTO : r < 0 ? (int)r : 0;
}

bool tls_established(const struct ssl_st *ssl)
{
	return SSL_is_init_finished(ssl);
}

void tls_shutdown(struct ssl_st *ssl, struct buf *out)
{
	struct carrier c = {.out = out, .drained = true};

	begin(ssl, &c);
	if (tls_established(ssl))
		SSL_shutdown(ssl);
}
