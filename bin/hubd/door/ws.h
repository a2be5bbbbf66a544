/* The WebSocket door (RFC 6455): a stream whose handshake http.c has answered. */
#ifndef HUBD_WS_H
#define HUBD_WS_H

#include <stdint.h>

struct identity;
struct stream;

/* Makes the stream a connection of id, or where that is NULL of nobody in particular, as number
 * born; takes no reference. bits: of the window that was promised where permessage-deflate is
 * agreed on, else 0. Returns 0, -ENOMEM, or -EBUSY where that user has as many connections
 * as he may; then nothing has changed. */
int ws_begin(struct stream *s, uint32_t born, struct identity *id, unsigned bits);

#endif
