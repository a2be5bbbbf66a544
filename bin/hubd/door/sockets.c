#include "door/sockets.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include "door/doors.h"

#define STEP 1024 /* descriptors asked at a time: some 0.2 ms */
#define OTHERS 64 /* numbers beyond the connections' that hubd's other descriptors may have */

/* The kernel counts what it has allocated, so that a message of one byte weighs some hundred. */
static void ask(struct sockets *s, int fd)
{
	uint32_t mem[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(mem);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len) < 0) {
		s->open += errno != EBADF;
		return;
	}
	s->open++;
	s->receive += mem[SK_MEMINFO_RMEM_ALLOC];
	/* TCP queues what the peer has not acknowledged; of that, and on Unix sockets alone, the
	 * other one is what is on its way. */
	s->send += mem[SK_MEMINFO_WMEM_QUEUED] > mem[SK_MEMINFO_WMEM_ALLOC]
		       ? mem[SK_MEMINFO_WMEM_QUEUED]
		       : mem[SK_MEMINFO_WMEM_ALLOC];
}

static int highest(const struct workers *all)
{
	int most = 0;
	unsigned i;

	for (i = 0; i < all->n; i++) {
		int fd = atomic_load_explicit(&all->at[i]->doors->highest, memory_order_relaxed);

		most = fd > most ? fd : most;
	}
	return most;
}

void sockets_second(struct worker *w)
{
	struct sockets *s = &w->doors->sockets;
	int end = highest(w->all) + OTHERS, stop = s->at + STEP;

	for (; s->at < end && s->at < stop; s->at++)
		ask(s, s->at);
	if (s->at < end)
		return;
	atomic_store_explicit(&s->open_fds, s->open, memory_order_relaxed);
	atomic_store_explicit(&s->send_bytes, s->send, memory_order_relaxed);
	atomic_store_explicit(&s->receive_bytes, s->receive, memory_order_relaxed);
	s->at = 0;
	s->open = s->send = s->receive = 0;
}
