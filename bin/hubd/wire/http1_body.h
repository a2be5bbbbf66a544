/* The body of a request (RFC 9112 sections 6 and 7), as a stream: pieces of it where they lie, with
 * nothing collected. What a body may have in all is for the caller to count.
 *
 *	http1_body_start(&body, &head);
 *	for each piece [p, end) behind the head:
 *		while ((got = http1_body_read(&body, &p, end, &piece)) == HTTP1_PIECE)
 *			take(piece);
 *		if (got != HTTP1_MORE)
 *			the body is over: p is where the next request starts, unless it was refused
 */
#ifndef HUB_HTTP1_BODY_H
#define HUB_HTTP1_BODY_H

#include "wire/http1.h"

#define HTTP1_EXTENSIONS_MAX 4096 /* bytes of chunk extensions in a body; they are ignored */
#define HTTP1_TRAILERS_MAX 4096	  /* bytes of trailer fields; they are ignored */

struct http1_body {
	int status;	 /* of HTTP1_REFUSED: 400, or 431 where the trailers are too large */
	const char *why; /* of HTTP1_REFUSED: a constant phrase for the log */

	/* For http1_body.c only. */
	uint64_t left;	  /* bytes of the body or of its chunk; while the size comes, its value */
	uint32_t ignored; /* bytes of extensions, then of trailers */
	uint8_t state, digits;
};

/* head: one that is done. */
void http1_body_start(struct http1_body *b, const struct http1_head *head);

/* Reads on from *p and moves it behind what is used:
 * HTTP1_PIECE    *piece is payload, never empty; call again
 * HTTP1_MORE     all is used, *p == end
 * HTTP1_DONE     the body is over, with nothing used behind it; said again if called again
 * HTTP1_REFUSED  the framing is broken: answer status and close
 * A chunk size has at most 16 digits and is below 2^63 (RFC 9112 section 7.1). */
enum http1_got http1_body_read(struct http1_body *b, const char **p, const char *end,
			       struct http1_span *piece);

#endif
