/* Invariant: an fd is there exactly while the step is another than REDIS_CLOSED. */
#include "bus/redis_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define READ_BYTES 65536
#define OUT_KEEP (1 << 20)

/* --- TLS */

struct ssl_ctx_st *redis_tls_new(const char *ca, char *why, size_t cap)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	int ok = tls && SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1;

	if (ok)
		ok = ca ? SSL_CTX_load_verify_locations(tls, ca, NULL)
			: SSL_CTX_set_default_verify_paths(tls);
	if (!ok) {
		snprintf(why, cap, "%s: no certificates can be read from it", ca ? ca : "TLS");
		ERR_clear_error();
		SSL_CTX_free(tls);
		return NULL;
	}
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return tls;
}

void redis_tls_free(struct ssl_ctx_st *tls)
{
	SSL_CTX_free(tls);
}

static int fail(struct redis_conn *c, int error, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	return error;
}

static int fail_ssl(struct redis_conn *c)
{
	long verified = SSL_get_verify_result(c->ssl);
	unsigned long code = ERR_peek_error();
	const char *reason = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
			     : code		   ? ERR_reason_error_string(code)
						   : NULL;

	fail(c, 0, reason ? reason : "TLS: the connection has ended");
	ERR_clear_error();
	return -EPROTO;
}

static int start_tls(struct redis_conn *c, struct ssl_ctx_st *tls, const char *host)
{
	unsigned char address[16];
	bool is_ip =
	    inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

	c->ssl = SSL_new(tls);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
		return fail(c, -ENOMEM, "out of memory");
	if (is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), host) != 1
		  : SSL_set1_host(c->ssl, host) != 1 || SSL_set_tlsext_host_name(c->ssl, host) != 1)
		return fail(c, -EINVAL, "TLS: not a name of a host");
	SSL_set_connect_state(c->ssl);
	return 0;
}

/* --- connecting */

static int connect_to(struct redis_conn *c, const struct sockaddr *a, socklen_t len)
{
	int one = 1;

	c->fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return fail(c, -errno, strerror(errno));
	if (a->sa_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, a, len) < 0 && errno != EINPROGRESS) {
		int error = errno;

		close(c->fd);
		return fail(c, -error, strerror(error));
	}
	c->step = REDIS_CONNECTING;
	return 0;
}

static int connect_host(struct redis_conn *c, const struct redis_host *h, unsigned turn)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *a;
	unsigned n = 0;
	int r = getaddrinfo(h->name, h->port, &hints, &list);

	if (r != 0)
		return fail(c, -EHOSTUNREACH, gai_strerror(r));
	for (a = list; a; a = a->ai_next)
		n++;
	a = list;
	for (turn %= n; turn; turn--)
		a = a->ai_next;
	r = connect_to(c, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(list);
	return r;
}

int redis_conn_open(struct redis_conn *c, const struct redis_url *u, struct ssl_ctx_st *tls,
		    unsigned attempt)
{
	const struct redis_host *h = &u->host[u->nhosts ? attempt % u->nhosts : 0];
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	int r;

	*c = (struct redis_conn){.fd = -1, .out = c->out};
	c->out.len = 0;
	c->heard_ms = clock_mono_ms();
	strcpy(path.sun_path, u->path);
	r = u->path[0] ? connect_to(c, (const struct sockaddr *)&path, sizeof(path))
		       : connect_host(c, h, attempt / u->nhosts);
	if (r < 0)
		return r;
	c->reader = redisReaderCreate();
	if (!c->reader)
		r = fail(c, -ENOMEM, "out of memory");
	if (r == 0 && u->tls)
		r = start_tls(c, tls, h->name);
	if (r < 0)
		redis_conn_close(c);
	return r;
}

void redis_conn_close(struct redis_conn *c)
{
	if (c->step == REDIS_CLOSED)
		return;
	SSL_free(c->ssl);
	c->ssl = NULL;
	redisReaderFree(c->reader);
	c->reader = NULL;
	close(c->fd);
	c->fd = -1;
	c->step = REDIS_CLOSED;
	buf_free(&c->out);
	c->out_at = 0;
}

short redis_conn_events(const struct redis_conn *c)
{
	bool more = c->step == REDIS_CONNECTING || c->ssl_writes ||
		    (c->step == REDIS_OPEN && c->out_at < c->out.len);

	return (short)(POLLIN | (more ? POLLOUT : 0));
}

/* --- bytes */

