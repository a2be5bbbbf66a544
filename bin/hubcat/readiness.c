/* Invariant: data is set from readiness_init() to readiness_close(), which is how the two tell one
 * that was made from a zeroed one. */
#include "readiness.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static void readiness_poll(uv_poll_t *poll, int status, int events)
{
	struct readiness *r = poll->data;
	struct epoll_event e;

	(void)status;
	(void)events;
	if (epoll_wait(r->set, &e, 1, 0) == 1)
		r->ready(r, e.events);
}

int readiness_init(struct readiness *r, uv_loop_t *loop, int fd, readiness_ready *ready, void *data)
{
	struct epoll_event e = {.events = 0};
	int error;

	r->data = NULL;
	r->set = epoll_create1(EPOLL_CLOEXEC);
	if (r->set < 0)
		return -errno;
	error = epoll_ctl(r->set, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
	if (error == 0)
		error = uv_poll_init(loop, &r->poll, r->set);
	if (error < 0) {
		close(r->set);
		return error;
	}
	r->fd = fd;
	r->ready = ready;
	r->data = data;
	r->poll.data = r;
	return 0;
}

void readiness_start(struct readiness *r, uint32_t events)
{
	struct epoll_event e = {.events = events};

	epoll_ctl(r->set, EPOLL_CTL_MOD, r->fd, &e);
	uv_poll_start(&r->poll, UV_READABLE, readiness_poll);
}

void readiness_stop(struct readiness *r)
{
	uv_poll_stop(&r->poll);
}

static void readiness_closed(uv_handle_t *handle)
{
	struct readiness *r = handle->data;

	close(r->set);
}

void readiness_close(struct readiness *r)
{
	if (!r->data)
		return;
	r->data = NULL;
	uv_close((uv_handle_t *)&r->poll, readiness_closed);
}
