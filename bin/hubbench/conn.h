/* A connection: its states, what goes out, and what comes in. Functions are for the loop that owns
 * it. After any of them the connection may be closed: then its fd is -1. */
#ifndef HUBBENCH_CONN_H
#define HUBBENCH_CONN_H

#include "loop.h"

void conn_init(struct loop *l, struct conn *c, uint32_t client, uint64_t wake_ns);
void conn_free(struct conn *c);

void conn_open(struct loop *l, struct conn *c);
void conn_ready(struct loop *l, struct conn *c, uint32_t events);
void conn_timeout(struct loop *l, struct conn *c);

/* The server does not let it in. */
void conn_refuse(struct loop *l, struct conn *c, const char *why);

/* Closes it without a word; it opens again at wake_ns. */
void conn_drop(struct loop *l, struct conn *c, uint64_t wake_ns);

/* Has epoll watch for what it needs. */
void conn_watch(struct loop *l, struct conn *c);

/* Sends a text as a frame, or as a line: now, or as soon as the socket takes it. */
void conn_send(struct loop *l, struct conn *c, const char *text, size_t len);

/* Writes a text as it goes over the connection; returns its length, at most that of the text and
 * WSIO_HEADER_MAX. */
size_t conn_frame(struct loop *l, const struct conn *c, unsigned char *out, unsigned opcode,
		  const char *text, size_t len);

/* Hands bytes to the kernel. Returns how many it took; negative: the connection is gone. */
ssize_t conn_write(struct loop *l, struct conn *c, const void *p, size_t n);

/* Keeps the rest of a frame that the kernel has begun to take. False: the connection is gone. */
bool conn_rest(struct loop *l, struct conn *c, const void *p, size_t n);

/* For member.c. */
void conn_set_joined(struct loop *l, struct conn *c);
void conn_set_leaving(struct loop *l, struct conn *c);

#endif
