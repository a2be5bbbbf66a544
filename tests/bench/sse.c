/* sse: readers of server-sent events, and publishers that are as fast as they are.
 *
 *   sse PORT EVENTS-PATH PUBLISH-PATH READERS SECONDS [WINDOW [PUBLISHERS]]
 *
 * Opens READERS streams of events, then publishes JSON objects of 100 bytes by POST over PUBLISHERS
 * connections (100) in turns, WINDOW of them (100) under way in all: the next goes when the readers
 * together have got what makes room for it. One thread. Prints one JSON object: the deliveries of
 * the seconds that were measured, after one that was not. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define READERS_MAX 16000
#define PUBLISHERS 100
#define BODY_BYTES 100
#define WARM_UP 1.0

struct reader {
	int fd;
	unsigned matched; /* characters of the mark that end what has come */
	bool open;	  /* its head has come */
};

struct publisher {
	int fd;
	size_t at; /* of what it is sending */
};

/* Begins the line that carries an event. */
static const char mark[] = "\ndata:";

static struct {
	struct sockaddr_in to;
	int epoll;
	struct publisher publishers[PUBLISHERS];
	unsigned n_publishers, next; /* of them */
	struct reader *readers;
	unsigned n, open;
	unsigned long published, delivered;
	char post[512];
	size_t post_len;
} load;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&load.to, sizeof(load.to)) < 0)
		err_die(EX_UNAVAILABLE, "connect: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void watch(int fd, void *what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		err_die(EX_OSERR, "epoll: %s", strerror(errno));
}

static void open_readers(const char *path)
{
	char request[512];
	int len = snprintf(
	    request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", path);

	for (unsigned i = 0; i < load.n; i++) {
		struct reader *r = &load.readers[i];

		r->fd = dial();
		if (send(r->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
			err_die(EX_UNAVAILABLE, "send: %s", strerror(errno));
		watch(r->fd, r);
	}
}

/* No character but the first of the mark is a newline, so that a mismatch needs one look back. */
static void count(struct reader *r, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == mark[r->matched]) {
			if (++r->matched == sizeof(mark) - 1) {
				r->matched = 0;
				load.delivered++;
			}
		} else if (r->matched || p[i] == '\n') {
			r->matched = p[i] == '\n';
		} else {
			const char *next = memchr(p + i, '\n', len - i);

			if (!next)
				return;
			i = (size_t)(next - p) - 1;
		}
	}
}

static void read_some(struct reader *r)
{
	static char text[65536];
	ssize_t n = recv(r->fd, text, sizeof(text), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		err_die(EX_UNAVAILABLE, "a reader was sent away");
	if (!r->open) {
		if (n < 12 || memcmp(text + 8, " 200", 4) != 0)
			err_die(EX_UNAVAILABLE, "no events: %.*s", (int)n, text);
		r->open = true;
		load.open++;
	}
	count(r, text, (size_t)n);
}

/* The rest of a message, or all of one. False where the socket is full. */
static bool post(struct publisher *p)
{
	ssize_t n = send(p->fd, load.post + p->at, load.post_len - p->at, MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		err_die(EX_UNAVAILABLE, "publish: %s", strerror(errno));
	p->at = (p->at + (size_t)n) % load.post_len;
	if (p->at == 0)
		load.published++;
	return p->at == 0;
}

static void publish(unsigned long window)
{
	unsigned full = 0;

	while (load.published - load.delivered / load.n < window && full < load.n_publishers) {
		full = post(&load.publishers[load.next]) ? 0 : full + 1;
		load.next = (load.next + 1) % load.n_publishers;
	}
}

static void drain_answers(const struct publisher *p)
{
	static char text[65536];

	if (recv(p->fd, text, sizeof(text), 0) == 0)
		err_die(EX_UNAVAILABLE, "a publisher was sent away: %.200s", text);
}

static bool is_publisher(const void *p)
{
	return (const char *)p >= (const char *)load.publishers &&
	       (const char *)p < (const char *)(load.publishers + PUBLISHERS);
}

static void turn(int timeout_ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(load.epoll, events, 256, timeout_ms);

	for (int i = 0; i < n; i++)
		if (is_publisher(events[i].data.ptr))
			drain_answers(events[i].data.ptr);
		else
			read_some(events[i].data.ptr);
}

int main(int argc, char **argv)
{
	unsigned long window, before;
	double seconds, start, limit;
	char body[BODY_BYTES + 1];

	err_init("sse", ERR_INFO);
	if (argc < 6)
		err_die(EX_USAGE,
			"usage: sse PORT EVENTS-PATH PUBLISH-PATH READERS SECONDS [WINDOW "
			"[PUBLISHERS]]");
	load.to = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_port = htons((unsigned short)atoi(argv[1])),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	load.n = (unsigned)atoi(argv[4]);
	seconds = atof(argv[5]);
	window = argc > 6 ? strtoul(argv[6], NULL, 10) : 100;
	load.n_publishers = argc > 7 ? (unsigned)atoi(argv[7]) : PUBLISHERS;
	if (load.n < 1 || load.n > READERS_MAX || seconds <= 0 || window < 1 ||
	    load.n_publishers < 1 || load.n_publishers > PUBLISHERS)
		err_die(EX_USAGE, "1 to %d readers, and to %d publishers", READERS_MAX, PUBLISHERS);
	snprintf(body, sizeof(body), "{\"type\":\"b\",\"x\":\"%0*d\"}", BODY_BYTES - 19, 0);
	load.post_len = (size_t)snprintf(
	    load.post, sizeof(load.post),
	    "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    argv[3], strlen(body), body);
	load.readers = calloc(load.n, sizeof(*load.readers));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.readers || load.epoll < 0)
		err_die(EX_OSERR, "out of memory");

	for (unsigned i = 0; i < load.n_publishers; i++) {
		load.publishers[i].fd = dial();
		watch(load.publishers[i].fd, &load.publishers[i]);
	}
	/* A session that is read has to be there: the first message makes it. */
	publish(1);
	for (limit = now() + 0.2; now() < limit;)
		turn(50);
	open_readers(argv[2]);
	for (limit = now() + 60; load.open < load.n;) {
		turn(100);
		if (now() > limit)
			err_die(EX_UNAVAILABLE, "%u of %u readers after a minute", load.open,
				load.n);
	}
	load.published = load.delivered = 0;
	for (start = now(); now() < start + WARM_UP;) {
		publish(window);
		turn(1000);
	}
	before = load.delivered;
	for (start = now(); now() < start + seconds;) {
		publish(window);
		turn(1000);
	}
	printf("{\"readers\":%u,\"deliveries\":%lu,\"seconds\":%.3f}\n", load.n,
	       load.delivered - before, now() - start);
	return load.delivered > before ? 0 : 1;
}
