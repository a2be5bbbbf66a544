#include "options_check.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "bus/redis_url.h"
#include "door/http_routes.h"
#include "door/listener.h"
#include "options.h"
#include "wire/forwarded.h"

#define AT(field) offsetof(struct hub_options, field)

/* Whether it is *, or as browsers write an origin: SCHEME://HOST[:PORT] (RFC 6454 section 6.2). */
static bool is_origin(const char *text)
{
	const char *host = strstr(text, "://");

	if (strcmp(text, "*") == 0)
		return true;
	return host && host != text && host[3] &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == (size_t)(host - text) &&
	       host[3 + strcspn(host + 3, "/?# \t,\"ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* What is wrong with a glob for hosts, or NULL. */
static const char *wrong_host(const char *glob)
{
	const char *colon = strchr(glob, ':'), *bracket = strchr(glob, ']');

	if (!*glob || strpbrk(glob, "/ \t,"))
		return "is no host, such as hub.example.org";
	if (*glob == '[' ? !bracket || bracket[1] : colon && !strchr(colon + 1, ':'))
		return "goes without a port, which is not looked at";
	return NULL;
}

/* Whether it may match what browsers write as an origin, null and file:// among them. */
static bool is_origin_glob(const char *glob)
{
	const char *host = strstr(glob, "://");

	if (strcmp(glob, "*") == 0 || strcmp(glob, "null") == 0)
		return true;
	return host && host != glob && !strpbrk(host + 3, "/# \t,\"") &&
	       !strpbrk(glob, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static const char *wrong_socketio_path(const char *path)
{
	if (!*path || strcmp(path, "none") == 0)
		return NULL;
	if (*path != '/')
		return "does not begin with a slash";
	if (strpbrk(path, "?# \t"))
		return "is no path";
	return http_routes_has(path) ? "is the path of another door" : NULL;
}

static const char *wrong_listen(const char *address, bool or_none)
{
	char host[NI_MAXHOST];
	const char *port;

	return (or_none && strcmp(address, "none") == 0) ||
		       listeners_split(address, host, sizeof(host), &port) == 0
		   ? NULL
		   : "is not HOST:PORT";
}

static const char *wrong_socket(const char *path)
{
	return !*path ? "is no path"
	       : strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path
		   ? "is longer than the path of a socket may be"
		   : NULL;
}

/* What a text cannot be, whatever the other options say. */
static const char *wrong_text(size_t option, const char *text)
{
	switch (option) {
	case AT(listen):
		return wrong_listen(text, true);
	case AT(listen_proxy):
		return wrong_listen(text, false);
	case AT(socket):
		return wrong_socket(text);
	case AT(host):
		return wrong_host(text);
	case AT(origin):
		return is_origin_glob(text)
			   ? NULL
			   : "matches no origin, such as https://example.org or null";
	case AT(cors):
		return is_origin(text) ? NULL
				       : "is no origin, such as https://example.org, and not *";
	case AT(socketio_path):
		return wrong_socketio_path(text);
	case AT(keys):
	case AT(store):
	case AT(bus_ca):
	case AT(rules):
	case AT(auth_key):
	case AT(tls_cert):
	case AT(tls_key):
		return *text ? NULL : "is no file";
	default:
		return NULL;
	}
}

static int check_networks(const char *list, char *why, size_t cap)
{
	struct trust trust = {0};
	struct http1_span at;
	const char *wrong = trust_add(&trust, list, &at);

	if (!wrong)
		return 0;
	snprintf(why, cap, "'%.*s': %s", (int)at.len, at.p, wrong);
	return -EINVAL;
}

/* What may hold a password is not said again. */
static int check_bus(const char *url, char *why, size_t cap)
{
	struct redis_url u;

	return redis_url_parse(&u, url, why, cap);
}

int options_check_text(const struct opt *o, const char *text, char *why, size_t cap)
{
	const char *wrong = wrong_text(o->offset, text);

	if (o->offset == AT(trust_proxy))
		return check_networks(text, why, cap);
	if (o->offset == AT(bus))
		return check_bus(text, why, cap);
	if (!wrong)
		return 0;
	snprintf(why, cap, "'%.130s' %s", text, wrong);
	return -EINVAL;
}
