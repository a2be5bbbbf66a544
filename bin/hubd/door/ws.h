/* The WebSocket door (RFC 6455): a stream whose handshake http.c has answered. */
#ifndef HUBD_WS_H
#define HUBD_WS_H

#include <stdint.h>

struct stream;

/* Makes the stream a connection, as number born. Returns 0 or -ENOMEM, then nothing has changed. */
int ws_begin(struct stream *s, uint32_t born);

#endif
