/* Reading of files without waiting for the disk on a worker's thread: what the kernel has in memory
 * is taken at once; the rest is read by libuv's threads, of which the process has four. */
#ifndef HUBD_WWW_READ_H
#define HUBD_WWW_READ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WWW_PIECE 16384 /* bytes at a time */

struct worker;

/* A piece, on its way from the disk or read. */
struct www_read;

typedef void www_read_done(struct worker *w, void *owner);

struct www_read {
	ssize_t got; /* how much was read, 0 at the end of the file, or -errno */
	char piece[WWW_PIECE];
};

/* Reads len bytes, or as many of them as are in memory, from a place in the file. Returns their
 * number, 0 at its end, or -errno: -EAGAIN where it would take the disk, or cannot be known. */
ssize_t www_read_cached(int fd, void *data, size_t len, uint64_t at);

/* Has len bytes, WWW_PIECE at most, read by another thread; then calls done() on the worker's. fd
 * must stay open, and what is returned be there, until then; free() frees it. NULL: out of memory.
 */
struct www_read *www_read_start(struct worker *w, int fd, size_t len, uint64_t at,
				www_read_done *done, void *owner);

#endif
