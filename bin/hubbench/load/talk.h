/* A member's way: it connects, joins, takes what the server says, and leaves. What a connection and
 * a dialect return becomes here what is done and what is counted. For the thread that owns the
 * loop. After any of these the connection may be closed: then conn.fd is -1. */
#ifndef HUBBENCH_TALK_H
#define HUBBENCH_TALK_H

#include "load/load.h"

/* An idle member connects. */
void talk_open(struct loop *l, struct member *m);

/* epoll has these events for its connection, which is open. */
void talk_ready(struct loop *l, struct member *m, uint32_t events);

/* Its connection stands: it joins, or waits for the server to speak first. */
void talk_stands(struct loop *l, struct member *m);

/* The server has not answered for so many seconds: it fails. */
void talk_timeout(struct loop *l, struct member *m, unsigned seconds);

/* Takes one message from the server. */
void talk_take(struct loop *l, struct member *m, const char *p, size_t len);

/* A joined member goes for good; another comes in its place. */
void talk_leave(struct loop *l, struct member *m);

#endif
