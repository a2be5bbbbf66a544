/* File systems that cannot tell whether they would wait are read by the threads alone. */
#include "door/www_read.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#include "loop/worker.h"

struct job {
	struct www_read read; /* first: who has it frees the job */
	uv_work_t work;
	struct worker *worker;
	www_read_done *done;
	void *owner;
	uint64_t at;
	size_t len;
	int fd;
};

ssize_t www_read_cached(int fd, void *data, size_t len, uint64_t at)
{
	struct iovec to = {data, len};
	ssize_t n = preadv2(fd, &to, 1, (off_t)at, RWF_NOWAIT);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS
		   ? -EAGAIN
		   : -errno;
}

/* In a thread of libuv's. */
static void read_now(uv_work_t *work)
{
	struct job *job = work->data;

	do
		job->read.got = pread(job->fd, job->read.piece, job->len, (off_t)job->at);
	while (job->read.got < 0 && errno == EINTR);
	if (job->read.got < 0)
		job->read.got = -errno;
}

static void was_read(uv_work_t *work, int status)
{
	struct job *job = work->data;

	(void)status;
	worker_turn_ns(job->worker); /* the worker is busy from here on */
	job->done(job->worker, job->owner);
}

struct www_read *www_read_start(struct worker *w, int fd, size_t len, uint64_t at,
				www_read_done *done, void *owner)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		return NULL;
	job->work.data = job;
	job->worker = w;
	job->done = done;
	job->owner = owner;
	job->at = at;
	job->len = len < WWW_PIECE ? len : WWW_PIECE;
	job->fd = fd;
	if (uv_queue_work(worker_loop(w), &job->work, read_now, was_read) < 0) {
		free(job);
		return NULL;
	}
	return &job->read;
}
