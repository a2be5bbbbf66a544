/* A connection: from connect(2) through TLS and the upgrade to being a member, and back. Whatever
 * goes wrong ends in conn_drop(), after which the connection is closed and may open anew. */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "dialect.h"
#include "publish.h"

#define ATTEMPTS 3	   /* of a client that never was a member */
#define ATTEMPTS_AWAY 20   /* of one that was */
#define DELAY_NS (50 * MS) /* before the second attempt; doubles, up to 64 times */
#define FULL_NS (2 * MS)   /* where the server's queue of new connections is full */

/* The answer to RUN_KEY (RFC 6455 section 4.2.2). */
static const char accepted[] = "sec-websocket-accept: plKcVnvSdngjwvk27XQyf5CVmAU=";

enum { UPGRADE_101 = 1, UPGRADE_ACCEPTED = 2 };

/* --- states */

static uint32_t *count_of(struct loop *l, enum conn_state state)
{
	switch (state) {
	case CONN_IDLE:
		return &l->idle;
	case CONN_CONNECTING:
	case CONN_TLS:
	case CONN_UPGRADING:
	case CONN_JOINING:
		return &l->pending;
	case CONN_JOINED:
		return &l->joined;
	case CONN_FAILED:
		return &l->failed;
	default:
		return NULL;
	}
}

static void set_state(struct loop *l, struct conn *c, enum conn_state state)
{
	uint32_t *from = count_of(l, c->state), *to = count_of(l, state);

	if (from)
		--*from;
	if (to)
		++*to;
	c->state = (uint8_t)state;
	c->since_ns = l->now;
}

void conn_init(struct loop *l, struct conn *c, uint32_t client, uint64_t wake_ns)
{
	*c = (struct conn){.fd = -1, .client = client, .state = CONN_IDLE, .wake_ns = wake_ns};
	l->idle++;
}

