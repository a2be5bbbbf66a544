/* TLS on a non-blocking socket, with OpenSSL: the only file that knows it. OpenSSL's queue of
 * errors is emptied before each handshake, read and write, so that a reason is that of the call. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/net.h"

/* Both are OpenSSL's own, under names that the header can tell. */
static SSL_CTX *context_of(struct tls_context *context)
{
	return (SSL_CTX *)context;
}

static SSL *ssl_of(struct tls *tls)
{
	return (SSL *)tls;
}

/* A certificate to show, where there is one. */
static bool use_certificate(SSL_CTX *context, const struct net_options *o)
{
	return !o->cert || (SSL_CTX_use_certificate_chain_file(context, o->cert) == 1 &&
			    SSL_CTX_use_PrivateKey_file(context, o->key, SSL_FILETYPE_PEM) == 1);
}

struct tls_context *tls_context_new(const struct net_options *o, char *why, size_t cap)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || SSL_CTX_set_default_verify_paths(context) != 1 ||
	    !use_certificate(context, o)) {
		const char *reason = ERR_reason_error_string(ERR_get_error());

		snprintf(why, cap, "TLS: %s%s", context && o->cert ? "--cert and --key: " : "",
			 reason ? reason : "cannot be set up");
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_verify(context, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	/* Idle connections hold no buffers; what was not written is offered again from anywhere. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Many records at a time: each is two reads otherwise. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, 65536);
	/* Every handshake is a full one: that is what new clients do. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return (struct tls_context *)context;
}

void tls_context_free(struct tls_context *context)
{
	SSL_CTX_free(context_of(context));
}

struct tls *tls_new(const struct target *t, int fd)
{
	const struct url *url = &t->url;
	SSL *ssl = SSL_new(context_of(t->tls));
	unsigned char address[16];
	bool numeric = url->ipv6 || inet_pton(AF_INET, url->host, address) == 1;
	bool ok = ssl && SSL_set_fd(ssl, fd) == 1;

	if (ok && !numeric)
		ok = SSL_set_tlsext_host_name(ssl, url->host) == 1;
	if (ok && !t->insecure)
		ok = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url->host) == 1
			     : SSL_set1_host(ssl, url->host) == 1;
	if (!ok) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return (struct tls *)ssl;
}

void tls_free(struct tls *tls)
{
	SSL_free(ssl_of(tls));
}

int tls_handshake(struct tls *tls, bool *wants_write, char *why, size_t cap)
{
	SSL *ssl = ssl_of(tls);
	int r, e;
	long verdict;

	ERR_clear_error();
	r = SSL_do_handshake(ssl);
	if (r == 1)
		return 0;
	e = SSL_get_error(ssl, r);
	*wants_write = e == SSL_ERROR_WANT_WRITE;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	verdict = SSL_get_verify_result(ssl);
	if (verdict != X509_V_OK) {
		snprintf(why, cap, "the server's certificate: %s",
			 X509_verify_cert_error_string(verdict));
	} else {
		const char *reason = ERR_reason_error_string(ERR_peek_error());

		snprintf(why, cap, "TLS: %s", reason ? reason : "closed by the server");
	}
	return -EPROTO;
}

static ssize_t tls_result(SSL *ssl, int r)
{
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return errno ? -errno : 0;
	default:
		return -EPROTO;
	}
}

ssize_t tls_read(struct tls *tls, void *p, size_t n)
{
	size_t have = 0, got;
	int r;

	do {
		ERR_clear_error();
		errno = 0;
		r = SSL_read_ex(ssl_of(tls), (char *)p + have, n - have, &got);
		if (r == 1)
			have += got;
	} while (r == 1 && have < n);
	return have ? (ssize_t)have : tls_result(ssl_of(tls), r);
}

ssize_t tls_write(struct tls *tls, const void *p, size_t n)
{
	size_t put;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(ssl_of(tls), p, n, &put);
	if (r == 1)
		return (ssize_t)put;
	put = (size_t)tls_result(ssl_of(tls), r);
	return put ? (ssize_t)put : -EPIPE;
}
