/* One write for all that arrived together. Invariant: after a flush data is empty, or the watch
 * waits for room. */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIGH (256 << 10) /* bytes kept, from which the hub is not read */
#define LOW (64 << 10)	 /* and below which it is again */

bool output_empty(const struct output *out)
{
	return out->broken || out->data.len == out->written;
}

bool output_broken(const struct output *out)
{
	return out->broken;
}

/* Writes some without blocking. Returns how many bytes, 0 where the consumer is not ready, or
 * -errno. */
static ssize_t output_some(struct output *out, const char *p, size_t n)
{
	struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
	ssize_t w;

	if (out->socket) {
		w = send(STDOUT_FILENO, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (!out->watched) {
		w = write(STDOUT_FILENO, p, n);
	} else {
		/* pipe(7): a ready pipe takes PIPE_BUF bytes at once. */
		if (poll(&ready, 1, 0) <= 0 || !(ready.revents & (POLLOUT | POLLERR)))
			return 0;
		w = write(STDOUT_FILENO, p, n < PIPE_BUF ? n : PIPE_BUF);
	}
	if (w < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return w;
}

static void output_failed(struct output *out, int error)
{
	out->broken = true;
	buf_free(&out->data);
	out->written = 0;
	out->events->full(out->arg, false);
	out->events->failed(out->arg, error);
	out->events->done(out->arg);
}

static void output_wait(struct output *out)
{
	size_t kept = out->data.len - out->written;

	/* No events: a pipe whose reader goes is told all the same. */
	if (out->watched)
		readiness_start(&out->watch, kept ? EPOLLOUT : 0);
	if (kept > HIGH)
		out->events->full(out->arg, true);
	else if (kept < LOW)
		out->events->full(out->arg, false);
}

void output_flush(struct output *out)
{
	struct buf *data = &out->data;
	ssize_t n = 1;

	if (out->broken)
		return;
	if (data->len)
		console_clear(out->console);
	while (n > 0 && data->len > out->written) {
		n = output_some(out, data->data + out->written, data->len - out->written);
		if (n < 0) {
			output_failed(out, (int)-n);
			return;
		}
		out->written += (size_t)n;
	}
	if (out->written == data->len) {
		data->len = out->written = 0;
	} else if (out->written > data->len / 2) {
		buf_consume(data, out->written);
		out->written = 0;
	}
	output_wait(out);
	if (!data->len)
		out->events->done(out->arg);
}

static void output_ready(struct readiness *r, uint32_t events)
{
	struct output *out = r->data;

	if (!(events & (EPOLLERR | EPOLLHUP))) {
		output_flush(out);
		return;
	}
	readiness_stop(&out->watch);
	output_failed(out, EPIPE);
}

void output_line(struct output *out, const char *text, size_t len)
{
	bool styled = out->style.color || out->style.spread;
	int r;

	if (out->broken)
		return;
	r = styled ? color_json(&out->data, text, len, out->style) : buf_put(&out->data, text, len);
	if (r == 0) {
		/* One line each, whatever a server lets through. */
		if (!styled)
			for (char *p = out->data.data + out->data.len - len, *end = p + len;
			     (p = memchr(p, '\n', (size_t)(end - p))); p++)
				*p = ' ';
		r = buf_put(&out->data, "\n", 1);
	}
	if (r < 0)
		output_failed(out, -r);
}

void output_text(struct output *out, const char *text, size_t len, const char *end, size_t end_len)
{
	if (!out->broken &&
	    (buf_put(&out->data, text, len) < 0 || buf_put(&out->data, end, end_len) < 0))
		output_failed(out, ENOMEM);
}

void output_discard(struct output *out)
{
	out->data.len = out->written = 0;
}

int output_start(struct output *out, uv_loop_t *loop)
{
	struct stat st;
	int r;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return -errno;
	out->socket = S_ISSOCK(st.st_mode);
	r = readiness_init(&out->watch, loop, STDOUT_FILENO, output_ready, out);
	if (r < 0 && r != -EPERM)
		return r;
	out->watched = r == 0;
	output_wait(out);
	return 0;
}

void output_free(struct output *out)
{
	readiness_close(&out->watch);
	buf_free(&out->data);
}
