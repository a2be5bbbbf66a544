/* Publishers that want every message acknowledged: each keeps a window of them in flight over its
 * own connection, to hubd (Unix socket or WebSocket), Redis (XADD) or NATS (JetStream), and counts
 * the acks. One thread, so that the load is the same for all and small beside the servers'.
 *
 * Prints one JSON object: acks per second, and how long an ack took. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define IN_MAX (1024 * 1024)
#define OUT_MAX (1024 * 1024)
#define WINDOW_MAX 4096
#define BYTES_MAX 16384
#define SAMPLES_MAX 4000000

enum dialect { HUB_UNIX, HUB_WS, REDIS, NATS };

static const char *const dialects[] = {"unix", "ws", "redis", "nats", NULL};

struct conn {
	int fd;
	unsigned index;
	bool ready; /* may publish */
	uint64_t sent, acked;
	uint64_t at[WINDOW_MAX]; /* when those in flight were sent, ns */
	size_t in_len, out_len;
	char *in, *out;
};

static struct {
	enum dialect dialect;
	const char *host, *port;
	unsigned publishers, window, bytes;
	bool shared;
	double seconds, warm_up;
	struct conn *conns;
	uint32_t *sample; /* us */
	size_t samples;
	bool measuring, publishing;
	uint64_t acks, errors;
} load = {.publishers = 8, .window = 64, .bytes = 100, .seconds = 5, .warm_up = 0.5};

