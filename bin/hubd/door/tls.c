/* Invariant: the thread's queue of errors is empty before each call that may look at it. */
#include "door/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

/* Forward secrecy and authenticated encryption only (RFC 9325 section 4.2); TLS 1.3 has no others.
 */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

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
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1)
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
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	/* A FIN alone is an end as good as any here: messages say themselves whether they are
	 * whole.
	 */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return (struct tls *)ctx;
}

struct tls *tls_ref(struct tls *t)
{
	SSL_CTX_up_ref((SSL_CTX *)t);
	return t;
}

void tls_unref(struct tls *t)
{
	SSL_CTX_free((SSL_CTX *)t);
}

struct ssl_st *tls_accept(struct tls *t, int fd)
{
	SSL *ssl = SSL_new((SSL_CTX *)t);

	if (ssl && SSL_set_fd(ssl, fd) == 1) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_free(ssl);
	return NULL;
}

void tls_free(struct ssl_st *ssl)
{
	SSL_free(ssl);
}

static ssize_t result(SSL *ssl, int r)
{
	int saved = errno;

	if (r > 0)
		return r;
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return saved ? -saved : -ECONNRESET;
	default:
		return -EPROTO;
	}
}

static int length(size_t len)
{
	return len > 1 << 30 ? 1 << 30 : (int)len;
}

ssize_t tls_read(struct ssl_st *ssl, void *data, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return result(ssl, SSL_read(ssl, data, length(len)));
}

ssize_t tls_write(struct ssl_st *ssl, const void *data, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return result(ssl, SSL_write(ssl, data, length(len)));
}

void tls_shutdown(struct ssl_st *ssl)
{
	ERR_clear_error();
	if (SSL_is_init_finished(ssl))
		SSL_shutdown(ssl);
}
