/* A connection, step by step. epoll watches what the state asks for and nothing else, and a frame
 * that the kernel has begun to take goes out to its end before another begins. */
#include "net/bench_conn.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/ahead.h"
#include "net/upgrade.h"

#define ROOM (64u << 10)      /* before what is read, for what was left of the last piece */
#define READ_MAX (256u << 10) /* bytes read at once */
#define DISCARD_MAX (16u << 20)
#define AHEAD_MIN 3 /* of less a system call each is as fast */
#define APART 100   /* rounds, once more comes than is read ahead */

enum { OPCODE_TEXT = 1, OPCODE_PONG = 10 };

/* --- what is shared */

int bench_io_init(struct bench_io *io, uint64_t seed)
{
	*io = (struct bench_io){.random = seed};
	io->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (io->epoll < 0)
		return -errno;
	io->room = malloc(ROOM + READ_MAX);
	io->ahead = ahead_new();
	return io->room ? 0 : -ENOMEM;
}

void bench_io_free(struct bench_io *io)
{
	if (io->epoll >= 0)
		close(io->epoll);
	free(io->room);
	ahead_free(io->ahead);
	inflate_free(io->inflate);
}

static enum conn_step lost(struct bench_io *io, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static enum conn_step lost(struct bench_io *io, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(io->why, sizeof(io->why), fmt, args);
	va_end(args);
	return CONN_LOST;
}

void bench_conn_init(struct bench_conn *c)
{
	*c = (struct bench_conn){.fd = -1};
}

void bench_conn_close(struct bench_conn *c)
{
	tls_free(c->tls);
	if (c->fd >= 0)
		close(c->fd);
	wsio_reset(&c->in);
	free(c->out);
	bench_conn_init(c);
}

static void watch(struct bench_io *io, struct bench_conn *c)
{
	bool out = c->out_len || c->blocked || c->state == CONN_CONNECTING;
	/* Edges spare the kernel to look at each socket once more. Of TLS it cannot be told by what
	 * was read or written whether there is more. */
	uint32_t edge = c->state == CONN_OPEN && !c->tls ? EPOLLET | EPOLLRDHUP : 0;
	uint32_t want = (c->paused ? 0 : EPOLLIN | edge) | (out ? EPOLLOUT | edge : 0);
	struct epoll_event event = {.events = want, .data.ptr = c};

	if (want == c->events || c->fd < 0)
		return;
	epoll_ctl(io->epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
	/* A paused one stays known to epoll. */
	c->events = want ? want : EPOLLRDHUP;
}

/* There may be more to read than was: tells of it again, after what others have. */
static void look_again(struct bench_io *io, struct bench_conn *c)
{
	struct epoll_event event = {.events = c->events, .data.ptr = c};

	if (c->events & EPOLLET)
		epoll_ctl(io->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

void bench_conn_block(struct bench_io *io, struct bench_conn *c)
{
	c->blocked = true;
	watch(io, c);
}

void bench_conn_pause(struct bench_io *io, struct bench_conn *c, bool paused)
{
	c->paused = paused;
	watch(io, c);
}

/* --- writing */

static bool hold(struct bench_conn *c, const void *p, size_t n)
{
	char *out = n > UINT32_MAX - c->out_len ? NULL : realloc(c->out, c->out_len + n);

	if (!out)
		return false;
	memcpy(out + c->out_len, p, n);
	c->out = out;
	c->out_len += (uint32_t)n;
	return true;
}

ssize_t bench_conn_write(struct bench_io *io, struct bench_conn *c, const void *p, size_t n)
{
	ssize_t put = net_write(c->fd, c->tls, p, n);

	if (put >= 0)
		return put;
	if (put == -EAGAIN)
		return 0;
	lost(io, "write: %s", strerror((int)-put));
	return -1;
}

enum conn_step bench_conn_rest(struct bench_io *io, struct bench_conn *c, const void *p, size_t n)
{
	if (n && !hold(c, p, n))
		return lost(io, "out of memory");
	watch(io, c);
	return CONN_WAIT;
}

/* All of it, now or later. */
static enum conn_step put_all(struct bench_io *io, struct bench_conn *c, const void *p, size_t n)
{
	ssize_t put = c->out_len ? 0 : bench_conn_write(io, c, p, n);

	if (put < 0)
		return CONN_LOST;
	return bench_conn_rest(io, c, (const char *)p + put, n - (size_t)put);
}

/* The socket takes bytes again. */
static enum conn_step flush_held(struct bench_io *io, struct bench_conn *c)
{
	ssize_t put = 0;

	if (c->out_len)
		put = bench_conn_write(io, c, c->out + c->out_at, c->out_len - c->out_at);
	if (put < 0)
		return CONN_LOST;
	c->out_at += (uint32_t)put;
	if (c->out_at < c->out_len)
		return CONN_WAIT;
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_at = 0;
	c->blocked = false;
	watch(io, c);
	return CONN_FLUSHED;
}

static size_t put_frame(struct bench_io *io, const struct bench_conn *c, unsigned char *out,
			unsigned opcode, const char *text, size_t len)
{
	uint32_t mask = (uint32_t)bench_io_random(io);
	size_t head;

	if (c->in.lines) {
		memcpy(out, text, len);
		out[len] = '\n';
		return len + 1;
	}
	head = wsio_header(out, opcode, len, mask);
	memcpy(out + head, text, len);
	wsio_mask(out + head, len, mask);
	return head + len;
}

size_t bench_conn_frame(struct bench_io *io, const struct bench_conn *c, unsigned char *out,
			const char *text, size_t len)
{
	return put_frame(io, c, out, OPCODE_TEXT, text, len);
}

static enum conn_step send_frame(struct bench_io *io, struct bench_conn *c, unsigned opcode,
				 const char *text, size_t len)
{
	unsigned char small[2048], *out = small;
	enum conn_step step;

	if (len + WSIO_HEADER_MAX > sizeof(small))
		out = malloc(len + WSIO_HEADER_MAX);
	if (!out)
		return lost(io, "out of memory");
	step = put_all(io, c, out, put_frame(io, c, out, opcode, text, len));
	if (out != small)
		free(out);
	return step;
}

enum conn_step bench_conn_send(struct bench_io *io, struct bench_conn *c, const char *text,
			       size_t len)
{
	return send_frame(io, c, OPCODE_TEXT, text, len);
}

/* --- getting there */

enum conn_step bench_conn_open(struct bench_io *io, struct bench_conn *c, const struct target *t,
			       uint32_t client, bool small_buffer)
{
	bool done;
	int fd = net_connect(t, client, small_buffer, &done);

	if (fd == -EAGAIN)
		return CONN_FULL;
	if (fd < 0)
		return lost(io, "connect: %s", strerror(-fd));
	c->fd = fd;
	c->target = t;
	c->state = CONN_CONNECTING;
	watch(io, c);
	return done ? CONN_CONNECTED : CONN_WAIT;
}

static enum conn_step handshake(struct bench_io *io, struct bench_conn *c)
{
	bool wants_write = false;
	int r = tls_handshake(c->tls, &wants_write, io->why, sizeof(io->why));
	struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0),
				    .data.ptr = c};

	if (r == 0)
		return CONN_SECURE;
	if (r != -EAGAIN)
		return CONN_LOST;
	epoll_ctl(io->epoll, EPOLL_CTL_MOD, c->fd, &event);
	c->events = event.events;
	return CONN_WAIT;
}

/* The proxy's answer, up to its empty line. Behind it nothing comes before we speak. */
static enum conn_step tunnel(struct bench_io *io, struct bench_conn *c)
{
	ssize_t n = bench_conn_read(io, c);
	struct wsio_message m;

	if (n <= 0)
		return n < 0 ? CONN_LOST : CONN_WAIT;
	if (bench_conn_feed(io, c, (size_t)n) == CONN_LOST)
		return CONN_LOST;
	while (wsio_next(&c->in, &m) == WSIO_MESSAGE) {
		size_t len = m.len && m.p[m.len - 1] == '\r' ? m.len - 1 : m.len;

		if (!c->upgrade && (len < 12 || memcmp(m.p, "HTTP/1.", 7) != 0 || m.p[9] != '2'))
			return lost(io, "the proxy: %.*s", (int)(len < 60 ? len : 60), m.p);
		c->upgrade = 1;
		if (len)
			continue;
		c->upgrade = 0;
		c->tunnelled = true;
		return CONN_CONNECTED;
	}
	return wsio_rest(&c->in) ? CONN_WAIT : lost(io, "out of memory");
}

static enum conn_step ask_proxy(struct bench_io *io, struct bench_conn *c)
{
	enum conn_step step;

	c->state = CONN_TUNNEL;
	c->in.lines = true;
	step = put_all(io, c, c->target->tunnel, strlen(c->target->tunnel));
	watch(io, c);
	return step;
}

enum conn_step bench_conn_secure(struct bench_io *io, struct bench_conn *c)
{
	if (c->target->tunnel && !c->tunnelled)
		return ask_proxy(io, c);
	if (!c->target->tls)
		return CONN_SECURE;
	c->state = CONN_TLS;
	watch(io, c);
	c->tls = tls_new(c->target, c->fd);
	return c->tls ? handshake(io, c) : lost(io, "TLS cannot be set up");
}

enum conn_step bench_conn_upgrade(struct bench_io *io, struct bench_conn *c, const char *request,
				  size_t len)
{
	enum conn_step step;

	c->in.lines = true;
	if (c->target->url.scheme == URL_UNIX) {
		c->state = CONN_OPEN;
		watch(io, c);
		return CONN_STANDS;
	}
	c->state = CONN_UPGRADING;
	step = put_all(io, c, request, len);
	watch(io, c);
	return step;
}

/* One line of the answer. */
static enum conn_step take_line(struct bench_io *io, struct bench_conn *c,
				const struct wsio_message *m)
{
	char why[80];

	switch (upgrade_take(&c->upgrade, m->p, m->len, why, sizeof(why))) {
	case UPGRADE_DONE:
		if (io->deflate && !upgrade_deflates(c->upgrade))
			return lost(io, "the server does not agree to permessage-deflate without "
					"context takeover");
		c->in.lines = false;
		c->in.deflates = io->deflate;
		c->state = CONN_OPEN;
		watch(io, c);
		return CONN_STANDS;
	case UPGRADE_MORE:
		return CONN_WAIT;
	default:
		return lost(io, "no WebSocket%s%s", *why ? ": " : "", why);
	}
}

const char *bench_conn_stage(const struct bench_conn *c)
{
	static const char *const stages[] = {
	    [CONN_CONNECTING] = "connect",  [CONN_TUNNEL] = "proxy", [CONN_TLS] = "TLS",
	    [CONN_UPGRADING] = "WebSocket", [CONN_OPEN] = NULL,
	};

	return stages[c->state];
}

/* --- reading */

enum conn_step bench_conn_ready(struct bench_io *io, struct bench_conn *c, uint32_t events)
{
	enum conn_step step = CONN_WAIT;
	int r;

	switch (c->state) {
	case CONN_CONNECTING:
		r = net_connected(c->fd);
		return r == 0 ? CONN_CONNECTED : lost(io, "connect: %s", strerror(-r));
	case CONN_TUNNEL:
		if (events & EPOLLOUT)
			step = flush_held(io, c);
		/* Nobody but this function waits for that. */
		return step == CONN_LOST	      ? step
		       : events & ~(uint32_t)EPOLLOUT ? tunnel(io, c)
						      : CONN_WAIT;
	case CONN_TLS:
		return handshake(io, c);
	default:
		/* The end comes behind what there is to read. */
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			look_again(io, c);
		if (events & EPOLLOUT)
			step = flush_held(io, c);
		if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && step != CONN_LOST)
			step |= CONN_READABLE;
		return step;
	}
}

void bench_conns_read(struct bench_io *io, struct bench_conn *const *c, unsigned n)
{
	struct bench_conn *some[AHEAD_MAX];
	unsigned count = 0, had;

	if (io->apart) {
		io->apart -= io->apart != UINT_MAX;
		return;
	}
	for (unsigned i = 0; i < n && io->ahead; i++) {
		if (c[i]->fd < 0 || c[i]->state != CONN_OPEN || c[i]->tls || c[i]->paused)
			continue;
		ahead_set(io->ahead, count, c[i]->fd);
		some[count++] = c[i];
	}
	if (count < AHEAD_MIN)
		return;
	had = ahead_read(io->ahead, count);
	for (unsigned i = 0; i < had; i++)
		some[i]->ahead = (uint8_t)(i + 1);
	if (had < count)
		io->apart = UINT_MAX; /* the others are read by themselves, as all from now on */
}

/* What was read, or is read now; as net_read(). *full: there may be more. */
static ssize_t read_some(struct bench_io *io, struct bench_conn *c, bool *full)
{
	ssize_t n;

	if (c->ahead) {
		n = ahead_take(io->ahead, c->ahead - 1U, &io->read);
		io->before = AHEAD_ROOM;
		*full = n == AHEAD_READ_MAX;
		io->apart = *full && !io->apart ? APART : io->apart;
		c->ahead = 0;
		return n;
	}
	io->read = io->room + ROOM;
	io->before = ROOM;
	n = net_read(c->fd, c->tls, io->read, READ_MAX);
	*full = n == READ_MAX;
	return n;
}

ssize_t bench_conn_read(struct bench_io *io, struct bench_conn *c)
{
	bool full;
	ssize_t n = read_some(io, c, &full);

	if (full)
		look_again(io, c);
	if (n > 0)
		return n;
	if (n == -EAGAIN)
		return 0;
	if (n == 0)
		lost(io, "closed by the server");
	else
		lost(io, "read: %s", strerror((int)-n));
	return -1;
}

enum conn_step bench_conn_feed(struct bench_io *io, struct bench_conn *c, size_t n)
{
	if (wsio_feed(&c->in, io->read, n, io->before))
		return CONN_WAIT;
	return lost(io, "out of memory");
}

ssize_t bench_conn_discard(struct bench_io *io, struct bench_conn *c)
{
	ssize_t n;

	if (c->tls)
		return bench_conn_read(io, c);
	/* The kernel does not even copy them. As a system call, since ThreadSanitizer takes recv()
	 * to write where it is told to, which here is nowhere. */
	n = syscall(SYS_recvfrom, c->fd, NULL, DISCARD_MAX, MSG_TRUNC | MSG_DONTWAIT, NULL, NULL);
	if (n == DISCARD_MAX)
		look_again(io, c);
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	lost(io, n == 0 ? "closed by the server" : "read: %s", strerror(errno));
	return -1;
}

static enum conn_step inflate_message(struct bench_io *io, struct wsio_message *m)
{
	if (!io->inflate)
		io->inflate = inflate_new();
	if (!io->inflate)
		return lost(io, "out of memory");
	m->p = inflate_whole(io->inflate, m->p, m->len, WSIO_MESSAGE_MAX, &m->len);
	return m->p ? CONN_MESSAGE : lost(io, "what came is not deflated");
}

static enum conn_step closed(struct bench_io *io, const struct wsio_message *m)
{
	const unsigned char *p = (const unsigned char *)m->p;

	if (m->len < 2)
		return lost(io, "closed by the server");
	return lost(io, "closed by the server: %d %.*s", p[0] << 8 | p[1],
		    (int)(m->len - 2 < 100 ? m->len - 2 : 100), m->p + 2);
}

enum conn_step bench_conn_next_odd(struct bench_io *io, struct bench_conn *c, enum wsio_got got,
				   struct wsio_message *m)
{
	for (;; got = wsio_next(&c->in, m)) {
		enum conn_step step = CONN_WAIT;

		switch (got) {
		case WSIO_MESSAGE:
			step = c->state != CONN_OPEN ? take_line(io, c, m)
			       : m->deflated	     ? inflate_message(io, m)
						     : CONN_MESSAGE;
			break;
		case WSIO_PING:
			step = send_frame(io, c, OPCODE_PONG, m->p, m->len);
			break;
		case WSIO_PONG:
			break;
		case WSIO_CLOSE:
			return closed(io, m);
		case WSIO_MORE:
			if (wsio_rest(&c->in))
				return CONN_WAIT;
			/* fall through */
		case WSIO_BAD:
			return lost(io, "what came is not WebSocket");
		}
		if (step != CONN_WAIT)
			return step;
	}
}
