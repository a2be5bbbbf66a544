/* Which paths there are, and who serves them. */
#ifndef HUBD_HTTP_ROUTES_H
#define HUBD_HTTP_ROUTES_H

#include <stdbool.h>

struct http;

/* Serves the request that h->head has: answers it, or hands it to who will. h may be no more. */
void http_serve(struct http *h);

/* Whether somebody serves that path, without or with a slash at its end. */
bool http_routes_has(const char *path);

#endif
