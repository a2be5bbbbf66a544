/* The front: HTTP/1.1 on a stream (RFC 9112), until it becomes a WebSocket. */
#ifndef HUBD_HTTP_H
#define HUBD_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct tls;
struct worker;

/* Takes over a TCP connection that was just accepted, as number born; closes it where that fails.
 */
void http_adopt(struct worker *w, int fd, struct tls *tls, uint32_t born);

/* Ends the connection that has waited longest without a request; false where there is none. */
bool http_evict(struct worker *w);

/* Ends all that are between two requests. */
void http_drain(struct worker *w);

#endif
