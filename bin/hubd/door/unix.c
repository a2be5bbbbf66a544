/* The Unix-socket transport. One read per loop turn and connection; what the socket does not take
 * at once is kept in `unsent` until it does. */
#include "door/unix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/line.h"
#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "member/member.h"

struct unix_conn {
	uv_poll_t poll;
	uv_idle_t idle;	   /* active while `rest` may be handled */
	struct conn *conn; /* NULL once it was told that we are gone */
	struct worker *w;
	struct line line;
	struct buf unsent;
	struct buf rest; /* read, but its turn comes when `paused` ends */
	int fd;
	int events; /* what poll waits for */
	bool paused;
	bool eof;     /* the peer has said all it will */
	bool deaf;    /* the peer takes nothing any more; what it sent is still to be read */
	bool hung_up; /* the same, and it is gone: closes once all of that was handled */
	bool last;    /* closes once unsent has left */
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_idle(uv_idle_t *idle);

static void unix_wait(struct unix_conn *u)
{
	bool reads = !u->paused && !u->eof && !u->last;
	bool polls = reads && !u->rest.len && !u->hung_up;
	int events = (polls ? UV_READABLE : 0) | (u->unsent.len ? UV_WRITABLE : 0);

	if (uv_is_closing((uv_handle_t *)&u->poll))
		return;
	/* Not from here: we may be called while answers or records are being sent. */
	if (reads && (u->rest.len || u->hung_up))
		uv_idle_start(&u->idle, on_idle);
	else
		uv_idle_stop(&u->idle);
	if (u->events == events)
		return;
	u->events = events;
	if (u->hung_up)
		uv_poll_stop(&u->poll); /* it would tell of nothing else */
	else
		uv_poll_start(&u->poll, events, on_poll);
}

static void on_closed(uv_handle_t *handle)
{
	struct unix_conn *u = handle->data;

	close(u->fd);
	line_reset(&u->line);
	buf_free(&u->unsent);
	buf_free(&u->rest);
	worker_connection_gone(u->w);
	free(u);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct unix_conn *u = handle->data;

	uv_close((uv_handle_t *)&u->idle, on_closed);
}

static void unix_end(struct unix_conn *u)
{
	struct conn *c = u->conn;

	if (uv_is_closing((uv_handle_t *)&u->poll))
		return;
	uv_close((uv_handle_t *)&u->poll, on_poll_closed);
	u->conn = NULL;
	if (c)
		conn_gone(c);
}

/* --- the door --- */

static int unix_write(struct conn *c, const void *data, size_t len)
{
	struct unix_conn *u = c->handle;
	ssize_t n;

	if (!u)
		return -ENOTCONN;
	if (u->deaf)
		return 0;
	n = send(u->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		u->deaf = errno != EAGAIN && errno != EINTR;
		if (u->deaf)
			return 0; /* reading will find the end */
		n = 0;
	}
	if ((size_t)n == len)
		return 0;
	if (buf_put(&u->unsent, (const char *)data + n, len - (size_t)n) < 0)
		return -ENOMEM;
	unix_wait(u);
	return 1;
}

static void unix_pause(struct conn *c, bool paused)
{
	struct unix_conn *u = c->handle;

	if (!u)
		return;
	u->paused = paused;
	unix_wait(u);
}

static void unix_close(struct conn *c, enum close_code code, const char *reason)
{
	struct unix_conn *u = c->handle;
	struct buf line = {0};

	if (!u)
		return;
	u->last = true;
	if (code != CLOSE_NORMAL &&
	    buf_printf(&line, "{\"type\":\"close\",\"code\":%d,\"reason\":\"%s\"}\n", (int)code,
		       reason) == 0) {
		if (u->unsent.len)
			buf_put(&u->unsent, line.data, line.len);
		else
			unix_write(c, line.data, line.len);
	}
	buf_free(&line);
	if (u->unsent.len)
		unix_wait(u);
	else
		unix_end(u);
}

static void unix_abort(struct conn *c)
{
	if (c->handle)
		unix_end(c->handle);
}

static const struct door unix_door = {
    .name = "unix",
    .trusted = true,
    .encoding = &encoding_lines,
    .dialect = &hub7_dialect,
    .write = unix_write,
    .pause = unix_pause,
    .close = unix_close,
    .abort = unix_abort,
};

/* --- events --- */

static void unix_line(struct unix_conn *u, enum line_got got, const char *text, size_t len)
{
	char why[64];

	if (got == LINE_WHOLE) {
		while (len && text[len - 1] == '\r')
			len--;
		if (len)
			conn_receive(u->conn, text, len);
		return;
	}
	snprintf(why, sizeof(why), "a line may have %jd bytes at most",
		 (intmax_t)u->w->conns->max_message);
	if (got == LINE_TOO_LONG)
		conn_error(u->conn, HUB_TOO_LARGE, why, (struct span){0});
	else
		conn_close(u->conn, CLOSE_INTERNAL, "out of memory");
}

/* Handles the lines of a piece, as long as answers find room. */
static void unix_feed(struct unix_conn *u, const char *p, const char *end)
{
	size_t max = u->w->conns->max_message, len;
	enum line_got got;
	const char *text;

	while (!u->paused && (got = line_next(&u->line, &p, end, max, &text, &len)) != LINE_MORE)
		unix_line(u, got, text, len);
	if (u->paused && p < end && buf_put(&u->rest, p, (size_t)(end - p)) < 0)
		conn_close(u->conn, CLOSE_INTERNAL, "out of memory");
	unix_wait(u);
}

static void unix_feed_rest(struct unix_conn *u)
{
	struct buf rest = u->rest;

	u->rest = (struct buf){0};
	unix_feed(u, rest.data, rest.data + rest.len);
	buf_free(&rest);
}

/* False where nothing was there. */
static bool unix_read(struct unix_conn *u)
{
	ssize_t n = recv(u->fd, u->w->input, sizeof(u->w->input), MSG_DONTWAIT);
	const char *text;
	size_t len;

	if (n > 0) {
		unix_feed(u, u->w->input, u->w->input + n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		unix_end(u);
		return false;
	}
	if (line_last(&u->line, &text, &len) == LINE_WHOLE)
		unix_line(u, LINE_WHOLE, text, len);
	u->eof = true;
	deliver_finish(u->conn, CLOSE_NORMAL, "end of input"); /* it may still be reading */
	unix_wait(u);
	return false;
}

static void unix_send(struct unix_conn *u)
{
	ssize_t n = send(u->fd, u->unsent.data, u->unsent.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		u->deaf = true;
		n = (ssize_t)u->unsent.len;
	}
	buf_consume(&u->unsent, (size_t)n);
	if (u->unsent.len) {
		conn_progress(u->conn);
		return;
	}
	buf_free(&u->unsent);
	if (u->last) {
		unix_end(u);
		return;
	}
	deliver_writable(u->conn);
	if (u->conn)
		unix_wait(u);
}

/* The peer is gone, with answers unread; what it sent before is there still. */
static void unix_read_out(struct unix_conn *u)
{
	do {
		/* Answers go nowhere, so only what a message has to wait for stops us. */
		if (u->conn->held) {
			unix_wait(u);
			return;
		}
		u->paused = false;
		if (u->rest.len)
			unix_feed_rest(u);
	} while (u->conn && !u->eof && !u->last && (u->rest.len || unix_read(u)));
	unix_end(u);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct unix_conn *u = poll->data;

	if (status < 0) {
		u->deaf = u->hung_up = true;
		unix_read_out(u);
		return;
	}
	if ((events & UV_WRITABLE) && u->unsent.len)
		unix_send(u);
	if (!u->conn)
		return;
	if ((events & UV_READABLE) && !u->paused && !u->eof && !u->last && !u->rest.len)
		unix_read(u);
}

static void on_idle(uv_idle_t *idle)
{
	struct unix_conn *u = idle->data;

	if (u->hung_up)
		unix_read_out(u);
	else
		unix_feed_rest(u);
}

void unix_adopt(struct worker *w, int fd, uint32_t born)
{
	struct unix_conn *u = calloc(1, sizeof(*u));

	if (!u)
		goto fail;
	u->w = w;
	u->fd = fd;
	if (uv_poll_init((uv_loop_t *)worker_loop(w), &u->poll, fd) < 0)
		goto fail;
	uv_idle_init((uv_loop_t *)worker_loop(w), &u->idle);
	u->poll.data = u->idle.data = u;
	u->conn = conn_new(w, &unix_door, u, born);
	if (!u->conn) {
		uv_close((uv_handle_t *)&u->poll, on_poll_closed);
		return;
	}
	unix_wait(u);
	return;
fail:
	free(u);
	close(fd);
	worker_connection_gone(w);
}