/* What an SSL_ function has returned that is no success: 0 where it waits, else -errno. */
static int ssl_waits(struct redis_conn *c, int r)
{
	int error = SSL_get_error(c->ssl, r);

	c->ssl_writes |= error == SSL_ERROR_WANT_WRITE;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return 0;
	return fail_ssl(c);
}

/* Returns how many, 0 where it is to wait, or -errno. */
static ssize_t read_some(struct redis_conn *c, char *data, size_t n)
{
	ssize_t r;

	if (c->ssl) {
		ERR_clear_error();
		r = SSL_read(c->ssl, data, (int)n);
		return r > 0 ? r : ssl_waits(c, (int)r);
	}
	r = recv(c->fd, data, n, 0);
	if (r == 0)
		return fail(c, -ECONNRESET, "Redis has ended the connection");
	if (r < 0 && errno != EAGAIN && errno != EINTR)
		return fail(c, -errno, strerror(errno));
	return r < 0 ? 0 : r;
}

static ssize_t write_some(struct redis_conn *c, const char *data, size_t n)
{
	ssize_t r;

	if (c->ssl) {
		ERR_clear_error();
		r = SSL_write(c->ssl, data, n > INT32_MAX ? INT32_MAX : (int)n);
		return r > 0 ? r : ssl_waits(c, (int)r);
	}
	r = send(c->fd, data, n, MSG_NOSIGNAL);
	if (r < 0 && errno != EAGAIN && errno != EINTR)
		return fail(c, -errno, strerror(errno));
	return r < 0 ? 0 : r;
}

static int flush(struct redis_conn *c)
{
	while (c->out_at < c->out.len) {
		ssize_t n = write_some(c, c->out.data + c->out_at, c->out.len - c->out_at);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return 0;
		c->out_at += (size_t)n;
	}
	c->out_at = 0;
	if (c->out.cap > OUT_KEEP)
		buf_free(&c->out);
	c->out.len = 0;
	return 0;
}

static int fill(struct redis_conn *c)
{
	char data[READ_BYTES];
	ssize_t n;

	do {
		n = read_some(c, data, sizeof(data));
		if (n > 0 && redisReaderFeed(c->reader, data, (size_t)n) != REDIS_OK)
			return fail(c, -ENOMEM, c->reader->errstr);
		if (n > 0)
			c->heard_ms = clock_mono_ms();
	} while (n == (ssize_t)sizeof(data) || (n > 0 && c->ssl));
	return n < 0 ? (int)n : 0;
}

int redis_conn_io(struct redis_conn *c, const struct redis_url *u, short revents)
{
	socklen_t len = sizeof(int);
	int error = 0, r;

	if (c->step == REDIS_CONNECTING) {
		if (!(revents & (POLLOUT | POLLERR | POLLHUP)))
			return 0;
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error)
			return fail(c, -error, strerror(error));
		c->step = u->tls ? REDIS_HANDSHAKE : REDIS_OPEN;
	}
	if (c->ssl && revents)
		c->ssl_writes = false;
	if (c->step == REDIS_HANDSHAKE) {
		ERR_clear_error();
		r = SSL_do_handshake(c->ssl);
		if (r != 1)
			return ssl_waits(c, r);
		c->step = REDIS_OPEN;
	}
	if (revents & (POLLIN | POLLERR | POLLHUP)) {
		r = fill(c);
		if (r < 0)
			return r;
	}
	return flush(c);
}

int redis_conn_reply(struct redis_conn *c, struct redisReply **reply)
{
	void *got = NULL;

	if (c->step != REDIS_OPEN)
		return 0;
	if (redisReaderGetReply(c->reader, &got) != REDIS_OK)
		return fail(c, -EPROTO, c->reader->errstr);
	*reply = got;
	return got != NULL;
}

/* --- commands */

int redis_put_count(struct buf *out, size_t n)
{
	return buf_printf(out, "*%zu\r\n", n);
}

int redis_put_arg(struct buf *out, const void *data, size_t len)
{
	int r = buf_printf(out, "$%zu\r\n", len);

	if (r == 0)
		r = buf_put(out, data, len);
	return r == 0 ? buf_put(out, "\r\n", 2) : r;
}

int redis_put(struct buf *out, const struct span *args, size_t n)
{
	int r = redis_put_count(out, n);

	for (size_t i = 0; i < n && r == 0; i++)
		r = redis_put_arg(out, args[i].p, args[i].len);
	return r;
}
