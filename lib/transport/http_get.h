/* One GET from a hub, over its Unix socket or beside its WebSocket, for a program that has no loop:
 * it waits for the answer. */
#ifndef HUB_HTTP_GET_H
#define HUB_HTTP_GET_H

#include <stdint.h>

#include "base/buf.h"
#include "base/url.h"
#include "transport/transport.h"

#define HTTP_GET_MAX (4 << 20) /* bytes of an answer */

/* Asks for path as o says (NULL: no options), and takes limit_ms at most for each step of it.
 * Returns the status of the answer, with its body in *body, which is emptied first; or -errno with
 * the reason, for people, in why: -EACCES where it is not permitted to connect. */
int http_get(const struct url *url, const struct transport_options *o, const char *path,
	     uint32_t limit_ms, struct buf *body, char *why, size_t cap);

#endif
