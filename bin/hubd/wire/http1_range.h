/* What a client has of a file already, and which part of it it wants (RFC 9110 sections 13 and 14).
 */
#ifndef HUB_HTTP1_RANGE_H
#define HUB_HTTP1_RANGE_H

#include "wire/http1_chars.h"

/* How tags are compared (RFC 9110 section 8.8.3.2). */
enum http1_tags {
	HTTP1_WEAK,   /* of If-None-Match: a weak one will do */
	HTTP1_STRONG, /* of If-Match: it will not */
};

/* Whether a line of If-Match or If-None-Match names the tag, a strong one that is given with its
 * quotes: by itself, or by "*" (RFC 9110 sections 13.1.1 and 13.1.2). What is no list of tags names
 * what stands in front of where it goes wrong. */
bool http1_tag_in(struct http1_span list, struct http1_span tag, enum http1_tags how);

enum http1_range {
	HTTP1_ALL,    /* it asks for no part, or for several, or is no range: all of it is sent */
	HTTP1_PART,   /* *len bytes from *from on: at least one */
	HTTP1_BEYOND, /* there is nothing of what it asks for */
};

/* What a line of Range asks for of so many bytes (RFC 9110 section 14.2). */
enum http1_range http1_range(struct http1_span value, uint64_t size, uint64_t *from, uint64_t *len);

#endif
