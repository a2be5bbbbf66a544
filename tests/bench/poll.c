/* poll: clients of Socket.IO that poll, and some of them that publish as fast as all get it.
 *
 *   poll PORT PATH CONNECT JOIN EVENT CLIENTS SECONDS PID,...
 *
 * Opens CLIENTS sessions, each with one connection for its polls; says CONNECT and, unless it is
 * empty, JOIN in each, until all have a poll that waits. Then the memory of the processes is taken,
 * beside what it was before the first. With SECONDS, ten of them post EVENT, ten in a body, over
 * connections of their own, as long as not more than 100 are under way; what is counted is how many
 * come, in the seconds after one that is not measured. One thread. Prints one JSON object. */
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

#include "base/buf.h"
#include "base/err.h"

#define CLIENTS_MAX 16000
#define PUBLISHERS 10
#define BATCH 10
#define WINDOW 100
#define WARM_UP 1.0

enum state { OPENING, CONNECTING, CONNECTED, JOINING, LISTENING, PUBLISHING };

/* A session, or the second connection of one, by which it publishes. */
struct client {
	int fd;
	enum state state;
	bool busy; /* publishing: its request is not answered yet */
	char sid[64];
	struct buf in;
};

/* In each event. */
static const char mark[] = "[\"message\",";

static struct {
	struct sockaddr_in to;
	int epoll;
	const char *path, *connect, *join;
	struct client *clients, publishers[PUBLISHERS];
	unsigned n, listening;
	unsigned long published, delivered;
	struct buf batch;
} load;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void need(int r)
{
	if (r < 0)
		err_die(EX_OSERR, "out of memory");
}

/* --- requests */

static void dial(struct client *c)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&load.to, sizeof(load.to)) < 0)
		err_die(EX_UNAVAILABLE, "connect: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		err_die(EX_OSERR, "epoll: %s", strerror(errno));
}

/* body NULL: a poll. They are small: sent at once, or the server is not what it should be. */
static void ask(struct client *c, const char *body, size_t len)
{
	struct buf b = {0};

	need(buf_printf(&b, "%s %s?EIO=4&transport=polling%s%s HTTP/1.1\r\nHost: localhost\r\n",
			body ? "POST" : "GET", load.path, *c->sid ? "&sid=" : "", c->sid));
	if (body)
		need(buf_printf(
		    &b, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %zu\r\n", len));
	need(buf_puts(&b, "\r\n"));
	if (body)
		need(buf_put(&b, body, len));
	if (send(c->fd, b.data, b.len, MSG_NOSIGNAL) != (ssize_t)b.len)
		err_die(EX_UNAVAILABLE, "send: %s", strerror(errno));
	buf_free(&b);
}

static void poll_again(struct client *c, enum state state)
{
	if (state == LISTENING && c->state != LISTENING)
		load.listening++;
	c->state = state;
	ask(c, NULL, 0);
}

/* --- answers */

static void count(const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end && (p = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1))) {
		load.delivered++;
		p += sizeof(mark) - 1;
	}
}

static void take_answer(struct client *c, const char *body, size_t len)
{
	const char *sid;

	switch (c->state) {
	case OPENING:
		sid = memmem(body, len, "\"sid\":\"", 7);
		if (!sid || sscanf(sid + 7, "%63[^\"]", c->sid) != 1)
			err_die(EX_UNAVAILABLE, "no handshake: %.*s", (int)len, body);
		c->state = CONNECTING;
		ask(c, load.connect, strlen(load.connect));
		break;
	case CONNECTING:
		poll_again(c, CONNECTED);
		break;
	case CONNECTED:
		if (!memmem(body, len, "40", 2) || !memmem(body, len, "\"sid\":\"", 7))
			err_die(EX_UNAVAILABLE, "not connected: %.*s", (int)len, body);
		if (!*load.join) {
			poll_again(c, LISTENING);
			break;
		}
		c->state = JOINING;
		ask(c, load.join, strlen(load.join));
		break;
	case JOINING:
		poll_again(c, LISTENING);
		break;
	case LISTENING:
		count(body, len);
		poll_again(c, LISTENING);
		break;
	case PUBLISHING:
		c->busy = false;
		break;
	}
}

