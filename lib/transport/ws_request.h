/* What the request for a WebSocket says beyond what libwebsockets writes by itself. Knows neither
 * the connection nor libwebsockets. */
#ifndef HUB_WS_REQUEST_H
#define HUB_WS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/url.h"
#include "transport/transport.h"

/* What Host says: RFC 9110 section 7.2. */
void ws_request_host(const struct url *url, char *out, size_t cap);

/* Whether text is a header's line, "Name: value", and no other line hides in it. */
bool ws_request_header_ok(const char *text);

/* Reads [http://][user:password@]host:port[/...] into out, without what is around it. False for
 * what is none, or does not fit. */
bool ws_request_proxy(const char *text, char *out, size_t cap);

/* Writes the line for the URL's user, and those of o (NULL: none), to *at, where there is room for
 * len bytes, and moves *at behind them. Returns 0, or -1 where they do not fit. */
int ws_request_headers(const struct url *url, const struct transport_options *o, unsigned char **at,
		       size_t len);

/* Reads the token of o, which may be another one each time. *line: "Bearer ...", by malloc(), or
 * NULL where there is none to show. Returns 0, or -1 with the reason in why, and *line NULL. */
int ws_request_token(const struct transport_options *o, char **line, char *why, size_t cap);

#endif
