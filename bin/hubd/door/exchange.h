/* A request whose answer takes a connection (struct conn): a reader's, whose cursor fills it, or a
 * publisher's. It is the connection's handle and, from exchange_begin() on, the stream's user; who
 * uses it embeds it first.
 *
 * The answer is undecided, then either collected (the status is known at the end) or streamed (the
 * head was sent). The connection's closing ends it: then the stream is HTTP's again. */
#ifndef HUBD_EXCHANGE_H
#define HUBD_EXCHANGE_H

#include <stdbool.h>

#include "conn/conn.h"
#include "door/http_request.h"
#include "member/member.h"

struct exchange {
	struct http *http;
	struct stream *stream;
	struct conn *conn;
	struct session *session; /* used until the end, or NULL */
	/* Gives up what is behind the exchange, which is freed next. */
	void (*end)(struct exchange *x);
	struct answer answer;
	struct buf text;   /* of the answer, while it is collected */
	struct buf fields; /* of its head */
	bool streams;	   /* the head was sent */
};

/* Makes a connection by door for the request that h is serving, and x, which malloc() has made, the
 * stream's user. Takes x: false where memory is out, then h has been answered. */
bool exchange_begin(struct exchange *x, struct http *h, const struct door *door,
		    const struct stream_user *user);

/* Ends with an error, if nothing was answered yet. message is static text; code NULL: the status'.
 */
void exchange_fail(struct exchange *x, int status, const char *code, const char *message);

/* Ends with what was collected, or streamed so far. */
void exchange_done(struct exchange *x);

/* Of one whose connection closes or finishes: ends it now, where nothing is due any more, so that
 * what comes behind it is handled with it. x may be no more. */
void exchange_end(struct exchange *x);

/* Adds a place in the session's log to the answer's head. Returns 0 or -ENOMEM. */
int exchange_put_place(struct exchange *x, uint64_t seq);

/* Sends the head: what is written from now on follows it, up to the end of the connection, or in
 * chunks. */
void exchange_stream(struct exchange *x, const char *type, enum answer_body body);

/* As struct door wants them. */
int exchange_write(struct conn *c, const void *data, size_t len);
void exchange_pause(struct conn *c, bool paused);
void exchange_close(struct conn *c, enum close_code code, const char *reason);
void exchange_abort(struct conn *c);
void exchange_peer(struct conn *c, struct address *a);
bool exchange_counts(struct conn *c, struct address *a);
int exchange_descriptor(const struct conn *c);

/* As struct stream_user wants them. */
size_t exchange_take(struct stream *s, unsigned char *p, unsigned char *end); /* it waits */
void exchange_writable(struct stream *s);
void exchange_progress(struct stream *s);
void exchange_gone(struct stream *s);

#endif
