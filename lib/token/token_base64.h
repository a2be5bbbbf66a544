/* base64url as JWS has it (RFC 7515 section 2): no padding, no white space, and no bits beyond the
 * last byte, so that no two texts stand for the same bytes. */
#ifndef HUB_TOKEN_BASE64_H
#define HUB_TOKEN_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/* Returns the number of bytes in out, or -1 for what is not of that form or longer than cap. */
int token_base64_decode(const char *text, size_t len, void *out, size_t cap);

/* Appends; returns 0 or -ENOMEM. */
int token_base64_encode(struct buf *out, const void *bytes, size_t n);

#endif