static void release(struct conn *c)
{
	tls_free(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->events = 0;
	wsio_reset(&c->in);
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_at = 0;
	c->upgrade = 0;
	c->paused = c->blocked = c->refill = false;
}

static uint64_t delay(struct loop *l, const struct conn *c)
{
	unsigned doubled = c->attempts < 6 ? c->attempts : 6;
	uint64_t most = (uint64_t)DELAY_NS << doubled;

	return most / 2 + loop_random(l) % (most / 2);
}

/* It did not get where it wanted, or lost its place. */
static void conn_fail(struct loop *l, struct conn *c, const char *what, const char *why)
{
	bool member = c->state == CONN_JOINED || c->state == CONN_LEAVING;

	run_error(l->run, "client %u: %s%s%s", c->client, what, *why ? ": " : "", why);
	if (member) {
		/* Who does not read has asked for it. */
		l->unasked += !c->slow;
		conn_drop(l, c, l->now + loop_random(l) % (2 * (uint64_t)DELAY_NS));
		return;
	}
	conn_drop(l, c, l->now + delay(l, c));
	if (++c->attempts >= (c->away ? ATTEMPTS_AWAY : ATTEMPTS))
		set_state(l, c, CONN_FAILED);
}

void conn_drop(struct loop *l, struct conn *c, uint64_t wake_ns)
{
	if (c->state == CONN_JOINED) {
		if (c->publisher && !l->run->acks)
			atomic_store(&l->run->session[c->session].unsure, true);
		c->away = true;
		if (!c->lost_ns)
			c->lost_ns = l->now;
	}
	release(c);
	set_state(l, c, CONN_IDLE);
	c->wake_ns = wake_ns;
	loop_wake(l, wake_ns);
}

void conn_watch(struct loop *l, struct conn *c)
{
	uint32_t want = (c->paused ? 0 : EPOLLIN) |
			(c->out_len || c->blocked || c->state == CONN_CONNECTING ? EPOLLOUT : 0);
	struct epoll_event event = {.events = want, .data.ptr = c};

	if (want == c->events || c->fd < 0)
		return;
	epoll_ctl(l->epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
	/* A paused one stays known to epoll. */
	c->events = want ? want : EPOLLRDHUP;
}

/* --- writing */

static bool conn_hold(struct conn *c, const void *p, size_t n)
{
	char *out = n > UINT32_MAX - c->out_len ? NULL : realloc(c->out, c->out_len + n);

	if (!out)
		return false;
	memcpy(out + c->out_len, p, n);
	c->out = out;
	c->out_len += (uint32_t)n;
	return true;
}

ssize_t conn_write(struct loop *l, struct conn *c, const void *p, size_t n)
{
	ssize_t put = net_write(c->fd, c->tls, p, n);

	if (put == -EAGAIN)
		return 0;
	if (put < 0)
		conn_fail(l, c, "write", strerror((int)-put));
	return put;
}

bool conn_rest(struct loop *l, struct conn *c, const void *p, size_t n)
{
	if (n && !conn_hold(c, p, n)) {
		conn_fail(l, c, "out of memory", "");
		return false;
	}
	conn_watch(l, c);
	return true;
}

/* All of it, now or later. */
static void conn_put(struct loop *l, struct conn *c, const void *p, size_t n)
{
	ssize_t put = c->out_len ? 0 : conn_write(l, c, p, n);

	if (put >= 0)
		conn_rest(l, c, (const char *)p + put, n - (size_t)put);
}

/* The socket takes bytes again. */
static void conn_flush(struct loop *l, struct conn *c)
{
	ssize_t put = c->out_len ? conn_write(l, c, c->out + c->out_at, c->out_len - c->out_at) : 0;

	if (put < 0)
		return;
	c->out_at += (uint32_t)put;
	if (c->out_at < c->out_len)
		return;
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_at = 0;
	c->blocked = false;
	conn_watch(l, c);
	if (c->publisher)
		publish_go(l, c->publisher);
}

size_t conn_frame(struct loop *l, const struct conn *c, unsigned char *out, unsigned opcode,
		  const char *text, size_t len)
{
	uint32_t mask = (uint32_t)loop_random(l);
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

static void conn_send_frame(struct loop *l, struct conn *c, unsigned opcode, const char *text,
			    size_t len)
{
	unsigned char room[2048], *out = room;

	if (len + WSIO_HEADER_MAX > sizeof(room))
		out = malloc(len + WSIO_HEADER_MAX);
	if (out)
		conn_put(l, c, out, conn_frame(l, c, out, opcode, text, len));
	else
		conn_fail(l, c, "out of memory", "");
	if (out != room)
		free(out);
}

void conn_send(struct loop *l, struct conn *c, const char *text, size_t len)
{
	conn_send_frame(l, c, 1, text, len);
}

/* --- getting there */

static void conn_stands(struct loop *l, struct conn *c)
{
	set_state(l, c, CONN_JOINING);
	l->run->dialect->open(l, c);
}

static void conn_upgrade(struct loop *l, struct conn *c)
{
	const struct run *r = l->run;
	size_t len;
	char *request;

	c->in.lines = true;
	if (r->target.url.scheme == URL_UNIX) {
		conn_stands(l, c);
		return;
	}
	set_state(l, c, CONN_UPGRADING);
	/* Where rooms are in the URL, the path has {session} in it. */
	request = message_for_session(r->request, c->session, &len);
	if (!request)
		err_die(EX_OSERR, "out of memory");
	conn_put(l, c, request, len);
	free(request);
}

static void conn_tls(struct loop *l, struct conn *c)
{
	char why[200];
	bool wants_write = false;
	int r = tls_handshake(c->tls, &wants_write, why, sizeof(why));
	struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0),
				    .data.ptr = c};

	if (r == -EAGAIN) {
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &event);
		c->events = event.events;
		return;
	}
	if (r < 0) {
		conn_fail(l, c, why, "");
		return;
	}
	l->now = clock_mono_ns();
	hist_add(&l->metric[METRIC_TLS], l->now - c->since_ns);
	conn_upgrade(l, c);
	conn_watch(l, c);
}

static void conn_connected(struct loop *l, struct conn *c)
{
	const struct target *t = &l->run->target;

	hist_add(&l->metric[METRIC_CONNECT], l->now - c->since_ns);
	if (!t->tls) {
		conn_upgrade(l, c);
		conn_watch(l, c);
		return;
	}
	set_state(l, c, CONN_TLS);
	conn_watch(l, c);
	c->tls = tls_new(t->tls, c->fd, &t->url, l->run->o->insecure);
	if (c->tls)
		conn_tls(l, c);
	else
		conn_fail(l, c, "TLS cannot be set up", "");
}

void conn_open(struct loop *l, struct conn *c)
{
	bool done;
	int fd;

	l->now = clock_mono_ns();
	set_state(l, c, CONN_CONNECTING);
	fd = net_connect(&l->run->target, c->client, c->slow, &done);
	if (fd == -EAGAIN) {
		conn_drop(l, c, l->now + FULL_NS);
		return;
	}
	if (fd < 0) {
		conn_fail(l, c, "connect", strerror(-fd));
		return;
	}
	c->fd = fd;
	conn_watch(l, c);
	if (done) {
		l->now = clock_mono_ns();
		conn_connected(l, c);
	}
}

