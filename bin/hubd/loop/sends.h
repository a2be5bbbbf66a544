/* Sends of a worker that leave together: many in one system call, by io_uring (io_uring_enter(2)),
 * where the kernel has it and allows it, from Linux 6.0 on; else one by one, and nobody can tell
 * which but by the time that it takes. None of them waits for a peer.
 *
 * What is added leaves with sends_go(), which the worker calls at the end of all that it runs
 * between sends_open() and that; or before, where more is added than fits. Until then its bytes are
 * to stay as they are: who changes or frees them calls sends_go() first, or hands them over by
 * sends_keep(). */
#ifndef HUBD_SENDS_H
#define HUBD_SENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define SENDS_MAX 256
#define SENDS_PIECES 4 /* of one */

/* Of one that has several pieces: of what a peer does not take a copy is made. */
#define SENDS_PIECES_BYTES 16384

struct sends;

/* What became of one, of so many pieces: bytes sent, or -errno (-EAGAIN: none, the peer's socket is
 * full). It may add nothing. */
typedef void sends_done(void *arg, const struct iovec *piece, unsigned pieces, ssize_t n);

/* ring: by io_uring, if that is there when it is first wanted. NULL: no memory. */
struct sends *sends_new(bool ring);
void sends_free(struct sends *s); /* with nothing in it */

/* To all of these NULL is one that is never open. */

void sends_open(struct sends *s);
bool sends_is_open(const struct sends *s);

/* Adds one, of a socket that has none among them. Returns its place, from 0, or -1 where it is to
 * be sent at once: they are not open. */
int sends_add(struct sends *s, int fd, const void *data, size_t len, sends_done *done, void *arg);

/* Adds a piece to the one at a place. False where it would be more than can be. */
bool sends_add_piece(struct sends *s, int place, const void *data, size_t len);

/* Drops something when what was added so far has left. */
void sends_keep(struct sends *s, void *what, void (*drop)(void *what));

/* All leave, and each done() is called, in order. */
void sends_go(struct sends *s);
void sends_close(struct sends *s); /* sends_go(); then nothing is added any more */

/* Changes each time that something has left: what was added in another round has. */
uint32_t sends_round(const struct sends *s);

/* sends_go(), where what was added in that round has not left: its bytes are to change. */
void sends_settle(struct sends *s, uint32_t round);

#endif
