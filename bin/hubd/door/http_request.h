/* A connection that speaks HTTP/1.1 (RFC 9112), and the answers to its requests. http.c reads the
 * requests, http_routes.c says who serves which; who serves one answers by http_answer(), at once
 * or later, or hands the stream on for ever.
 *
 * A connection waits (for a request to begin), then reads a head, then serves; who serves it may be
 * the stream's user meanwhile, until http_back(). Then it throws away what was not read of the
 * body, and waits again. */
#ifndef HUBD_HTTP_REQUEST_H
#define HUBD_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "door/stream.h"
#include "json/envelope.h"
#include "wire/address.h"
#include "wire/http1.h"
#include "wire/http1_body.h"

#define HTTP_IDLE_S 15	    /* between two requests, and for an answer to be taken on */
#define HTTP_BODY_MAX 65536 /* bytes of a body that nobody wants and that are thrown away */

struct identity;
struct meter;

struct http {
	struct stream *stream;
	const struct stream_user *user; /* http.c's */
	struct http *next, *prev;	/* while it waits */
	struct http1_head head;		/* its spans only while the request is being served first */
	struct http1_body body;
	size_t body_left;	   /* that may still come */
	struct address socket;	   /* who was at its other end when it was accepted */
	struct address proxied;	   /* whom the PROXY header named, or nobody */
	struct identity *identity; /* borrowed, while the request is being served first */
	struct meter *meter;	   /* what its requests did so far, or NULL */
	const char *cors;	   /* the origin that is allowed to read the answer, or NULL */
	uint32_t born;
	uint32_t retry_s; /* its first request has come too early by so much: door/gate.h */
	bool paid;	  /* its first request was counted for its address already */
	bool crowded;	  /* its address has as many connections as it may: it is not served */
	bool local;	  /* came to an address of the loopback */
	bool waits;
	bool has_body; /* and nobody has read it */
	bool in_body;  /* which is thrown away */
	bool trusted;  /* came by the Unix socket */
};

/* How its end is told (RFC 9112 section 6.3). */
enum answer_body {
	ANSWER_WHOLE,	/* text is all of it */
	ANSWER_CHUNKED, /* it follows in chunks; to HTTP/1.0 as ANSWER_TO_END */
	ANSWER_TO_END,	/* it follows, up to the end of the connection */
	ANSWER_SIZED,	/* it follows, size bytes of it */
};

/* Zeroed where nothing else is said. */
struct answer {
	int status;
	const char *type; /* of the content */
	const char *code; /* of an error, whose message is text; NULL: as the status has it */
	struct span text;
	uint64_t size;		    /* of ANSWER_SIZED */
	const char *fields;	    /* lines of the head with their ends, or NULL */
	const char *cache;	    /* who may keep it; NULL: nobody */
	enum count_refusal counted; /* as what a refusal counts; 0: as its status says */
	unsigned allow;		    /* methods: bits, by enum http1_method */
	enum answer_body body;
	bool preflight; /* says what CORS wants to know */
	bool upgrade;	/* says which upgrades there are */
	bool close;
};

/* --- who waits for a request */

void http_wait_begin(struct http *h);
void http_wait_end(struct http *h);

/* --- answers */

struct answer http_error(int status, const char *code, const char *message);

/* Whether the connection ends behind an answer to its request. */
bool http_closes(const struct http *h, const struct answer *a);

/* Appends the head, and what it has of a body. Returns 0 or -ENOMEM. */
int http_put_answer(struct buf *b, const struct http *h, const struct answer *a);

/* Sends the answer to the request; then the next request is waited for, or the connection ends: h
 * may be no more. The stream's user must be http.c's. */
void http_answer(struct http *h, struct answer a);

/* Its answer was sent, some other way: as above. */
void http_answered(struct http *h, bool close);

/* Makes it the stream's user again. */
void http_back(struct http *h);

/* The stream is gone. */
void http_free(struct http *h);

#endif
