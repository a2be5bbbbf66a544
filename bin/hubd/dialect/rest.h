/* rest: a session over plain HTTP, hub(7). rest_query.c reads what a request asks for, rest_text.c
 * has what is said, rest_publish.c takes lines into a session. A reader is a hidden member; who
 * publishes is none. */
#ifndef HUBD_REST_H
#define HUBD_REST_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "member/member.h"
#include "session/seek.h"
#include "wire/http1_chars.h"

#define REST_WAIT_MAX 60     /* seconds */
#define REST_LIMIT 1000	     /* records in an answer, by default */
#define REST_LIMIT_MAX 10000 /* ... at most */
#define REST_CLIENT_MAX 64   /* bytes of a publisher's name */

/* --- rest_query.c */

struct rest_query {
	struct session_from from;
	bool state, batch, conflate;
	uint32_t wait_s, limit, tick_ms;
	bool has_area;
	double area[3];			   /* x, y, r */
	struct http1_span types, priority; /* as written, good as long as the query */
};

/* Reads a query (p NULL: there is none), and the value of a Last-Event-ID (the same), which goes
 * before `since`. What is not known here is passed over. Returns NULL, or what is wrong: static
 * text. */
const char *rest_read_query(struct rest_query *q, struct http1_span query,
			    struct http1_span last_event_id);

/* What it selects, with the types that it was given, as written; empty: all, or none. 0, -EINVAL or
 * -ENOMEM. */
int rest_wish(const struct rest_query *q, struct http1_span types, struct http1_span priority,
	      struct select_wish *wish);

/* The client id of who publishes by c under a name, which may be empty: the same for the same name
 * and user, so that nobody's messages are taken for repeats of another user's. A resume token is
 * the name of the client that it was made for. */
uint64_t rest_client(const struct conn *c, struct http1_span name);

/* --- rest_text.c */

/* The status that says it to HTTP. */
int rest_status(enum hub_code code);

/* A resume that failed, for joined->reason. As the texts of struct dialect. */
int rest_lost(struct buf *out, const char *session, const struct session_from *asked,
	      const struct session_joined *joined);

/* An error with any code. line 0: it is about none. */
int rest_error(struct buf *out, const char *code, const char *message, struct span msg_id,
	       uint64_t line);

int rest_conflict(struct buf *out, uint64_t seq, struct span msg_id, uint64_t line);

int rest_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id, uint64_t line);

/* --- rest_publish.c */

/* Who posts lines to a session. Each is answered, in order, through conn_send(): with a store once
 * its record is stored. While too many answers wait the connection is held. */
struct rest_publisher {
	struct conn *conn;
	struct session *session; /* used by the owner for as long as this lives */
	uint64_t client;
	uint64_t line;	      /* of the one that was taken last, from 1 on */
	enum hub_code failed; /* how the last one that failed did; HUB_OK: none has */

	/* For rest_publish.c only. */
	struct buf pending;	/* answers that wait */
	uint64_t latest;	/* the highest seq among them */
	struct rest_wait *wait; /* for one of them, or NULL */
	/* Where records are numbered elsewhere: answers in their order, of which some are not known
	 * yet. */
	struct rest_wait *first, **last;
	unsigned due;
	bool holds;
};

/* Takes a line, without its end; an empty one only counts. */
void rest_publish(struct rest_publisher *p, const char *text, size_t len);

/* The same for one that cannot be read at all. */
void rest_publish_failed(struct rest_publisher *p, enum hub_code code, const char *why);

/* Gives up what waits. */
void rest_publisher_end(struct rest_publisher *p);

#endif
