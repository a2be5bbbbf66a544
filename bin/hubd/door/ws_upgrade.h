/* The handshake that makes a WebSocket of a request (RFC 6455 section 4). */
#ifndef HUBD_WS_UPGRADE_H
#define HUBD_WS_UPGRADE_H

#include "door/http_request.h"
#include "wire/websocket_deflate.h"

/* Before anything else here, from any thread. Returns 0, or -ENOSYS: OpenSSL has no SHA-1. */
int ws_upgrade_start(void);

/* Answers it, and hands the stream to ws.c, or says why not. h may be no more. */
void ws_serve(struct http *h);

/* Whether it is a handshake, with its key; else it is answered, and h may be no more. */
bool ws_check(struct http *h, struct http1_span *key);

/* Agrees to one, and to that (NULL: to nothing more). Then the stream is the caller's, who frees h.
 * Returns 0 or -errno. */
int ws_agree(struct http *h, struct http1_span key, const struct websocket_deflate *deflate);

#endif
