/* Listening sockets. Worker 0 accepts for all, and each connection goes to the worker that has the
 * fewest. */
#ifndef HUBD_LISTENER_H
#define HUBD_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "door/doors.h"

struct listeners;
struct workers;

/* None yet. At most max connections at a time are accepted for the workers: more only in the place
 * of those that do nothing. NULL: no memory. */
struct listeners *listeners_new(struct workers *workers, unsigned max);

/* Takes HOST:PORT apart. Returns 0, or -EINVAL where it is not of that form. *port points into
 * address. */
int listeners_split(const char *address, char *host, size_t cap, const char **port);

/* Listens on HOST:PORT ([HOST]:PORT for IPv6; an empty HOST means every address; port 0 takes a
 * free one), on every address that HOST has, but for those that this machine has not, where it has
 * one of them. proxied: for trusted proxies only, which say whose each connection is. loopback: but
 * only where it is no other machine's to reach. Where ls is NULL it only looks whether that could
 * be, and binds nothing. Returns 0, or an exit status after logging why. */
int listeners_add_tcp(struct listeners *ls, const char *address, bool proxied, bool loopback);

/* Listens on a Unix socket, mode 0660. A file that a dead server left there is replaced. Returns 0,
 * or an exit status after logging why. */
int listeners_add_unix(struct listeners *ls, const char *path);

/* Listens on a socket that was handed over, bound to TCP or to a path that stays when hubd ends.
 * Takes fd. Returns 0, or an exit status after logging why. */
int listeners_add_fd(struct listeners *ls, int fd, bool loopback);

/* Gives the files of the Unix sockets to a user; of struct listeners. */
void listeners_own(void *listeners, uid_t uid, gid_t gid);

/* Begins to accept, on worker 0's loop. Returns 0 or an exit status after logging why. */
int listeners_start(struct listeners *ls);

/* Calls each(text, kind, arg) with every address really bound. */
void listeners_each(const struct listeners *ls,
		    void (*each)(const char *text, enum listen_kind kind, void *arg), void *arg);

/* Stops accepting, closes the sockets and removes the socket's file, if it is still ours. The loop
 * must run once more before listeners_free(). */
void listeners_stop(struct listeners *ls);
void listeners_free(struct listeners *ls);

#endif
