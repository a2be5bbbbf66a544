/* One connection to Redis, which never blocks but for names that are looked up: TCP, TLS or a Unix
 * socket; commands are appended to `out`, replies come one by one (hiredis' parser). For one
 * thread. */
#ifndef HUBD_REDIS_CONN_H
#define HUBD_REDIS_CONN_H

#include <hiredis/read.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "bus/redis_url.h"
#include "json/envelope.h"

struct ssl_ctx_st;
struct ssl_st;
struct redisReply;

enum redis_step {
	REDIS_CLOSED,
	REDIS_CONNECTING,
	REDIS_HANDSHAKE, /* of TLS */
	REDIS_OPEN,
};

struct redis_conn {
	enum redis_step step;
	int fd;
	struct ssl_st *ssl;
	bool ssl_writes; /* it waits to write, whatever it was asked for */
	struct redisReader *reader;
	struct buf out;
	size_t out_at;	   /* of it: sent already */
	uint64_t heard_ms; /* monotonic: when something came last, or it was begun */
	char why[160];	   /* what was wrong, of one that failed */
};

/* What TLS needs; NULL with why where the file cannot be read. Free with redis_tls_free(). */
struct ssl_ctx_st *redis_tls_new(const char *ca, char *why, size_t cap);
void redis_tls_free(struct ssl_ctx_st *tls); /* NULL is fine */

/* Begins to connect, by the attempt's turn to one of the hosts and of its addresses. c is closed.
 * Returns 0, or -errno with c->why set. */
int redis_conn_open(struct redis_conn *c, const struct redis_url *u, struct ssl_ctx_st *tls,
		    unsigned attempt);
void redis_conn_close(struct redis_conn *c); /* keeps why */

/* What poll(2) is to wait for. */
short redis_conn_events(const struct redis_conn *c);

/* Goes on with what poll(2) said. Returns 0, or -errno with c->why set: then it is to be closed. */
int redis_conn_io(struct redis_conn *c, const struct redis_url *u, short revents);

/* The next reply, the caller's to free by freeReplyObject(). Returns 1, 0 where there is none yet,
 * or -EPROTO with c->why set. */
int redis_conn_reply(struct redis_conn *c, struct redisReply **reply);

/* Appends a command. Returns 0 or -ENOMEM. */
int redis_put(struct buf *out, const struct span *args, size_t n);

/* The same part by part: how many arguments, then each. */
int redis_put_count(struct buf *out, size_t n);
int redis_put_arg(struct buf *out, const void *data, size_t len);

#endif
