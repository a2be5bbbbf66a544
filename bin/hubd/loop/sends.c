/* Invariant: what is kept is what something that was added may be in. */
#include "loop/sends.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"

#define RING_MIN 3 /* of less a system call each is as fast */
/* AddressSanitizer does not see what the kernel reads for a ring. */
#ifdef __SANITIZE_ADDRESS__
#define RING_SEEN false
#else
#define RING_SEEN true
#endif
#define FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)

struct send_entry {
	sends_done *done;
	void *arg;
	ssize_t n;
	int fd;
	unsigned pieces;
	struct iovec piece[SENDS_PIECES];
};

struct sends {
	struct io_uring ring;
	bool wanted, ready;
	bool open;
	uint32_t round;
	unsigned n, nkept;
	struct send_entry at[SENDS_MAX];
	struct msghdr message[SENDS_MAX]; /* of those with several pieces, as they leave */
	struct {
		void *what;
		void (*drop)(void *what);
	} kept[SENDS_MAX];
};

struct sends *sends_new(bool ring)
{
	struct sends *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->wanted = ring && RING_SEEN;
	s->round = 1;
	return s;
}

static void end_ring(struct sends *s)
{
	if (s->ready)
		io_uring_queue_exit(&s->ring);
	s->ready = s->wanted = false;
}

void sends_free(struct sends *s)
{
	if (!s)
		return;
	end_ring(s);
	free(s);
}

void sends_open(struct sends *s)
{
	if (s)
		s->open = true;
}

bool sends_is_open(const struct sends *s)
{
	return s && s->open;
}

uint32_t sends_round(const struct sends *s)
{
	return s ? s->round : 0;
}

/* --- how they leave */

static struct msghdr message_of(struct send_entry *e)
{
	return (struct msghdr){.msg_iov = e->piece, .msg_iovlen = e->pieces};
}

static ssize_t send_one(struct send_entry *e)
{
	struct msghdr message = message_of(e);
	ssize_t n;

	do
		n = e->pieces == 1 ? send(e->fd, e->piece->iov_base, e->piece->iov_len, FLAGS)
				   : sendmsg(e->fd, &message, FLAGS);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Before Linux 6.0, which is known by what it can do, a send may wait although it is not to. */
static bool begin_ring(struct sends *s)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SUBMIT_ALL};
	struct io_uring_probe *probe;
	int r = io_uring_queue_init_params(SENDS_MAX, &s->ring, &params);

	s->ready = r == 0;
	probe = s->ready ? io_uring_get_probe_ring(&s->ring) : NULL;
	if (!probe || !io_uring_opcode_supported(probe, IORING_OP_SEND_ZC)) {
		err_log(ERR_DEBUG, "no io_uring: %s", r < 0 ? strerror(-r) : "the kernel is old");
		end_ring(s);
	}
	io_uring_free_probe(probe);
	return s->ready;
}

static unsigned harvest(struct sends *s)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&s->ring, head, cqe)
	{
		s->at[cqe->user_data].n = cqe->res;
		n++;
	}
	io_uring_cq_advance(&s->ring, n);
	return n;
}

/* Returns how many have left. */
static unsigned send_by_ring(struct sends *s)
{
	struct io_uring_cqe *cqe;
	unsigned sent, had;
	int r;

	for (unsigned i = 0; i < s->n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
		struct send_entry *e = &s->at[i];

		if (e->pieces == 1) {
			io_uring_prep_send(sqe, e->fd, e->piece->iov_base, e->piece->iov_len,
					   FLAGS);
		} else {
			s->message[i] = message_of(e);
			io_uring_prep_sendmsg(sqe, e->fd, &s->message[i], FLAGS);
		}
		sqe->user_data = i;
	}
	r = io_uring_submit(&s->ring);
	sent = r > 0 ? (unsigned)r : 0;
	/* All have been done by now. */
	for (had = harvest(s); had < sent; had += harvest(s))
		if (io_uring_wait_cqe(&s->ring, &cqe) < 0)
			break;
	if (sent < s->n) {
		err_log(ERR_DEBUG, "io_uring fails: %s", r < 0 ? strerror(-r) : "out of memory");
		end_ring(s);
	}
	return sent;
}

void sends_go(struct sends *s)
{
	unsigned n, nkept, i = 0;
	bool open;

	if (!s)
		return;
	n = s->n;
	nkept = s->nkept;
	open = s->open;
	if (n >= RING_MIN && s->wanted && (s->ready || begin_ring(s)))
		i = send_by_ring(s);
	for (; i < n; i++)
		s->at[i].n = send_one(&s->at[i]);
	s->n = s->nkept = 0;
	s->round += n > 0;
	s->open = false;
	for (i = 0; i < n; i++)
		s->at[i].done(s->at[i].arg, s->at[i].piece, s->at[i].pieces, s->at[i].n);
	for (i = 0; i < nkept; i++)
		s->kept[i].drop(s->kept[i].what);
	s->open = open;
}

void sends_settle(struct sends *s, uint32_t round)
{
	if (round == sends_round(s))
		sends_go(s);
}

void sends_close(struct sends *s)
{
	sends_go(s);
	if (s)
		s->open = false;
}

/* --- what is added */

static struct iovec piece_of(const void *data, size_t len)
{
	return (struct iovec){(void *)(uintptr_t)data, len};
}

int sends_add(struct sends *s, int fd, const void *data, size_t len, sends_done *done, void *arg)
{
	struct send_entry *e;

	if (!sends_is_open(s))
		return -1;
	if (s->n == SENDS_MAX)
		sends_go(s);
	e = &s->at[s->n];
	e->done = done;
	e->arg = arg;
	e->fd = fd;
	e->pieces = 1;
	e->piece[0] = piece_of(data, len);
	return (int)s->n++;
}

bool sends_add_piece(struct sends *s, int place, const void *data, size_t len)
{
	struct send_entry *e = &s->at[place];
	size_t all = len;

	for (unsigned i = 0; i < e->pieces; i++)
		all += e->piece[i].iov_len;
	if (e->pieces == SENDS_PIECES || all > SENDS_PIECES_BYTES)
		return false;
	e->piece[e->pieces++] = piece_of(data, len);
	return true;
}

void sends_keep(struct sends *s, void *what, void (*drop)(void *what))
{
	if (!s || !s->n) {
		drop(what);
		return;
	}
	s->kept[s->nkept].what = what;
	s->kept[s->nkept++].drop = drop;
	if (s->nkept == SENDS_MAX)
		sends_go(s);
}