/* An answer that is whole is taken, and there is never a second one. */
static void read_some(struct client *c)
{
	char *head_end, *field;
	size_t head, want;
	ssize_t n;

	need(buf_reserve(&c->in, 16384));
	n = recv(c->fd, c->in.data + c->in.len, c->in.cap - c->in.len - 1, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		err_die(EX_UNAVAILABLE, "a client was sent away");
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = '\0';
	head_end = strstr(c->in.data, "\r\n\r\n");
	if (!head_end)
		return;
	head = (size_t)(head_end + 4 - c->in.data);
	field = strcasestr(c->in.data, "\ncontent-length:");
	if (memcmp(c->in.data + 8, " 200", 4) != 0 || !field || field > head_end)
		err_die(EX_UNAVAILABLE, "an answer: %.200s", c->in.data);
	want = strtoul(field + 16, NULL, 10);
	if (c->in.len < head + want)
		return;
	take_answer(c, c->in.data + head, want);
	buf_free(&c->in);
}

static void turn(int timeout_ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(load.epoll, events, 256, timeout_ms);

	for (int i = 0; i < n; i++)
		read_some(events[i].data.ptr);
}

/* --- publishing */

static void publish(void)
{
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		struct client *p = &load.publishers[i];

		if (p->busy || load.published + BATCH > load.delivered / load.n + WINDOW)
			continue;
		p->busy = true;
		load.published += BATCH;
		ask(p, load.batch.data, load.batch.len);
	}
}

static void open_publishers(const char *event)
{
	for (unsigned i = 0; i < BATCH; i++) {
		need(i ? buf_puts(&load.batch, "\x1e") : 0);
		need(buf_puts(&load.batch, event));
	}
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		load.publishers[i].state = PUBLISHING;
		memcpy(load.publishers[i].sid, load.clients[i % load.n].sid,
		       sizeof(load.clients->sid));
		dial(&load.publishers[i]);
	}
}

static double publish_for(double seconds)
{
	double start = now();

	while (now() < start + seconds) {
		publish();
		turn(1000);
	}
	return now() - start;
}

/* --- */

/* Bytes of memory of all of them. */
static double memory_of(const char *pids)
{
	double sum = 0;

	for (const char *p = pids; p && *p; p = strchr(p, ','), p = p ? p + 1 : NULL) {
		char path[64];
		unsigned long pages = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/statm", atoi(p));
		f = fopen(path, "r");
		if (!f || fscanf(f, "%*u %lu", &pages) != 1)
			err_die(EX_UNAVAILABLE, "%s: no such process", path);
		fclose(f);
		sum += (double)pages * (double)sysconf(_SC_PAGESIZE);
	}
	return sum;
}

static void open_clients(void)
{
	double limit = now() + 120;

	for (unsigned i = 0; i < load.n; i++) {
		dial(&load.clients[i]);
		ask(&load.clients[i], NULL, 0);
		turn(0);
	}
	while (load.listening < load.n) {
		turn(100);
		if (now() > limit)
			err_die(EX_UNAVAILABLE, "%u of %u clients after two minutes",
				load.listening, load.n);
	}
	/* The last polls have come, too. */
	for (limit = now() + 0.5; now() < limit;)
		turn(50);
}

int main(int argc, char **argv)
{
	unsigned long before = 0;
	double seconds, memory;

	err_init("poll", ERR_INFO);
	if (argc != 9)
		err_die(EX_USAGE,
			"usage: poll PORT PATH CONNECT JOIN EVENT CLIENTS SECONDS PID,...");
	load.to = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_port = htons((unsigned short)atoi(argv[1])),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	load.path = argv[2];
	load.connect = argv[3];
	load.join = argv[4];
	load.n = (unsigned)atoi(argv[6]);
	seconds = atof(argv[7]);
	if (load.n < 1 || load.n > CLIENTS_MAX || seconds < 0)
		err_die(EX_USAGE, "1 to %d clients", CLIENTS_MAX);
	load.clients = calloc(load.n, sizeof(*load.clients));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.clients || load.epoll < 0)
		err_die(EX_OSERR, "out of memory");
	memory = memory_of(argv[8]);
	open_clients();
	memory = memory_of(argv[8]) - memory;
	if (seconds > 0) {
		open_publishers(argv[5]);
		publish_for(WARM_UP);
		before = load.delivered;
		seconds = publish_for(seconds);
	}
	printf("{\"clients\":%u,\"bytes_per_client\":%.0f,\"deliveries\":%lu,\"seconds\":%.3f}\n",
	       load.n, memory / load.n, load.delivered - before, seconds);
	return seconds > 0 && load.delivered == before;
}
