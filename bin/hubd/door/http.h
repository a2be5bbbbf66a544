/* The front: HTTP/1.1 on a stream (RFC 9112), until it becomes a WebSocket. http_request.h says how
 * requests are answered, http_routes.c by whom. */
#ifndef HUBD_HTTP_H
#define HUBD_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct arrival;
struct stream;
struct worker;

/* Takes over a TCP connection that was just accepted; closes it where that fails. */
void http_adopt(struct worker *w, const struct arrival *a);

/* Takes over a connection of the Unix socket that has begun a request, what came of it with it.
 * False where memory is out: then nothing has changed. */
bool http_take_over(struct stream *s, uint32_t born);

/* Ends the connection that has waited longest without a request; false where there is none. */
bool http_evict(struct worker *w);

/* Ends all that are between two requests. */
void http_drain(struct worker *w);

#endif
