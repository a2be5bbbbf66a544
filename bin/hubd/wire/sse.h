/* Server-sent events (WHATWG HTML section 9.2), as a server writes them. */
#ifndef HUBD_SSE_H
#define HUBD_SSE_H

#include "base/buf.h"
#include "wire/http1_chars.h"

#define SSE_COMMENT ":\n\n" /* an event that is none; keeps a connection in use */

/* Appends an event; id and type may be empty and are left out then, and so may data, of an event
 * that only sets the id. None of them may have a line end in it. Returns 0 or -ENOMEM, with the
 * buffer as it was. */
int sse_put(struct buf *out, struct http1_span id, struct http1_span type, struct http1_span data);

#endif
