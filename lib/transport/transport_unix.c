/* Over a Unix socket: one line per message each way. A poll handle on a socket of our own rather
 * than a libuv stream: bytes go straight from the owner's memory, and arrive in a buffer that
 * exists only while they are handed on. Invariant: a link is the transport's, with t set, until it
 * is dropped; its memory goes with its handle. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/line.h"
#include "transport/transport.h"

#define PIECE_MAX (64 << 10) /* bytes of one read */

struct link {
	uv_poll_t poll;
	struct transport *t; /* NULL once dropped */
	struct line line;
	int fd;
	bool blocked; /* waits for room to write */
};

static void link_closed(uv_handle_t *handle)
{
	struct link *l = handle->data;

	line_reset(&l->line);
	free(l);
}

static void unix_drop(struct transport *t)
{
	struct link *l = t->link;

	if (!l)
		return;
	t->link = NULL;
	l->t = NULL;
	/* Closed now, not with the handle, so that the hub sees us go in this turn. */
	uv_poll_stop(&l->poll);
	close(l->fd);
	uv_close((uv_handle_t *)&l->poll, link_closed);
}

static void unix_lost(struct transport *t, enum transport_loss loss, const char *reason)
{
	unix_drop(t);
	t->events->lost(t->arg, loss, 0, reason);
}

static void unix_lines(struct link *l, const char *p, const char *end)
{
	enum line_got got;
	const char *text;
	size_t len;

	while (l->t && (got = line_next(&l->line, &p, end, TRANSPORT_MESSAGE_MAX, &text, &len)) !=
			   LINE_MORE) {
		if (got != LINE_WHOLE) {
			/* A larger one would come again and again. */
			if (got == LINE_NOMEM)
				unix_lost(l->t, LOSS_RETRY, "out of memory");
			else
				unix_lost(l->t, LOSS_FATAL,
					  "a message from the hub is larger than 64 MiB");
			return;
		}
		if (len)
			l->t->events->received(l->t->arg, text, len);
	}
	if (l->t && !line_idle(&l->line))
		l->t->events->moving(l->t->arg, true);
}

static void unix_readable(struct link *l)
{
	char piece[PIECE_MAX];
	ssize_t n = recv(l->fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (n > 0) {
		unix_lines(l, piece, piece + n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	unix_lost(l->t, LOSS_RETRY, n == 0 ? "closed by the hub" : strerror(errno));
}

static void unix_poll(uv_poll_t *poll, int status, int events);

static void unix_wait(struct link *l)
{
	int events = (l->t->paused ? 0 : UV_READABLE) | (l->blocked ? UV_WRITABLE : 0);

	if (events)
		uv_poll_start(&l->poll, events, unix_poll);
	else
		uv_poll_stop(&l->poll);
}

static void unix_poll(uv_poll_t *poll, int status, int events)
{
	struct link *l = poll->data;

	/* libuv stops at POLLERR, which the hub's close makes where it left our bytes unread; its
	 * last words stand before the error that recv() gives. */
	if (status < 0)
		events = UV_WRITABLE | (l->t->paused ? 0 : UV_READABLE);
	if (events & UV_WRITABLE) {
		l->blocked = false;
		unix_wait(l);
		l->t->events->writable(l->t->arg);
	}
	if (l->t && (events & UV_READABLE))
		unix_readable(l);
}

static void unix_open(struct transport *t)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct link *l = calloc(1, sizeof(*l));
	char reason[120];
	int r;

	if (!l) {
		t->events->lost(t->arg, LOSS_RETRY, 0, strerror(ENOMEM));
		return;
	}
	memcpy(addr.sun_path, t->url->path, strnlen(t->url->path, sizeof(addr.sun_path) - 1));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Non-blocking, so a hub whose backlog is full is EAGAIN, another attempt. */
	r = l->fd < 0 || connect(l->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	if (r == 0)
		r = uv_poll_init(t->loop, &l->poll, l->fd);
	if (r < 0) {
		bool none = r == -ENOENT || r == -ECONNREFUSED;

		snprintf(reason, sizeof(reason), "%s%s",
			 r == -EAGAIN ? "the hub does not accept connections" : strerror(-r),
			 none ? "; is hubd running?" : "");
		if (l->fd >= 0)
			close(l->fd);
		free(l);
		t->events->lost(t->arg, r == -EACCES || r == -EPERM ? LOSS_REFUSED : LOSS_RETRY, 0,
				reason);
		return;
	}
	l->poll.data = l;
	l->t = t;
	t->link = l;
	unix_wait(l);
	t->events->connected(t->arg);
}

static size_t unix_send(struct transport *t, const char *lines, size_t len)
{
	struct link *l = t->link;
	ssize_t n;

	if (!l || l->blocked)
		return 0;
	do {
		n = send(l->fd, lines, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	/* Any other error is told by the next read, behind what the hub said before. */
	l->blocked = errno == EAGAIN;
	unix_wait(l);
	return 0;
}

static void unix_flow(struct transport *t)
{
	if (t->link)
		unix_wait(t->link);
}

static void unix_finish(struct transport *t)
{
	unix_drop(t);
	t->events->lost(t->arg, LOSS_RETRY, 1000, "left");
}

static bool unix_end(struct transport *t)
{
	unix_drop(t);
	return true;
}

const struct transport_kind transport_unix = {
    .open = unix_open,
    .send = unix_send,
    .flow = unix_flow,
    .finish = unix_finish,
    .drop = unix_drop,
    .end = unix_end,
};
