/* The HTTP beside the WebSocket, on libwebsockets: GET /healthz, and answers to what is not served.
 */
#ifndef HUBD_HTTP_H
#define HUBD_HTTP_H

#include "loop/worker.h"

struct lws;

/* Answers a request for path. 0, or -1 where the connection is to end. */
int http_request(struct worker *w, struct lws *wsi, const char *path);

/* An upgrade to `to`: 0 lets it through, 1 has answered it, -1 ends the connection. */
int http_upgrade(struct worker *w, struct lws *wsi, const char *to);

#endif
