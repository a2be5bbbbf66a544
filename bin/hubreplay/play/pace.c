/* A timer for exact instants. Invariant: at most one instant is set, and the last one that was
 * asked for. */
#include "play/pace.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct pace *p = poll->data;
	uint64_t times;

	(void)status;
	(void)events;
	if (read(p->fd, &times, sizeof(times)) == sizeof(times))
		p->due(p);
}

int pace_init(struct pace *p, uv_loop_t *loop, pace_due *due, void *data)
{
	int r;

	p->due = due;
	p->data = data;
	p->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (p->fd < 0)
		return -errno;
	r = uv_poll_init(loop, &p->poll, p->fd);
	if (r < 0) {
		close(p->fd);
		return r;
	}
	p->poll.data = p;
	uv_poll_start(&p->poll, UV_READABLE, on_poll);
	return 0;
}

void pace_at(struct pace *p, uint64_t ns)
{
	struct itimerspec at = {
	    .it_value = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)}};

	timerfd_settime(p->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void pace_stop(struct pace *p)
{
	static const struct itimerspec never;

	timerfd_settime(p->fd, 0, &never, NULL);
}

static void on_closed(uv_handle_t *handle)
{
	struct pace *p = handle->data;

	close(p->fd);
}

void pace_close(struct pace *p)
{
	uv_close((uv_handle_t *)&p->poll, on_closed);
}
