#include "bus/redis_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong(char *why, size_t cap, const char *text)
{
	snprintf(why, cap, "%s", text);
	return -EINVAL;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Copies n bytes with their %XX decoded (RFC 3986 section 2.1). False where they do not fit, or
 * are none. */
static bool decode(char *out, size_t cap, const char *text, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < n ? hex(text[i + 1]) : -1;
			int low = high < 0 ? -1 : hex(text[i + 2]);

			if (low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (!c || len + 1 >= cap)
			return false;
		out[len++] = c;
	}
	out[len] = '\0';
	return true;
}

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT. */
static bool take_host(struct redis_host *h, const char *text, size_t n)
{
	const char *port = "6379", *colon;
	size_t port_len = 4;

	if (n && *text == '[') {
		const char *end = memchr(text, ']', n);

		if (!end || (end + 1 < text + n && end[1] != ':'))
			return false;
		colon = end + 1 < text + n ? end + 1 : NULL;
		if (colon) {
			port = colon + 1;
			port_len = (size_t)(text + n - port);
		}
		text++;
		n = (size_t)(end - text);
	} else if ((colon = memchr(text, ':', n)) != NULL) {
		port = colon + 1;
		port_len = (size_t)(text + n - port);
		n = (size_t)(colon - text);
	}
	if (!n || n >= sizeof(h->name) || !port_len || port_len >= sizeof(h->port) ||
	    strspn(port, "0123456789") < port_len)
		return false;
	memcpy(h->name, text, n);
	h->name[n] = '\0';
	memcpy(h->port, port, port_len);
	h->port[port_len] = '\0';
	return atoi(h->port) > 0 && atoi(h->port) < 65536;
}

static bool take_hosts(struct redis_url *u, const char *text, size_t n)
{
	const char *end = text + n;

	for (;;) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		size_t len = (size_t)((comma ? comma : end) - text);

		if (u->nhosts == REDIS_HOSTS_MAX || !take_host(&u->host[u->nhosts++], text, len))
			return false;
		if (!comma)
			return true;
		text = comma + 1;
	}
}

static bool take_user(struct redis_url *u, const char *text, size_t n)
{
	const char *colon = memchr(text, ':', n);

	if (!colon)
		return decode(u->password, sizeof(u->password), text, n);
	return decode(u->user, sizeof(u->user), text, (size_t)(colon - text)) &&
	       decode(u->password, sizeof(u->password), colon + 1, (size_t)(text + n - colon - 1));
}

int redis_url_parse(struct redis_url *u, const char *text, char *why, size_t cap)
{
	const char *end, *at;

	*u = (struct redis_url){0};
	if (strncmp(text, "unix:", 5) == 0) {
		const char *path = strncmp(text + 5, "//", 2) == 0 ? text + 7 : text + 5;

		if (*path != '/' || strlen(path) >= sizeof(u->path))
			return wrong(why, cap,
				     "unix: needs the path of a socket, of 107 bytes at most");
		strcpy(u->path, path);
		return 0;
	}
	if (strncmp(text, "rediss://", 9) == 0)
		u->tls = true;
	else if (strncmp(text, "redis://", 8) != 0)
		return wrong(why, cap, "must begin with redis://, rediss:// or unix:/");
	text += u->tls ? 9 : 8;
	end = text + strcspn(text, "/");
	at = NULL;
	for (const char *p = text; p < end; p++)
		if (*p == '@')
			at = p;
	if (at && !take_user(u, text, (size_t)(at - text)))
		return wrong(why, cap,
			     "user and password have 255 bytes at most, with %XX for others");
	text = at ? at + 1 : text;
	if (!take_hosts(u, text, (size_t)(end - text)))
		return wrong(why, cap,
			     "needs HOST or HOST:PORT, eight of them at most with commas between");
	if (*end == '/' && end[1]) {
		char *rest;
		long db = strtol(end + 1, &rest, 10);

		if (*rest || db < 0 || db > 65535)
			return wrong(why, cap, "ends with what is no number of a database");
		u->db = (unsigned)db;
	}
	return 0;
}

void redis_url_text(const struct redis_url *u, unsigned host, char *out, size_t cap)
{
	const struct redis_host *h = &u->host[u->nhosts ? host % u->nhosts : 0];
	bool v6 = strchr(h->name, ':') != NULL;

	if (u->path[0])
		snprintf(out, cap, "unix:%s", u->path);
	else
		snprintf(out, cap, "%s://%s%s%s:%s", u->tls ? "rediss" : "redis", v6 ? "[" : "",
			 h->name, v6 ? "]" : "", h->port);
}

size_t redis_url_auth(const struct redis_url *u, struct span words[REDIS_AUTH_WORDS])
{
	size_t n = 0;

	if (!u->password[0])
		return 0;
	words[n++] = (struct span){"AUTH", 4};
	if (u->user[0])
		words[n++] = (struct span){u->user, strlen(u->user)};
	words[n++] = (struct span){u->password, strlen(u->password)};
	return n;
}
