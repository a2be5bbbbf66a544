/* Sockets. All are non-blocking and close-on-exec; one that could not begin to connect is closed.
 */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"

/* Where target->shallow, the bytes that the kernel takes beyond what the other side has room for.
 */
#define UNSENT_MAX 4096
#define SMALL_BUFFER 4096 /* bytes the kernel keeps for a member that does not read */

static int resolve_unix(struct target *t, char *why, size_t cap)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&t->address;

	if (strlen(t->url.path) >= sizeof(un->sun_path)) {
		snprintf(why, cap, "the socket's path is too long");
		return EX_USAGE;
	}
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, t->url.path);
	t->address_len = sizeof(*un);
	return 0;
}

/* Whether something takes connections there; what takes longer than a second is not waited for. */
static bool answers(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	bool yes = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0;

	if (fd >= 0 && !yes && errno == EINPROGRESS && poll(&wait, 1, 1000) == 1)
		yes = net_connected(fd) == 0;
	if (fd >= 0)
		close(fd);
	return yes;
}

static int resolve_host(struct target *t, const char *host, const char *port, char *why, size_t cap)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *use;
	int r = getaddrinfo(host, port, &hints, &found);

	if (r != 0) {
		snprintf(why, cap, "%s: %s", host, gai_strerror(r));
		return EX_UNAVAILABLE;
	}
	/* Of several addresses, as localhost has, the first at which there is somebody. */
	for (use = found; use && found->ai_next && !answers(use);)
		use = use->ai_next;
	use = use ? use : found;
	memcpy(&t->address, use->ai_addr, use->ai_addrlen);
	t->address_len = use->ai_addrlen;
	freeaddrinfo(found);
	if (t->address.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&t->address;

		t->loopback = ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	return 0;
}

/* The request to a proxy for a way to the server (RFC 9110 section 9.3.6). NULL: no memory. */
static char *tunnel_request(const struct url *url, const char *user, size_t user_len)
{
	const char *open = url->ipv6 ? "[" : "", *close = url->ipv6 ? "]" : "";
	struct buf out = {0};
	int r = buf_printf(&out, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open,
			   url->host, close, url->port, open, url->host, close, url->port);

	if (r == 0 && user_len)
		r = buf_puts(&out, "Proxy-Authorization: Basic ");
	if (r == 0 && user_len)
		r = base64_append(&out, user, user_len);
	if (r == 0)
		r = buf_put(&out, user_len ? "\r\n\r\n" : "\r\n", user_len ? 5 : 3);
	if (r < 0)
		buf_free(&out);
	return out.data;
}

static int resolve_proxy(struct target *t, const char *proxy, char *why, size_t cap)
{
	const char *at = strrchr(proxy, '@'), *host = at ? at + 1 : proxy,
		   *colon = strrchr(host, ':');
	size_t len = colon ? (size_t)(colon - host) : 0;
	char name[URL_HOST_MAX + 3];

	if (!colon || len >= sizeof(name)) {
		snprintf(why, cap, "--proxy: not [user:password@]host:port");
		return EX_USAGE;
	}
	if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	memcpy(name, host, len);
	name[len] = '\0';
	t->tunnel = tunnel_request(&t->url, proxy, at ? (size_t)(at - proxy) : 0);
	if (!t->tunnel) {
		snprintf(why, cap, "out of memory");
		return EX_OSERR;
	}
	return resolve_host(t, name, colon + 1, why, cap);
}

int net_resolve(struct target *t, const struct url *url, const struct net_options *o, char *why,
		size_t cap)
{
	char port[8];

	memset(t, 0, sizeof(*t));
	t->url = *url;
	t->insecure = o->insecure;
	if (url->scheme == URL_UNIX)
		return resolve_unix(t, why, cap);
	if (url->scheme == URL_WSS) {
		t->tls = tls_context_new(o, why, cap);
		if (!t->tls)
			return EX_SOFTWARE;
	}
	if (o->proxy)
		return resolve_proxy(t, o->proxy, why, cap);
	snprintf(port, sizeof(port), "%u", url->port);
	return resolve_host(t, url->host, port, why, cap);
}

void net_release(struct target *t)
{
	tls_context_free(t->tls);
	t->tls = NULL;
	free(t->tunnel);
	t->tunnel = NULL;
}

/* Ports are per source address, and on loopback there are many of these. */
static int bind_source(const struct target *t, int fd, uint32_t client)
{
	uint32_t source = client / t->per_source;
	struct sockaddr_in in = {.sin_family = AF_INET};
	int one = 1;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + source);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0 ||
	    bind(fd, (const struct sockaddr *)&in, sizeof(in)) < 0)
		return -errno;
	return 0;
}

int net_connect(const struct target *t, uint32_t client, bool small_buffer, bool *done)
{
	int fd = socket(t->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, small = SMALL_BUFFER, unsent = UNSENT_MAX, r = 0;

	if (fd < 0)
		return -errno;
	if (small_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (t->address.ss_family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (t->shallow)
			setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	}
	if (t->per_source)
		r = bind_source(t, fd, client);
	if (r == 0 && connect(fd, (const struct sockaddr *)&t->address, t->address_len) < 0)
		r = -errno;
	*done = r == 0;
	if (r == 0 || r == -EINPROGRESS)
		return fd;
	close(fd);
	return r;
}

int net_connected(int fd)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

ssize_t net_read(int fd, struct tls *tls, void *p, size_t n)
{
	ssize_t got = tls ? tls_read(tls, p, n) : recv(fd, p, n, 0);

	return got < 0 && !tls ? -errno : got;
}

ssize_t net_write(int fd, struct tls *tls, const void *p, size_t n)
{
	ssize_t put = tls ? tls_write(tls, p, n) : send(fd, p, n, MSG_NOSIGNAL);

	return put < 0 && !tls ? -errno : put;
}
