/* Invariant: between two calls nothing is in the ring. */
#include "net/ahead.h"

#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SLOT (AHEAD_ROOM + AHEAD_READ_MAX)

struct ahead {
	struct io_uring ring;
	int fd[AHEAD_MAX];
	ssize_t n[AHEAD_MAX];
	char data[AHEAD_MAX * SLOT];
};

/* Before Linux 6.0, which is known by what it can do, a read may wait although it is not to. */
struct ahead *ahead_new(void)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SUBMIT_ALL};
	struct ahead *a = malloc(sizeof(*a));
	struct io_uring_probe *probe;
	bool fits;

	if (!a || io_uring_queue_init_params(AHEAD_MAX, &a->ring, &params) < 0) {
		free(a);
		return NULL;
	}
	probe = io_uring_get_probe_ring(&a->ring);
	fits = probe && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);
	io_uring_free_probe(probe);
	if (fits)
		return a;
	ahead_free(a);
	return NULL;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	io_uring_queue_exit(&a->ring);
	free(a);
}

void ahead_set(struct ahead *a, unsigned i, int fd)
{
	a->fd[i] = fd;
}

unsigned ahead_read(struct ahead *a, unsigned n)
{
	struct io_uring_cqe *cqe;
	unsigned head, had = 0;

	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&a->ring);

		io_uring_prep_recv(sqe, a->fd[i], a->data + i * SLOT + AHEAD_ROOM, AHEAD_READ_MAX,
				   MSG_DONTWAIT);
		sqe->user_data = i;
	}
	/* In their order; all that were taken are done when it returns. */
	io_uring_submit(&a->ring);
	io_uring_for_each_cqe(&a->ring, head, cqe)
	{
		a->n[cqe->user_data] = cqe->res;
		had++;
	}
	io_uring_cq_advance(&a->ring, had);
	return had;
}

ssize_t ahead_take(const struct ahead *a, unsigned i, char **p)
{
	*p = (char *)(uintptr_t)a->data + i * SLOT + AHEAD_ROOM;
	return a->n[i];
}
