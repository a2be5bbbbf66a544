/* The front of a hub over pairs of sockets: each request is a connection of its own. */
#ifndef HUBD_TEST_HTTP_STUB_H
#define HUBD_TEST_HTTP_STUB_H

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "door/doors_impl.h"
#include "door/gate.h"
#include "door/http.h"
#include "door/www.h"
#include "hubd/doors_stub.h"
#include "wire/forwarded.h"

#define HTTP_STUB_WAIT_MS 30000 /* for what must come; nothing is measured */

/* What is not set beforehand is none. */
struct http_stub {
	struct hub_stub hub;
	struct doors doors;
	struct door_settings set;
	struct opt_list cors;
	struct trust trust;
	struct gate gate;
	struct www www;
	struct worker *w;
	struct arrival arrival; /* how connections come; fd and born apart */
	struct buf got;		/* the last answer, whole */
};

static inline void http_stub_start(struct http_stub *t)
{
	hub_stub_start(&t->hub, 1, false);
	t->set.registry = &t->hub.m.s.registry;
	t->set.max_header = 16384;
	t->set.header_timeout = 60;
	t->set.cors = &t->cors;
	t->set.trust = &t->trust;
	t->set.gate = &t->gate;
	t->set.www = &t->www;
	t->doors.set = &t->set;
	t->arrival.kind = LISTEN_TCP;
	t->w = doors_stub_start(&t->hub, &t->doors);
}

static inline void http_stub_end(struct http_stub *t)
{
	hub_stub_end(&t->hub);
	buf_free(&t->gate.memory);
	buf_free(&t->got);
}

/* One more connection. Returns the peer's end. */
static inline int http_stub_open(struct http_stub *t)
{
	struct arrival a = t->arrival;
	int fds[2];

	stub_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0,
		  "no sockets");
	a.fd = fds[1];
	a.born = 1;
	atomic_fetch_add(&t->w->connections, 1);
	http_adopt(t->w, &a);
	return fds[0];
}

/* Sends len bytes of a request that closes, and gives the status of its answer, which is in got; 0
 * where there is none. */
static inline int http_stub_ask(struct http_stub *t, const char *text, size_t len)
{
	uint64_t start_ms = clock_mono_ms();
	int fd = http_stub_open(t);
	char part[4096];
	ssize_t n;

	t->got.len = 0;
	stub_need(send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len, "not sent");
	while ((n = recv(fd, part, sizeof(part), 0)) != 0) {
		if (n > 0)
			stub_need(buf_put(&t->got, part, (size_t)n) == 0, "out of memory");
		else if (errno != EAGAIN)
			break;
		stub_round(t->w);
		stub_need(clock_mono_ms() - start_ms < HTTP_STUB_WAIT_MS, "no answer");
	}
	close(fd);
	while (atomic_load(&t->w->connections)) {
		stub_round(t->w);
		stub_need(clock_mono_ms() - start_ms < HTTP_STUB_WAIT_MS, "it does not go");
	}
	stub_need(buf_put(&t->got, "", 1) == 0, "out of memory");
	return t->got.len > 12 ? atoi(t->got.data + 9) : 0;
}

/* A request for a path, with these lines, each with its end. */
static inline int http_stub_get(struct http_stub *t, const char *path, const char *lines)
{
	char text[8192];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nConnection: close\r\n%s\r\n", path,
			 lines);

	stub_need(n > 0 && (size_t)n < sizeof(text), "too long");
	return http_stub_ask(t, text, (size_t)n);
}

static inline bool http_stub_says(const struct http_stub *t, const char *text)
{
	return strstr(t->got.data, text) != NULL;
}

#endif
