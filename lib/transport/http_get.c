/* HTTP/1.0, so that the answer is not in chunks and ends with the connection (RFC 9112 section
 * 6.3). */
#include "transport/http_get.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/token_file.h"

struct get {
	const struct url *url;
	const struct transport_options *o;
	struct timeval limit;
	int fd;
	SSL_CTX *context;
	SSL *ssl; /* NULL: none, or not yet */
	char *why;
	size_t cap;
};

static int fail(struct get *g, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct get *g, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->why, g->cap, fmt, ap);
	va_end(ap);
	return -error;
}

/* --- connecting */

static int try_address(struct get *g, const struct sockaddr *sa, socklen_t len)
{
	int error;

	g->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (g->fd < 0)
		return -errno;
	setsockopt(g->fd, SOL_SOCKET, SO_SNDTIMEO, &g->limit, sizeof(g->limit));
	setsockopt(g->fd, SOL_SOCKET, SO_RCVTIMEO, &g->limit, sizeof(g->limit));
	if (connect(g->fd, sa, len) == 0)
		return 0;
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(g->fd);
	g->fd = -1;
	return -error;
}

static int connect_unix(struct get *g)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int r;

	if (strlen(g->url->path) >= sizeof(un.sun_path))
		return fail(g, ENAMETOOLONG, "the socket's path is too long");
	strcpy(un.sun_path, g->url->path);
	r = try_address(g, (const struct sockaddr *)&un, sizeof(un));
	return r < 0 ? fail(g, -r, "%s", strerror(-r)) : 0;
}

static int connect_host(struct get *g, const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
	int r = getaddrinfo(host, port, &hints, &all);

	if (r != 0)
		return fail(g, EHOSTUNREACH, "%s: %s", host, gai_strerror(r));
	r = -EHOSTUNREACH;
	for (struct addrinfo *ai = all; ai && r < 0; ai = ai->ai_next)
		r = try_address(g, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(all);
	return r < 0 ? fail(g, -r, "%s", strerror(-r)) : 0;
}

/* --- bytes */

static int put(struct get *g, const struct buf *b)
{
	size_t done = 0;
	ssize_t n;

	for (; done < b->len; done += (size_t)n) {
		n = g->ssl ? SSL_write(g->ssl, b->data + done, (int)(b->len - done))
			   : send(g->fd, b->data + done, b->len - done, MSG_NOSIGNAL);
		if (n <= 0)
			return fail(g, EIO, "the request cannot be sent");
	}
	return 0;
}

/* Returns how many came; 0 at the end, and where the hub says nothing for too long. */
static ssize_t take(struct get *g, char *p, size_t n)
{
	ssize_t got = g->ssl ? SSL_read(g->ssl, p, (int)n) : recv(g->fd, p, n, 0);

	return got > 0 ? got : 0;
}

static int put_host(struct buf *b, const struct url *url)
{
	return buf_printf(b, "%s%s%s:%u", url->ipv6 ? "[" : "", url->host, url->ipv6 ? "]" : "",
			  url->port);
}

static int put_basic(struct buf *b, const char *name, const char *user, size_t len)
{
	int r = buf_printf(b, "%s: Basic ", name);

	if (r == 0)
		r = base64_append(b, user, len);
	return r == 0 ? buf_puts(b, "\r\n") : r;
}

/* The status of a head, "HTTP/1.1 200 OK"; -1: it is none. */
static int status_of(const char *head, size_t len)
{
	int status = 0;

	if (len < 12 || memcmp(head, "HTTP/1.", 7) != 0)
		return -1;
	for (int i = 9; i < 12; i++) {
		if (head[i] < '0' || head[i] > '9')
			return -1;
		status = 10 * status + head[i] - '0';
	}
	return status;
}

/* --- by a proxy */

/* Byte by byte, since what is behind its answer is TLS's. */
static int tunnel(struct get *g, const char *user, size_t user_len)
{
	char head[4096];
	struct buf b = {0};
	size_t n = 0;
	int r = buf_puts(&b, "CONNECT ");

	r |= put_host(&b, g->url);
	r |= buf_puts(&b, " HTTP/1.1\r\nHost: ");
	r |= put_host(&b, g->url);
	r |= buf_puts(&b, "\r\n");
	if (user_len)
		r |= put_basic(&b, "Proxy-Authorization", user, user_len);
	r |= buf_puts(&b, "\r\n");
	r = r < 0 ? fail(g, ENOMEM, "out of memory") : put(g, &b);
	buf_free(&b);
	if (r < 0)
		return r;
	while (n < sizeof(head) - 1 && take(g, head + n, 1)) {
		head[++n] = '\0';
		if (n >= 4 && strcmp(head + n - 4, "\r\n\r\n") == 0)
			break;
	}
	if (status_of(head, n) / 100 != 2)
		return fail(g, EHOSTUNREACH, "the proxy: %.*s", (int)strcspn(n ? head : "", "\r"),
			    n ? head : "");
	return 0;
}

static int connect_by(struct get *g, const char *proxy)
{
	const char *at = strrchr(proxy, '@'), *host = at ? at + 1 : proxy;
	const char *colon = strrchr(host, ':');
	size_t len = colon ? (size_t)(colon - host) : 0;
	bool brackets = len > 1 && host[0] == '[' && host[len - 1] == ']';
	char name[URL_HOST_MAX + 3];
	int r;

	if (!colon || len >= sizeof(name))
		return fail(g, EINVAL, "the proxy is not host:port");
	snprintf(name, sizeof(name), "%.*s", (int)(brackets ? len - 2 : len),
		 brackets ? host + 1 : host);
	r = connect_host(g, name, colon + 1);
	return r < 0 ? r : tunnel(g, proxy, at ? (size_t)(at - proxy) : 0);
}

/* --- TLS */

static bool secure(struct get *g)
{
	const struct transport_options *o = g->o;
	X509_VERIFY_PARAM *param;

	g->context = SSL_CTX_new(TLS_client_method());
	if (!g->context || SSL_CTX_set_default_verify_paths(g->context) != 1)
		return false;
	if (o && o->cert &&
	    (SSL_CTX_use_certificate_chain_file(g->context, o->cert) != 1 ||
	     SSL_CTX_use_PrivateKey_file(g->context, o->key, SSL_FILETYPE_PEM) != 1))
		return false;
	SSL_CTX_set_verify(g->context, o && o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	g->ssl = SSL_new(g->context);
	if (!g->ssl || SSL_set_fd(g->ssl, g->fd) != 1)
		return false;
	param = SSL_get0_param(g->ssl);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, g->url->host) != 1 &&
	    (SSL_set_tlsext_host_name(g->ssl, g->url->host) != 1 ||
	     SSL_set1_host(g->ssl, g->url->host) != 1))
		return false;
	return SSL_connect(g->ssl) == 1;
}