static void die(int status, const char *what)
{
	fprintf(stderr, "publish: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(status);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- out --- */

static void put(struct conn *c, const void *data, size_t len)
{
	if (len > OUT_MAX - c->out_len)
		die(EX_SOFTWARE, "the peer does not read");
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
}

static void flush(struct conn *c)
{
	ssize_t n;

	if (!c->out_len)
		return;
	n = write(c->fd, c->out, c->out_len);
	if (n < 0 && errno != EAGAIN)
		die(EX_IOERR, "write");
	if (n <= 0)
		return;
	c->out_len -= (size_t)n;
	memmove(c->out, c->out + n, c->out_len);
}

/* A hub's message, in the transport's frame. */
static void put_hub(struct conn *c, const char *text, size_t len)
{
	unsigned char head[8] = {0x81};

	if (load.dialect == HUB_UNIX) {
		put(c, text, len);
		put(c, "\n", 1);
		return;
	}
	/* Masked with zeros: as long as any mask, and the text stays as it is. */
	if (len < 126) {
		head[1] = (unsigned char)(0x80 | len);
		put(c, head, 6);
	} else {
		head[1] = 0x80 | 126;
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)len;
		put(c, head, 8);
	}
	put(c, text, len);
}

static void put_message(struct conn *c)
{
	static char text[BYTES_MAX + 256];
	char name[16];
	int n;

	snprintf(name, sizeof(name), "s%u", load.shared ? 0 : c->index);
	switch (load.dialect) {
	case HUB_UNIX:
	case HUB_WS:
		n = snprintf(text, sizeof(text), "{\"type\":\"b\",\"msg_id\":\"%ju\",\"x\":\"",
			     (uintmax_t)c->sent);
		if (n + 2 < (int)load.bytes) {
			memset(text + n, 'x', load.bytes - (unsigned)n - 2);
			n = (int)load.bytes - 2;
		}
		memcpy(text + n, "\"}", 2);
		put_hub(c, text, (size_t)n + 2);
		break;
	case REDIS:
		n = snprintf(
		    text, sizeof(text),
		    "*5\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$1\r\n*\r\n$1\r\nd\r\n$%u\r\n%0*d\r\n",
		    strlen(name), name, load.bytes, (int)load.bytes, 7);
		put(c, text, (size_t)n);
		break;
	case NATS:
		n = snprintf(text, sizeof(text), "PUB bench.%s _INBOX.%u.m %u\r\n%0*d\r\n", name,
			     c->index, load.bytes, (int)load.bytes, 7);
		put(c, text, (size_t)n);
		break;
	}
	c->at[c->sent++ % load.window] = now_ns();
}

static void publish(struct conn *c)
{
	while (load.publishing && c->sent - c->acked < load.window)
		put_message(c);
	flush(c);
}

/* --- in --- */

static void got_ack(struct conn *c)
{
	if (load.measuring) {
		load.acks++;
		if (load.samples < SAMPLES_MAX)
			load.sample[load.samples++] =
			    (uint32_t)((now_ns() - c->at[c->acked % load.window]) / 1000);
	}
	c->acked++;
}

static bool begins(const char *text, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static void got_hub(struct conn *c, const char *text, size_t len)
{
	if (begins(text, len, "{\"type\":\"ack\""))
		got_ack(c);
	else if (begins(text, len, "{\"type\":\"session_associated\""))
		c->ready = true;
	else if (begins(text, len, "{\"type\":\"error\"") ||
		 begins(text, len, "{\"type\":\"close\"")) {
		errno = 0;
		fprintf(stderr, "publish: %.*s\n", (int)len, text);
		die(EX_SOFTWARE, "the hub refuses");
	}
}

/* The parsers take one whole message at *at, and return its length, or 0 where it is not all there.
 */
static size_t take_line(struct conn *c, const char *p, size_t len)
{
	const char *end = memchr(p, '\n', len);

	if (!end)
		return 0;
	got_hub(c, p, (size_t)(end - p));
	return (size_t)(end - p) + 1;
}

static size_t take_frame(struct conn *c, const char *p, size_t len)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t head = 2, n;

	if (!c->ready && begins(p, len, "HTTP/1.1 101")) {
		const char *end = memmem(p, len, "\r\n\r\n", 4);

		return end ? (size_t)(end - p) + 4 : 0;
	}
	if (len < 4)
		return 0;
	n = u[1] & 0x7f;
	if (n == 126) {
		n = (size_t)u[2] << 8 | u[3];
		head = 4;
	} else if (n == 127) {
		die(EX_SOFTWARE, "a frame that is too long");
	}
	if (len < head + n)
		return 0;
	got_hub(c, p + head, n);
	return head + n;
}

static size_t take_reply(struct conn *c, const char *p, size_t len)
{
	const char *end = memmem(p, len, "\r\n", 2);
	size_t n;

	if (!end)
		return 0;
	if (*p != '$') {
		errno = 0;
		fprintf(stderr, "publish: %.*s\n", (int)(end - p), p);
		die(EX_SOFTWARE, "Redis refuses");
	}
	n = (size_t)(end - p) + 2 + strtoul(p + 1, NULL, 10) + 2;
	if (len < n)
		return 0;
	got_ack(c);
	return n;
}

static size_t take_nats(struct conn *c, const char *p, size_t len)
{
	const char *end = memmem(p, len, "\r\n", 2), *size;
	size_t head, n;

	if (!end)
		return 0;
	head = (size_t)(end - p) + 2;
	if (begins(p, len, "PING"))
		put(c, "PONG\r\n", 6);
	if (!begins(p, len, "MSG ")) {
		if (*p == '-')
			die(EX_SOFTWARE, "NATS refuses");
		return head;
	}
	for (size = end; size[-1] != ' '; size--)
		;
	n = strtoul(size, NULL, 10);
	if (len < head + n + 2)
		return 0;
	if (memmem(p + head, n, "\"error\"", 7)) {
		errno = 0;
		fprintf(stderr, "publish: %.*s\n", (int)n, p + head);
		die(EX_SOFTWARE, "JetStream refuses");
	}
	if (c->ready)
		got_ack(c);
	c->ready = true;
	return head + n + 2;
}

static void receive(struct conn *c)
{
	static size_t (*const take[])(struct conn *, const char *,
				      size_t) = {take_line, take_frame, take_reply, take_nats};
	ssize_t n = read(c->fd, c->in + c->in_len, IN_MAX - c->in_len);
	size_t at = 0, used;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		errno = n ? errno : 0;
		die(EX_IOERR, "the server is gone");
	}
	c->in_len += (size_t)n;
	while (at < c->in_len && (used = take[load.dialect](c, c->in + at, c->in_len - at)) > 0)
		at += used;
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

/* --- connections --- */

static int dial(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET};
	int one = 1, fd, r;

	if (load.dialect == HUB_UNIX) {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", load.host);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		r = connect(fd, (struct sockaddr *)&un, sizeof(un));
	} else {
		in.sin_port = htons((uint16_t)strtoul(load.port, NULL, 10));
		if (inet_pton(AF_INET, load.host, &in.sin_addr) != 1)
			die(EX_USAGE, "HOST must be an IPv4 address");
		fd = socket(AF_INET, SOCK_STREAM, 0);
		r = connect(fd, (struct sockaddr *)&in, sizeof(in));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (fd < 0 || r < 0)
		die(EX_UNAVAILABLE, "connect");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void greet(struct conn *c)
{
	static const char stream[] =
	    "{\"name\":\"bench\",\"subjects\":[\"bench.*\"],\"storage\":\"file\","
	    "\"retention\":\"limits\",\"max_msgs\":-1,\"max_bytes\":-1,\"num_replicas\":1}";
	char text[1024];
	int n;

	switch (load.dialect) {
	case HUB_WS:
		n = snprintf(
		    text, sizeof(text),
		    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: "
		    "Upgrade\r\nSec-WebSocket-Key: aHViIHRlc3QgY2xpZW50IQ==\r\n"
		    "Sec-WebSocket-Version: 13\r\n\r\n");
		put(c, text, (size_t)n);
		/* fall through */
	case HUB_UNIX:
		n = snprintf(
		    text, sizeof(text),
		    "{\"type\":\"session_associate\",\"session_id\":\"s%u\",\"echo\":false}",
		    load.shared ? 0 : c->index);
		put_hub(c, text, (size_t)n);
		break;
	case REDIS:
		c->ready = true;
		break;
	case NATS:
		n = snprintf(
		    text, sizeof(text),
		    "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB _INBOX.%u.* 1\r\n"
		    "PUB $JS.API.STREAM.%s.bench _INBOX.%u.c %zu\r\n%s\r\n",
		    c->index, c->index ? "INFO" : "CREATE", c->index,
		    c->index ? (size_t)0 : sizeof(stream) - 1, c->index ? "" : stream);
		put(c, text, (size_t)n);
		break;
	}
	flush(c);
}

static bool all_ready(void)
{
	unsigned i, n = 0;

	for (i = 0; i < load.publishers; i++)
		n += load.conns[i].ready;
	return n == load.publishers;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(double seconds)
{
	qsort(load.sample, load.samples, sizeof(*load.sample), by_size);
	printf(
	    "{\"server\":\"%s\",\"acks_per_s\":%.0f,\"acks\":%ju,\"seconds\":%.3f,\"p50_ms\":%.3f,"
	    "\"p99_ms\":%.3f}\n",
	    dialects[load.dialect], (double)load.acks / seconds, (uintmax_t)load.acks, seconds,
	    load.samples ? load.sample[load.samples / 2] / 1000.0 : 0,
	    load.samples ? load.sample[load.samples * 99 / 100] / 1000.0 : 0);
}

static void run(void)
{
	int epoll = epoll_create1(0);
	uint64_t start = now_ns(), began = 0, now;
	unsigned i;

	for (i = 0; i < load.publishers; i++) {
		struct conn *c = &load.conns[i];
		struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
					 .data = {.ptr = c}};

		c->index = i;
		c->fd = dial();
		c->in = malloc(IN_MAX);
		c->out = malloc(OUT_MAX);
		if (!c->in || !c->out || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
			die(EX_OSERR, "epoll");
		greet(c);
		/* The stream must be there before the others ask for it. */
		while (load.dialect == NATS && !c->ready) {
			flush(c);
			receive(c);
		}
	}
	for (;;) {
		struct epoll_event ev[64];
		int n = epoll_wait(epoll, ev, 64, 100), k;

		now = now_ns();
		for (k = 0; k < n; k++) {
			struct conn *c = ev[k].data.ptr;
			uint64_t acked;

			do {
				acked = c->in_len + c->acked;
				receive(c);
			} while (acked != c->in_len + c->acked);
			publish(c);
		}
		if (!load.publishing && all_ready()) {
			load.publishing = true;
			start = now;
			for (i = 0; i < load.publishers; i++)
				publish(&load.conns[i]);
		}
		if (!load.publishing && now - start > 10000000000u)
			die(EX_UNAVAILABLE, "not all may publish");
		if (load.publishing && !load.measuring &&
		    (double)(now - start) > load.warm_up * 1e9) {
			load.measuring = true;
			began = now;
		}
		if (load.measuring && (double)(now - began) > load.seconds * 1e9)
			break;
	}
	report((double)(now - began) / 1e9);
}

static void usage(void)
{
	fprintf(stderr, "usage: publish [-1] [-p PUBLISHERS] [-w WINDOW] [-b BYTES] [-s SECONDS]"
			" unix PATH | ws|redis|nats HOST PORT\n");
	exit(EX_USAGE);
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "1p:w:b:s:")) != -1) {
		switch (opt) {
		case '1':
			load.shared = true; /* one session or stream for all */
			break;
		case 'p':
			load.publishers = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			load.window = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			load.bytes = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			load.seconds = strtod(optarg, NULL);
			break;
		default:
			usage();
		}
	}
	if (optind + 2 > argc || !load.publishers || !load.window || load.window > WINDOW_MAX ||
	    load.bytes > BYTES_MAX)
		usage();
	for (opt = 0; dialects[opt] && strcmp(dialects[opt], argv[optind]) != 0; opt++)
		;
	if (!dialects[opt] || (opt != HUB_UNIX && optind + 3 > argc))
		usage();
	load.dialect = (enum dialect)opt;
	load.host = argv[optind + 1];
	load.port = argv[optind + 2];
	load.conns = calloc(load.publishers, sizeof(*load.conns));
	load.sample = malloc(SAMPLES_MAX * sizeof(*load.sample));
	if (!load.conns || !load.sample)
		die(EX_OSERR, "memory");
	errno = 0;
	run();
	return 0;
}
