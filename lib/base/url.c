/* Reading and writing addresses. Invariant: what url_parse() takes, url_format() writes so that it
 * reads as the same again. */
#include "base/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define URL_SOCKET_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
#define URL_HOST_BYTES               \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

static int url_bad(char *why, size_t cap, const char *what)
{
	snprintf(why, cap, "%s", what);
	return -EINVAL;
}

static int url_parse_unix(struct url *url, const char *path, char *why, size_t cap)
{
	url->scheme = URL_UNIX;
	if (strncmp(path, "//", 2) == 0 && path[2] != '/')
		return url_bad(why, cap, "a socket has no host: unix:/path");
	while (path[0] == '/' && path[1] == '/')
		path++; /* unix:///path, as some write it */
	if (!*path)
		return url_bad(why, cap, "the path of the socket is missing");
	if (strlen(path) >= URL_SOCKET_MAX) {
		snprintf(why, cap, "the path of the socket is longer than %zu bytes",
			 URL_SOCKET_MAX - 1);
		return -EINVAL;
	}
	snprintf(url->path, sizeof(url->path), "%s", path);
	return 0;
}

/* Reads [address] or a name from *p on and moves *p behind it. */
static int url_parse_host(struct url *url, const char **p, char *why, size_t cap)
{
	const char *host = *p;
	struct in6_addr addr;
	size_t n;

	url->ipv6 = *host == '[';
	if (url->ipv6) {
		n = strcspn(++host, "]");
		if (!host[n])
			return url_bad(why, cap, "']' is missing after the IPv6 address");
		*p = host + n + 1;
	} else {
		n = strspn(host, URL_HOST_BYTES);
		*p = host + n;
	}
	if (!n)
		return url_bad(why, cap, "the host is missing");
	if (n > URL_HOST_MAX)
		return url_bad(why, cap, "the host is too long");
	memcpy(url->host, host, n);
	url->host[n] = '\0';
	if (url->ipv6 && inet_pton(AF_INET6, url->host, &addr) != 1)
		return url_bad(why, cap, "not an IPv6 address between the brackets");
	return 0;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Reads user:password@ from *p on, percent-encoded, and moves *p behind it. */
static int url_parse_user(struct url *url, const char **p, char *why, size_t cap)
{
	size_t n = 0;
	const char *c = *p;

	for (; *c != '@'; c++) {
		char byte = *c;

		if (byte == '%' && (hex(c[1]) < 0 || hex(c[2]) < 0))
			return url_bad(why, cap, "a '%' in the user name is not %XX");
		if (byte == '%') {
			byte = (char)(hex(c[1]) << 4 | hex(c[2]));
			c += 2;
		}
		if (n + 1 >= sizeof(url->user) || byte == '\0' || byte == '\r' || byte == '\n')
			return url_bad(why, cap, "the user name is too long, or not text");
		url->user[n++] = byte;
	}
	url->user[n] = '\0';
	*p = c + 1;
	return 0;
}

static int url_parse_port(struct url *url, const char **p, char *why, size_t cap)
{
	unsigned long port;
	char *end;
	size_t n;

	if (**p != ':')
		return 0;
	++*p;
	n = strspn(*p, "0123456789");
	port = n && n <= 5 ? strtoul(*p, &end, 10) : 0;
	if (port < 1 || port > 65535)
		return url_bad(why, cap, "the port is not a number from 1 to 65535");
	url->port = (uint16_t)port;
	*p += n;
	return 0;
}

static int url_parse_ws(struct url *url, const char *p, char *why, size_t cap)
{
	size_t authority = strcspn(p, "/?#");
	int r;

	if (memchr(p, '@', authority)) {
		r = url_parse_user(url, &p, why, cap);
		if (r < 0)
			return r;
	}
	r = url_parse_host(url, &p, why, cap);
	if (r == 0)
		r = url_parse_port(url, &p, why, cap);
	if (r < 0)
		return r;
	if (*p && *p != '/' && *p != '?') {
		snprintf(why, cap, "unexpected '%c' after the host", *p);
		return -EINVAL;
	}
	for (const char *c = p; *c; c++) {
		if (*c == '#')
			return url_bad(why, cap,
				       "a fragment ('#') has no place in a WebSocket URL");
		if (*c <= ' ' || *c > '~')
			return url_bad(why, cap, "only printable ASCII may stand in the path");
	}
	if (strlen(p) >= sizeof(url->path) - 3)
		return url_bad(why, cap, "the path is too long");
	snprintf(url->path, sizeof(url->path), "%s%s", *p == '/' ? "" : "/ws", p);
	return 0;
}

int url_parse(struct url *url, const char *text, char *why, size_t cap)
{
	*url = (struct url){0};
	if (strncmp(text, "unix:", 5) == 0)
		return url_parse_unix(url, text + 5, why, cap);
	if (strncmp(text, "ws://", 5) == 0) {
		url->scheme = URL_WS;
		url->port = 80;
		return url_parse_ws(url, text + 5, why, cap);
	}
	if (strncmp(text, "wss://", 6) == 0) {
		url->scheme = URL_WSS;
		url->port = 443;
		return url_parse_ws(url, text + 6, why, cap);
	}
	return url_bad(why, cap, "not one of unix:/path, ws://host:port/ws, wss://host:port/ws");
}

int url_choose(struct url *url, const char *text, char *why, size_t cap)
{
	const char *env = getenv("HUB_URL");
	char what[160];
	int r;

	if (text && *text)
		return url_parse(url, text, why, cap);
	if (!text && env && *env) {
		r = url_parse(url, env, what, sizeof(what));
		if (r < 0)
			snprintf(why, cap, "HUB_URL: %.100s: %s", env, what);
		return r;
	}
	*url = (struct url){.scheme = URL_UNIX};
	r = url_default_socket(url->path, sizeof(url->path), false);
	if (r == -EPERM)
		snprintf(why, cap,
			 "%s: its directory is not safe: another user's, or open to others",
			 url->path);
	else if (r < 0)
		snprintf(why, cap, "default socket: %s", strerror(-r));
	return r;
}

void url_format(const struct url *url, char *out, size_t cap)
{
	if (url->scheme == URL_UNIX)
		snprintf(out, cap, "unix:%s", url->path);
	else
		snprintf(out, cap, "%s://%s%s%s:%u%s", url->scheme == URL_WS ? "ws" : "wss",
			 url->ipv6 ? "[" : "", url->host, url->ipv6 ? "]" : "", url->port,
			 url->path);
}

/* Makes dir where it is missing and asked for; private means ours alone. */
static int url_check_dir(const char *dir, bool create, bool private)
{
	struct stat st;

	if (create && mkdir(dir, private ? 0700 : 0755) < 0 && errno != EEXIST)
		return -errno;
	/* lstat: a link in /tmp may be another user's. */
	if ((private ? lstat(dir, &st) : stat(dir, &st)) < 0)
		return errno == ENOENT && !create ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (private && (st.st_uid != geteuid() || (st.st_mode & 077)))
		return -EPERM;
	return 0;
}

int url_default_socket(char *path, size_t cap, bool create_dir)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char dir[64] = "/run/hub";
	bool root = geteuid() == 0;
	int n;

	/* The XDG specification: a relative path there is to be ignored. */
	if (runtime && *runtime == '/') {
		n = snprintf(path, cap, "%s/hub.sock", runtime);
		return (size_t)n >= cap || (size_t)n >= URL_SOCKET_MAX ? -ENAMETOOLONG : 0;
	}
	if (!root)
		snprintf(dir, sizeof(dir), "/tmp/hub-%lu", (unsigned long)geteuid());
	n = snprintf(path, cap, "%s/hub.sock", dir);
	if ((size_t)n >= cap || (size_t)n >= URL_SOCKET_MAX)
		return -ENAMETOOLONG;
	return url_check_dir(dir, create_dir, !root);
}
