/* Listening sockets. Worker 0 accepts for all, and each connection goes to the worker that has the
 * fewest. */
#ifndef HUBD_LISTENER_H
#define HUBD_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

struct listeners;
struct workers;

/* None yet. At most max connections at a time are accepted for the workers: more only in the place
 * of those that do nothing. NULL: no memory. */
struct listeners *listeners_new(struct workers *workers, unsigned max);

/* Listens on HOST:PORT ([HOST]:PORT for IPv6; an empty HOST means every address; port 0 takes a
 * free one), on every address that HOST has. Returns 0, or an exit status after logging why. */
int listeners_add_tcp(struct listeners *ls, const char *address);

/* Listens on a Unix socket, mode 0660. A file that a dead server left there is replaced. Returns 0,
 * or an exit status after logging why. */
int listeners_add_unix(struct listeners *ls, const char *path);

/* Begins to accept, on worker 0's loop. Returns 0 or an exit status after logging why. */
int listeners_start(struct listeners *ls);

/* Calls each(text, local, arg) with every address really bound. */
void listeners_each(const struct listeners *ls,
		    void (*each)(const char *text, bool local, void *arg), void *arg);

/* Stops accepting, closes the sockets and removes the socket's file, if it is still ours. The loop
 * must run once more before listeners_free(). */
void listeners_stop(struct listeners *ls);
void listeners_free(struct listeners *ls);

#endif
