/* The encodings of hub7: WebSocket frames, and lines. */
#ifndef HUBD_ENCODING_H
#define HUBD_ENCODING_H

#include "conn/door.h"

extern const struct encoding encoding_websocket; /* a text frame each, RFC 6455 section 5.6 */
extern const struct encoding encoding_lines;	 /* a line each */

#endif
