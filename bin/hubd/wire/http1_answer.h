/* Answers of HTTP/1.1 (RFC 9112 section 4, RFC 9110 section 15), appended to a buffer of the
 * caller. All return 0, or -ENOMEM or -EINVAL with the buffer as it was. */
#ifndef HUB_HTTP1_ANSWER_H
#define HUB_HTTP1_ANSWER_H

#include "base/buf.h"
#include "wire/http1_chars.h"

/* "HTTP/1.1 404 Not Found" CRLF. status: 100 to 599, else -EINVAL. */
int http1_put_status(struct buf *b, int status);

/* "Name: value" CRLF. -EINVAL where the name is no token, or the value has a control character,
 * which would let it end its line. */
int http1_put_field(struct buf *b, const char *name, const char *value);

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT" CRLF (RFC 9110 section 5.6.7), which every final answer of
 * a server with a clock has (section 6.6.1). seconds: since 1970. */
int http1_put_date(struct buf *b, int64_t seconds);

#endif
