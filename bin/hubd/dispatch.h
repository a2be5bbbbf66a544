/* What a message means: control types go to their handler, all others into the log. */
#ifndef HUBD_DISPATCH_H
#define HUBD_DISPATCH_H

#include <stddef.h>

struct conn;
struct member;
struct json_paths;

/* Handles one message from c. Borrows text. Answers through conn_send(). */
void dispatch(struct conn *c, const char *text, size_t len);

/* Takes m, which leaves its session: sends what it has not had, then the answer. */
void dispatch_left(struct conn *c, struct member *m);

/* The fields that control messages have beside the hub's own, for hub.control. NULL: no memory. */
struct json_paths *dispatch_paths(void);

#endif