/* One line of the answer to the upgrade. */
static void conn_upgrade_line(struct loop *l, struct conn *c, const char *p, size_t len)
{
	char text[80];

	if (len && p[len - 1] == '\r')
		len--;
	if (!(c->upgrade & UPGRADE_101)) {
		if (len >= 12 && memcmp(p, "HTTP/1.1 101", 12) == 0) {
			c->upgrade = UPGRADE_101;
			return;
		}
		snprintf(text, sizeof(text), "%.*s", (int)(len < 60 ? len : 60), p);
		conn_fail(l, c, "no WebSocket", text);
		return;
	}
	if (len == sizeof(accepted) - 1 && strncasecmp(p, accepted, 22) == 0 &&
	    memcmp(p + 22, accepted + 22, len - 22) == 0)
		c->upgrade |= UPGRADE_ACCEPTED;
	if (len)
		return;
	if (!(c->upgrade & UPGRADE_ACCEPTED)) {
		conn_fail(l, c, "no WebSocket", "a wrong Sec-WebSocket-Accept");
		return;
	}
	c->in.lines = false;
	hist_add(&l->metric[METRIC_HANDSHAKE], l->now - c->since_ns);
	conn_stands(l, c);
}

/* --- reading */

static void conn_closed(struct loop *l, struct conn *c, const char *p, size_t len)
{
	char why[140] = "closed by the server";

	if (len >= 2)
		snprintf(why, sizeof(why), "closed by the server: %d %.*s",
			 (unsigned char)p[0] << 8 | (unsigned char)p[1],
			 (int)(len - 2 < 100 ? len - 2 : 100), p + 2);
	conn_fail(l, c, why, "");
}

/* All that is whole. Returns false when the connection is gone. */
static bool conn_take(struct loop *l, struct conn *c)
{
	void (*take)(struct loop *, struct conn *, const char *, size_t) = l->run->dialect->take;
	struct wsio_message m;
	enum wsio_got got;

	while (c->state == CONN_UPGRADING) {
		got = wsio_next(&c->in, &m);
		if (got <= WSIO_MORE)
			break;
		conn_upgrade_line(l, c, m.p, m.len);
		if (c->fd < 0)
			return false;
	}
	while ((got = wsio_next(&c->in, &m)) > WSIO_MORE) {
		if (got == WSIO_MESSAGE)
			take(l, c, m.p, m.len);
		else if (got == WSIO_PING)
			conn_send_frame(l, c, 10, m.p, m.len);
		else if (got == WSIO_CLOSE)
			conn_closed(l, c, m.p, m.len);
		if (c->fd < 0)
			return false;
	}
	if (got == WSIO_BAD || !wsio_rest(&c->in)) {
		conn_fail(l, c, "what came is not WebSocket", "");
		return false;
	}
	return true;
}

static void conn_receive(struct loop *l, struct conn *c)
{
	char *p = l->room + LOOP_ROOM;
	ssize_t n;

	do {
		n = net_read(c->fd, c->tls, p, LOOP_READ);
		/* One look at the clock for all that came together. */
		l->now = clock_mono_ns();
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			conn_fail(l, c, n ? "read" : "closed by the server",
				  n ? strerror((int)-n) : "");
			return;
		}
		if (l->now >= l->edge_ns)
			loop_edge(l);
		if (c->fd < 0)
			return;
		l->counts.bytes_in += (uint64_t)n;
		if (!wsio_feed(&c->in, p, (size_t)n, LOOP_ROOM)) {
			conn_fail(l, c, "out of memory", "");
			return;
		}
		if (!conn_take(l, c))
			return;
	} while (c->tls);
	if (c->refill) {
		c->refill = false;
		publish_go(l, c->publisher);
	}
}

void conn_ready(struct loop *l, struct conn *c, uint32_t events)
{
	int r;

	switch (c->state) {
	case CONN_CONNECTING:
		r = net_connected(c->fd);
		if (r < 0)
			conn_fail(l, c, "connect", strerror(-r));
		else
			conn_connected(l, c);
		return;
	case CONN_TLS:
		conn_tls(l, c);
		return;
	default:
		if (events & EPOLLOUT)
			conn_flush(l, c);
		if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && c->fd >= 0)
			conn_receive(l, c);
	}
}

void conn_timeout(struct loop *l, struct conn *c)
{
	static const char *const what[] = {
	    [CONN_CONNECTING] = "connect",
	    [CONN_TLS] = "TLS",
	    [CONN_UPGRADING] = "WebSocket",
	    [CONN_JOINING] = "join",
	};

	conn_fail(l, c, what[c->state], "no answer for 10 seconds");
}

void conn_refuse(struct loop *l, struct conn *c, const char *why)
{
	conn_fail(l, c, "refused", why);
}

void conn_free(struct conn *c)
{
	release(c);
	free(c->streams);
	free(c->seat);
	c->streams = NULL;
	c->seat = NULL;
}

/* For member.c: the server has taken it in, or let it go. */
void conn_set_joined(struct loop *l, struct conn *c)
{
	set_state(l, c, CONN_JOINED);
	c->attempts = 0;
}

void conn_set_leaving(struct loop *l, struct conn *c)
{
	set_state(l, c, CONN_LEAVING);
}
