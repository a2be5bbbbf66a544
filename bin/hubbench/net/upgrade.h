/* The upgrade from HTTP to WebSocket as a client sees it (RFC 6455 section 4): the request, and the
 * answer line by line. Pure: no sockets. */
#ifndef HUBBENCH_UPGRADE_H
#define HUBBENCH_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/url.h"

/* The request for url, with a line for its user, where it has one, one for the subprotocol, where
 * one is asked for, one that offers permessage-deflate, where that is wanted, and n more lines.
 * What is given has no line breaks. A new string; NULL: no memory. */
char *upgrade_request(const struct url *url, const char *subprotocol, bool deflate,
		      const char *const *lines, size_t n);

enum upgrade_got {
	UPGRADE_REFUSED = -1, /* no WebSocket: why has the reason */
	UPGRADE_MORE,
	UPGRADE_DONE, /* behind this line WebSocket begins */
};

/* Takes one line of the answer, without its line feed. *seen: what there was so far, 0 before the
 * first line. */
enum upgrade_got upgrade_take(uint8_t *seen, const char *p, size_t len, char *why, size_t cap);

/* Whether the server has agreed to what was offered: to deflate each message alone. */
bool upgrade_deflates(uint8_t seen);

#endif
