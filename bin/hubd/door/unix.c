/* Lines on a stream. Invariant: a connection's handle is its stream, whose owner is the struct
 * here, until the stream is gone. */
#include "door/unix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "door/http.h"
#include "door/stream.h"
#include "member/member.h"
#include "wire/http1.h"

struct unix_conn {
	struct conn *conn;
	struct line line; /* the front of one that has not come whole */
	bool began;	  /* it is known to be lines */
};

/* --- the door */

static int unix_write(struct conn *c, const void *data, size_t len)
{
	return c->handle ? stream_write(c->handle, data, len) : 0;
}

static int unix_write_soon(struct conn *c, const void *data, size_t len)
{
	return c->handle ? stream_write_soon(c->handle, data, len) : 0;
}

static void unix_pause(struct conn *c, bool paused)
{
	if (c->handle)
		stream_pause(c->handle, paused);
}

static void unix_close(struct conn *c, enum close_code code, const char *reason)
{
	struct buf line = {0};

	if (!c->handle)
		return;
	if (code != CLOSE_NORMAL &&
	    buf_printf(&line, "{\"type\":\"close\",\"code\":%d,\"reason\":\"%s\"}\n", (int)code,
		       reason) == 0)
		stream_write(c->handle, line.data, line.len);
	buf_free(&line);
	stream_finish(c->handle);
}

static void unix_abort(struct conn *c)
{
	if (c->handle)
		stream_abort(c->handle);
}

static int unix_descriptor(const struct conn *c)
{
	const struct stream *s = c->handle;

	return s ? s->fd : -1;
}

static const struct door unix_door = {
    .counted = COUNT_UNIX,
    .trusted = true,
    .encoding = &encoding_lines,
    .dialect = &hub7_dialect,
    .write = unix_write,
    .write_soon = unix_write_soon,
    .pause = unix_pause,
    .close = unix_close,
    .abort = unix_abort,
    .descriptor = unix_descriptor,
};

/* --- the stream's user */

static void take_line(struct conn *c, enum line_got got, const char *text, size_t len)
{
	char why[64];

	if (got == LINE_WHOLE) {
		while (len && text[len - 1] == '\r')
			len--;
		if (len)
			conn_receive(c, text, len);
		return;
	}
	snprintf(why, sizeof(why), "a line may have %zu bytes at most",
		 c->worker->conns->max_message);
	if (got == LINE_TOO_LONG)
		conn_error(c, HUB_TOO_LARGE, why, (struct span){0});
	else
		conn_close(c, CLOSE_INTERNAL, "out of memory");
}

/* What is held of lines has changed by that. */
static void count_line(struct worker *w, size_t by)
{
	counter_add_at(&w->counters, memory, MEMORY_HALF, by);
}

enum first { FIRST_LINE, FIRST_HTTP, FIRST_MORE };

/* What a connection begins with: a method and a space make it HTTP, for no JSON starts so. */
static enum first look_at_first(const char *p, size_t len)
{
	for (int m = HTTP1_GET; m <= HTTP1_PATCH; m++) {
		const char *name = http1_method_name((enum http1_method)m);
		size_t n = strlen(name);

		if (memcmp(p, name, len < n ? len : n) != 0)
			continue;
		if (len <= n)
			return FIRST_MORE;
		if (p[n] == ' ')
			return FIRST_HTTP;
	}
	return FIRST_LINE;
}

static void become_http(struct unix_conn *u, struct stream *s)
{
	if (!http_take_over(s, u->conn->born)) {
		stream_abort(s);
		return;
	}
	conn_replaced(u->conn);
	free(u);
}

static size_t unix_take(struct stream *s, unsigned char *start, unsigned char *stop)
{
	struct unix_conn *u = s->owner;
	const char *p = (const char *)start, *end = (const char *)stop, *text;
	size_t max = s->worker->conns->max_message, len;
	enum line_got got;

	if (!u->began) {
		enum first first = look_at_first(p, (size_t)(end - p));

		if (first == FIRST_HTTP)
			become_http(u, s);
		if (first != FIRST_LINE)
			return 0;
		u->began = true;
		if (u->conn->door->dialect->opened)
			u->conn->door->dialect->opened(u->conn);
	}
	count_line(s->worker, -line_held(&u->line));
	while (!s->paused && (got = line_next(&u->line, &p, end, max, &text, &len)) != LINE_MORE)
		take_line(u->conn, got, text, len);
	count_line(s->worker, line_held(&u->line));
	return (size_t)(p - (const char *)start);
}

/* It may still be reading. */
static void unix_ended(struct stream *s)
{
	struct unix_conn *u = s->owner;
	const char *text;
	size_t len;

	if (line_last(&u->line, &text, &len) == LINE_WHOLE)
		take_line(u->conn, LINE_WHOLE, text, len);
	if (s->deaf)
		stream_abort(s); /* nobody is there for what would still come */
	else
		deliver_finish(u->conn, CLOSE_NORMAL, "end of input");
}

static void unix_writable(struct stream *s)
{
	struct unix_conn *u = s->owner;

	deliver_writable(u->conn);
}

static void unix_progress(struct stream *s)
{
	struct unix_conn *u = s->owner;

	conn_progress(u->conn);
}

static void unix_held(struct stream *s, int r)
{
	struct unix_conn *u = s->owner;

	conn_written(u->conn, r);
}

static void unix_gone(struct stream *s)
{
	struct unix_conn *u = s->owner;

	count_line(s->worker, -line_held(&u->line));
	line_reset(&u->line);
	conn_gone(u->conn);
	free(u);
}

static const struct stream_user unix_user = {
    .counted = {COUNT_UNIX, COUNT_UNIX},
    .take = unix_take,
    .ended = unix_ended,
    .writable = unix_writable,
    .progress = unix_progress,
    .held = unix_held,
    .gone = unix_gone,
};

static size_t none_take(struct stream *s, unsigned char *p, unsigned char *end)
{
	(void)s;
	return (size_t)(end - p);
}

static void none_gone(struct stream *s)
{
	(void)s;
}

/* Until there is a connection. */
static const struct stream_user none = {.counted = {COUNT_UNIX, COUNT_UNIX},
					.take = none_take,
					.ended = stream_abort,
					.gone = none_gone};

void unix_adopt(struct worker *w, int fd, uint32_t born)
{
	struct unix_conn *u = calloc(1, sizeof(*u));
	struct stream *s = stream_new(w, fd, NULL, &none, NULL);

	if (!s || !u || !(u->conn = conn_new(w, &unix_door, s, born))) {
		if (s)
			stream_abort(s);
		free(u);
		return;
	}
	stream_use(s, &unix_user, u);
}
