/* The head of an HTTP/1.1 request (RFC 9112, RFC 9110), as a server must read it that faces
 * strangers: strict, bounded, without memory of its own, the same whatever pieces it comes in.
 *
 *	struct http1_head head = {0};
 *
 *	switch (http1_head(&head, buffer, filled, HTTP1_HEAD_MAX)) {
 *	case HTTP1_MORE: read on, append, and call again
 *	case HTTP1_DONE: the head is buffer[0, head.length); what it says is in head
 *	case HTTP1_REFUSED: answer head.status, then close
 *	}
 *
 * Where RFC 9112 lets a server choose, it refuses: a line feed without its carriage return
 * (section 2.2), white space where one space belongs (section 3), obsolete folding (section 5.2), a
 * Content-Length that is repeated (section 6.3). After a refusal nobody knows where the next
 * request would start, so that the connection must close. Two things it lets pass: one empty line
 * before the request (section 2.2), and what browsers do not escape in a target (http1_chars.h). */
#ifndef HUB_HTTP1_H
#define HUB_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/http1_chars.h"

#define HTTP1_HEAD_MAX 16384 /* bytes: the max to pass where there is no reason for another */
#define HTTP1_FIELDS_MAX 100 /* lines */

enum http1_got {
	HTTP1_MORE,    /* all that came is fine so far: more is needed */
	HTTP1_DONE,    /* the end was found */
	HTTP1_PIECE,   /* of http1_body_read() only */
	HTTP1_REFUSED, /* what came is not HTTP, or not for us: status says what to answer */
};

/* The methods of RFC 9110 section 9 and RFC 5789. */
enum http1_method {
	HTTP1_GET,
	HTTP1_HEAD,
	HTTP1_POST,
	HTTP1_PUT,
	HTTP1_DELETE,
	HTTP1_CONNECT,
	HTTP1_OPTIONS,
	HTTP1_TRACE,
	HTTP1_PATCH,
};

/* What stands in a request line (RFC 9112 section 3.2). The spans of the form that it has not are
 * empty. */
struct http1_target {
	struct http1_span text;	     /* as it came */
	struct http1_span authority; /* of the absolute and the authority form */

	/* Never empty but in the authority form; "*" in the asterisk form. Its escapes are valid,
	 * but may be %00: http1_decode(). */
	struct http1_span path;

	/* Without its "?"; p is NULL where there is none. Its escapes are not checked. */
	struct http1_span query;
};

/* Zeroed at the start. All spans point into the buffer, are set at HTTP1_DONE, and are good for as
 * long as it stays where it is. */
struct http1_head {
	int status;	 /* of HTTP1_REFUSED: 400, 414, 417, 431, 501 or 505 */
	const char *why; /* of HTTP1_REFUSED: a constant phrase for the log */

	uint32_t length; /* bytes, with the empty line at the end */
	enum http1_method method;
	bool version_1_0;     /* else 1.1, for which any later 1.x counts (RFC 9110 section 2.5) */
	bool keep_alive;      /* RFC 9112 section 9.3 */
	bool upgrade;	      /* Upgrade, and "upgrade" in Connection (RFC 9110 section 7.8) */
	bool expect_continue; /* a 100 is awaited (RFC 9110 section 10.1.1) */
	bool chunked;	      /* the framing of the body (RFC 9112 section 6.3) ... */
	uint64_t content_length; /* ... or its bytes; at most INT64_MAX */

	struct http1_target target;
	struct http1_span fields; /* for http1_next() */

	/* With its port: of the target, else of the Host field (RFC 9112 section 3.3). May be
	 * empty; p is NULL where HTTP/1.0 has none. */
	struct http1_span host;

	/* For http1.c only. */
	uint32_t scan, line; /* bytes seen to be harmless; the start of the line that they end in */
	uint32_t target_at, target_len, fields_at, host_at, host_len;
	uint8_t state, count, hosts;
	uint16_t seen;
};

/* Reads the head that starts at data, of which len bytes have come so far: data may have moved
 * since the last call, but what came before must still be its front. Of those only what is new is
 * looked at, so that a head costs the same in whatever pieces it comes. max: bytes that a head may
 * have, at most 1 GiB; over that it is refused, 414 in the request line (501 where not even the
 * method ends), else 431. What follows the head is not looked at. After HTTP1_DONE or HTTP1_REFUSED
 * it says the same again. */
enum http1_got http1_head(struct http1_head *h, const char *data, size_t len, size_t max);

/* Walks the field lines: *fields starts as head.fields. The name is as it came, the value without
 * white space around it, as in RFC 9112 section 5; obs-text (bytes from 0x80 on) may be in it.
 * False at the end. */
bool http1_next(struct http1_span *fields, struct http1_span *name, struct http1_span *value);

/* How many lines have the name, which is given in lower case; *value (may be NULL) is that of the
 * first, with p NULL where there is none. */
size_t http1_field(const struct http1_head *h, const char *lower, struct http1_span *value);

/* Walks the elements of the lists of all lines of that name, in lower case (RFC 9110
 * section 5.6.1), the empty ones among them: *fields starts as head.fields, *list as {NULL, 0}.
 * False at the end. */
bool http1_next_element(struct http1_span *fields, struct http1_span *list, const char *lower,
			struct http1_span *element);

/* Whether the lists of all lines of that name have the element, compared without case (RFC 9110
 * section 5.6.1). Name and element are given in lower case. For lists of tokens. */
bool http1_has(const struct http1_head *h, const char *lower, const char *element);

const char *http1_method_name(enum http1_method method);

#endif
