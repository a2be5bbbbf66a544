/* What the kernel holds for the sockets of the process. To ask of a socket is a system call, so
 * they are asked in rounds, a bounded number of them each second, and what is told is what the last
 * round has found. A round needs no list of them: it goes through the numbers of descriptors, and
 * whatever else one is, or becomes meanwhile, answers that it is no socket. */
#ifndef HUBD_SOCKETS_H
#define HUBD_SOCKETS_H

#include <stdatomic.h>
#include <stdint.h>

struct worker;

/* Zeroed at the start; sockets_second()'s, but for the last three, which any thread reads. */
struct sockets {
	int at; /* the descriptor that is next */
	uint_fast64_t open, send, receive;
	atomic_uint_fast64_t open_fds;	    /* descriptors of any kind */
	atomic_uint_fast64_t send_bytes;    /* kernel memory for what leaves */
	atomic_uint_fast64_t receive_bytes; /* and for what has not been read */
};

/* Goes on with the round, about once a second. For worker 0, of whose doors the struct is. */
void sockets_second(struct worker *w);

#endif
