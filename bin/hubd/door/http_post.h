/* The door for those who publish over HTTP, hub(7). */
#ifndef HUBD_HTTP_POST_H
#define HUBD_HTTP_POST_H

#include "door/http_request.h"

/* Serves the request that h->head has. Borrows session. h may be no more. */
void http_post(struct http *h, struct span session);

#endif
