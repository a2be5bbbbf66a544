/* The key and the answer to it stand here beside each other: one decides what the other is. */
#include "net/upgrade.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/buf.h"

/* The answer tells whether the server is one that knows WebSocket. Nothing is hidden by the key, so
 * one will do for all. */
#define KEY "aHViYmVuY2ggaXMgYSB0ZQ=="

static const char accept_name[] = "sec-websocket-accept: ";
static const char accept_value[] = "plKcVnvSdngjwvk27XQyf5CVmAU=";

/* What a server that agrees has to say again, so that no message needs those before it. */
#define ALONE "server_no_context_takeover"

enum { SEEN_101 = 1, SEEN_ACCEPT = 2, SEEN_DEFLATE = 4 };

char *upgrade_request(const struct url *url, const char *subprotocol, bool deflate,
		      const char *const *lines, size_t n)
{
	struct buf out = {0};
	int r =
	    buf_printf(&out,
		       "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
		       "Sec-WebSocket-Version: 13\r\n",
		       url->path, url->ipv6 ? "[" : "", url->host, url->ipv6 ? "]" : "", url->port);

	if (subprotocol)
		r |= buf_printf(&out, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
	if (deflate)
		r |= buf_puts(&out, "Sec-WebSocket-Extensions: permessage-deflate; " ALONE
				    "; client_no_context_takeover\r\n");
	if (url->user[0]) {
		r |= buf_puts(&out, "Authorization: Basic ");
		r |= base64_append(&out, url->user, strlen(url->user));
		r |= buf_puts(&out, "\r\n");
	}
	for (size_t i = 0; i < n; i++)
		r |= buf_printf(&out, "%s\r\n", lines[i]);
	if (r < 0 || buf_put(&out, "\r\n", 3) < 0)
		buf_free(&out);
	return out.data;
}

static int is_accept(const char *p, size_t len)
{
	size_t name = sizeof(accept_name) - 1, value = sizeof(accept_value) - 1;

	return len == name + value && strncasecmp(p, accept_name, name) == 0 &&
	       memcmp(p + name, accept_value, value) == 0;
}

/* Servers of the kind know no other name for it. */
static bool is_deflate(const char *p, size_t len)
{
	static const char name[] = "sec-websocket-extensions:";

	return len > sizeof(name) && strncasecmp(p, name, sizeof(name) - 1) == 0 &&
	       memmem(p, len, "permessage-deflate", 18) && memmem(p, len, ALONE, sizeof(ALONE) - 1);
}

bool upgrade_deflates(uint8_t seen)
{
	return seen & SEEN_DEFLATE;
}

enum upgrade_got upgrade_take(uint8_t *seen, const char *p, size_t len, char *why, size_t cap)
{
	if (len && p[len - 1] == '\r')
		len--;
	if (!(*seen & SEEN_101)) {
		if (len >= 12 && memcmp(p, "HTTP/1.1 101", 12) == 0) {
			*seen = SEEN_101;
			return UPGRADE_MORE;
		}
		snprintf(why, cap, "%.*s", (int)(len < 60 ? len : 60), p);
		return UPGRADE_REFUSED;
	}
	if (is_accept(p, len))
		*seen |= SEEN_ACCEPT;
	if (is_deflate(p, len))
		*seen |= SEEN_DEFLATE;
	if (len)
		return UPGRADE_MORE;
	if (*seen & SEEN_ACCEPT)
		return UPGRADE_DONE;
	snprintf(why, cap, "a wrong Sec-WebSocket-Accept");
	return UPGRADE_REFUSED;
}
