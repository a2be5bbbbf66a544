/* Reads of several sockets in one system call, by io_uring, where the kernel has that (Linux 6.0
 * on) and allows it: a generator that is told of many sockets at a time spends less than it
 * measures. */
#ifndef HUBBENCH_AHEAD_H
#define HUBBENCH_AHEAD_H

#include <sys/types.h>

#define AHEAD_MAX 64		  /* sockets at a time */
#define AHEAD_ROOM (4u << 10)	  /* before what is read, for what was left of the last piece */
#define AHEAD_READ_MAX (8u << 10) /* bytes of each */

struct ahead;

/* NULL: there is no io_uring, or no memory. */
struct ahead *ahead_new(void);
void ahead_free(struct ahead *a); /* NULL is fine */

/* Reads from the first n sockets that were set by ahead_set(). Returns how many it has looked at,
 * the first ones; less than n where the kernel has failed, which then does not go on. */
void ahead_set(struct ahead *a, unsigned i, int fd);
unsigned ahead_read(struct ahead *a, unsigned n);

/* What came from one: *p is behind AHEAD_ROOM bytes. Bytes, 0 at the end, or -errno. */
ssize_t ahead_take(const struct ahead *a, unsigned i, char **p);

#endif