static int begin_tls(struct get *g)
{
	long verdict;

	ERR_clear_error();
	if (secure(g))
		return 0;
	verdict = g->ssl ? SSL_get_verify_result(g->ssl) : X509_V_OK;
	if (verdict != X509_V_OK)
		return fail(g, EPROTO, "the hub's certificate: %s",
			    X509_verify_cert_error_string(verdict));
	return fail(g, EPROTO, "TLS: %s",
		    ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : "no answer");
}

/* --- asking */

static int put_token(struct get *g, struct buf *b)
{
	char *token = malloc(TOKEN_FILE_ROOM);
	int r;

	if (!token)
		return fail(g, ENOMEM, "out of memory");
	r = token_file_read(g->o->token_file, token, g->why, g->cap) ? -EINVAL : 0;
	if (r == 0 && buf_printf(b, "Authorization: Bearer %s\r\n", token) < 0)
		r = fail(g, ENOMEM, "out of memory");
	free(token);
	return r;
}

static int ask(struct get *g, const char *path)
{
	const struct transport_options *o = g->o;
	struct buf b = {0};
	int r = buf_printf(&b, "GET %s HTTP/1.0\r\nHost: ", path);

	if (r == 0)
		r = g->url->scheme == URL_UNIX ? buf_puts(&b, "localhost") : put_host(&b, g->url);
	r |= buf_puts(&b, "\r\n");
	if (g->url->user[0])
		r |= put_basic(&b, "Authorization", g->url->user, strlen(g->url->user));
	for (size_t i = 0; o && i < o->header_count; i++)
		r |= buf_printf(&b, "%s\r\n", o->headers[i]);
	if (r < 0)
		r = fail(g, ENOMEM, "out of memory");
	if (r == 0 && o && o->token_file)
		r = put_token(g, &b);
	if (r == 0)
		r = buf_puts(&b, "\r\n") < 0 ? fail(g, ENOMEM, "out of memory") : put(g, &b);
	buf_free(&b);
	return r;
}

/* All of the answer; returns its status, and leaves its body. */
static int answer(struct get *g, struct buf *body)
{
	char piece[16384];
	const char *end;
	ssize_t n;
	int status;

	while ((n = take(g, piece, sizeof(piece))) > 0) {
		if (body->len + (size_t)n > HTTP_GET_MAX)
			return fail(g, EMSGSIZE, "the answer is too long");
		if (buf_put(body, piece, (size_t)n) < 0)
			return fail(g, ENOMEM, "out of memory");
	}
	end = body->len ? memmem(body->data, body->len, "\r\n\r\n", 4) : NULL;
	status = end ? status_of(body->data, body->len) : -1;
	if (status < 0)
		return fail(g, EPROTO, "no answer");
	buf_consume(body, (size_t)(end + 4 - body->data));
	return status;
}

int http_get(const struct url *url, const struct transport_options *o, const char *path,
	     uint32_t limit_ms, struct buf *body, char *why, size_t cap)
{
	struct get g = {.url = url, .o = o, .fd = -1, .why = why, .cap = cap};
	char port[8];
	int r;

	body->len = 0;
	g.limit = (struct timeval){.tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000};
	snprintf(port, sizeof(port), "%u", url->port);
	r = url->scheme == URL_UNIX ? connect_unix(&g)
	    : o && o->proxy	    ? connect_by(&g, o->proxy)
				    : connect_host(&g, url->host, port);
	if (r == 0 && url->scheme == URL_WSS)
		r = begin_tls(&g);
	if (r == 0)
		r = ask(&g, path);
	if (r == 0)
		r = answer(&g, body);
	SSL_free(g.ssl);
	SSL_CTX_free(g.context);
	if (g.fd >= 0)
		close(g.fd);
	return r;
}
