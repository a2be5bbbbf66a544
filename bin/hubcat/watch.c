#include "watch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static void watch_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	struct epoll_event e;

	(void)status;
	(void)events;
	if (epoll_wait(w->set, &e, 1, 0) == 1)
		w->ready(w, e.events);
}

int watch_init(struct watch *w, uv_loop_t *loop, int fd, watch_ready *ready, void *data)
{
	struct epoll_event e = {.events = 0};
	int r;

	w->data = NULL;
	w->set = epoll_create1(EPOLL_CLOEXEC);
	if (w->set < 0)
		return -errno;
	r = epoll_ctl(w->set, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
	if (r == 0)
		r = uv_poll_init(loop, &w->poll, w->set);
	if (r < 0) {
		close(w->set);
		return r;
	}
	w->fd = fd;
	w->ready = ready;
	w->data = data;
	w->poll.data = w;
	return 0;
}

void watch_start(struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events};

	epoll_ctl(w->set, EPOLL_CTL_MOD, w->fd, &e);
	uv_poll_start(&w->poll, UV_READABLE, watch_poll);
}

void watch_stop(struct watch *w)
{
	uv_poll_stop(&w->poll);
}

static void watch_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;

	close(w->set);
}

void watch_close(struct watch *w)
{
	if (!w->data)
		return;
	w->data = NULL;
	uv_close((uv_handle_t *)&w->poll, watch_closed);
}
