/* Loads a WebSocket server with one busy channel and counts what its members get.
 *
 * Members are plain WebSockets; the first of them also publish, each in a closed loop: at most a
 * window of its own messages is under way, and one counts as arrived when the publisher itself gets
 * it back. What is reported are messages that members received whole within the measured time,
 * counted one by one, and whether each member got every message in the end. With -i nothing is
 * sent: the connections are opened and the server's memory is read. */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define CARRY_MAX 64	      /* bytes of a frame's beginning kept until the next read */
#define LOOK_MAX 48	      /* bytes of a payload that are looked at */
#define READ_MAX (256 * 1024) /* bytes read at once */
#define WINDOW_MAX 10000
#define MESSAGE_MAX 65535
#define MARK "{\"type\":\"b\",\"p\":\""
#define MARK_LEN (sizeof(MARK) - 1)
#define JOINED "{\"type\":\"session_associated\""

struct conn {
	int fd;
	bool joined;
	uint16_t carry_len;
	unsigned char carry[CARRY_MAX];
	uint64_t skip;	   /* bytes of the current frame still to come, not looked at */
	uint64_t received; /* messages */
	/* A publisher's. */
	char name[5];
	unsigned under_way;
	size_t unsent; /* bytes at the end of the window's frames that the socket did not take */
	uint64_t sent;
};

struct load {
	struct sockaddr_in address;
	const char *host, *path;
	bool hub, idle;
	unsigned members, publishers, window, bytes;
	double seconds;
	const char *pids;

	struct conn *conns;
	int epoll;
	unsigned joined, closed;
	bool publishing;
	unsigned char *frames; /* per publisher: window copies of its one frame */
	size_t frame_len;
	uint64_t received;
};

static unsigned char input[CARRY_MAX + READ_MAX];

static _Noreturn void die(int status, const char *what)
{
	fprintf(stderr, "fanout: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(status);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A masked text frame. Returns its length; out has room for len + 14. */
static size_t frame_make(unsigned char *out, const char *text, size_t len)
{
	static const unsigned char key[4] = {0x12, 0x34, 0x56, 0x78};
	size_t n = 0;

	out[n++] = 0x81;
	if (len < 126) {
		out[n++] = (unsigned char)(0x80 | len);
	} else {
		out[n++] = 0x80 | 126;
		out[n++] = (unsigned char)(len >> 8);
		out[n++] = (unsigned char)len;
	}
	memcpy(out + n, key, 4);
	n += 4;
	for (size_t i = 0; i < len; i++)
		out[n++] = (unsigned char)text[i] ^ key[i % 4];
	return n;
}

/* --- connections --- */

static void write_all(int fd, const void *data, size_t len)
{
	for (const char *p = data; len;) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			die(EX_UNAVAILABLE, "write");
		p += n;
		len -= (size_t)n;
	}
}

/* Connects and shakes hands, blocking. */
static int open_websocket(const struct load *l)
{
	char text[4096];
	size_t len = 0;
	char *end;
	int fd, one = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&l->address, sizeof(l->address)) < 0)
		die(EX_UNAVAILABLE, "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	dprintf(fd,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: aHViIGxvYWQgY2xpZW50IQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		l->path, l->host);
	do {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			die(EX_UNAVAILABLE, "no answer to the handshake");
		len += (size_t)n;
		text[len] = '\0';
		end = strstr(text, "\r\n\r\n");
	} while (!end && len < sizeof(text) - 1);
	errno = 0;
	if (!end || strncmp(text, "HTTP/1.1 101", 12) != 0)
		die(EX_UNAVAILABLE, "the server refuses WebSocket");
	if (end + 4 != text + len)
		die(EX_PROTOCOL, "data before anything was asked for");
	return fd;
}

static void add_conn(struct load *l, struct conn *c)
{
	static const char ask[] = "{\"type\":\"session_associate\",\"session_id\":\"bench\"}";
	unsigned char frame[sizeof(ask) + 14];
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	c->fd = open_websocket(l);
	if (l->hub) {
		write_all(c->fd, frame, frame_make(frame, ask, sizeof(ask) - 1));
	} else {
		c->joined = true;
		l->joined++;
	}
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die(EX_OSERR, "epoll");
}

static void close_conn(struct load *l, struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	l->closed++;
}

/* --- publishing --- */

/* Sends as much of the window as is free. All frames of a publisher are the same, so the unsent
 * rest is always the end of its window's worth. */
static void publish(struct load *l, struct conn *c)
{
	size_t all = l->frame_len * l->window;
	const unsigned char *end = l->frames + (size_t)(c - l->conns) * all + all;
	bool waited = c->unsent > 0;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	ssize_t n;

	if (c->fd < 0)
		return;
	if (l->publishing) {
		unsigned more = l->window - c->under_way;

		c->unsent += more * l->frame_len;
		c->under_way += more;
		c->sent += more;
	}
	if (!c->unsent)
		return;
	n = write(c->fd, end - c->unsent, c->unsent);
	if (n < 0 && errno != EAGAIN) {
		close_conn(l, c);
		return;
	}
	c->unsent -= n > 0 ? (size_t)n : 0;
	if (waited == (c->unsent > 0))
		return;
	if (c->unsent)
		ev.events |= EPOLLOUT;
	epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

static void make_frames(struct load *l)
{
	char *text = malloc(l->bytes + 1);
	size_t room = l->bytes + 14;
	unsigned char *one = malloc(room);

	l->frames = malloc((size_t)l->publishers * l->window * room);
	if (!text || !one || !l->frames)
		die(EX_OSERR, "memory");
	for (unsigned p = 0; p < l->publishers; p++) {
		struct conn *c = &l->conns[p];
		int head;

		snprintf(c->name, sizeof(c->name), "%04u", p % 10000);
		head = snprintf(text, l->bytes + 1, MARK "%s\",\"x\":\"", c->name);
		memset(text + head, 'x', l->bytes - (size_t)head - 2);
		memcpy(text + l->bytes - 2, "\"}", 2);
		l->frame_len = frame_make(one, text, l->bytes);
		for (unsigned w = 0; w < l->window; w++)
			memcpy(l->frames + ((size_t)p * l->window + w) * l->frame_len, one,
			       l->frame_len);
	}
	free(one);
	free(text);
}

/* --- receiving --- */

static void got_frame(struct load *l, struct conn *c, const unsigned char *payload, size_t len)
{
	if (len >= MARK_LEN + 4 && memcmp(payload, MARK, MARK_LEN) == 0) {
		c->received++;
		l->received++;
		if (memcmp(payload + MARK_LEN, c->name, 4) == 0)
			c->under_way--;
	} else if (!c->joined && len >= sizeof(JOINED) - 1 &&
		   memcmp(payload, JOINED, sizeof(JOINED) - 1) == 0) {
		c->joined = true;
		l->joined++;
	}
}

/* Takes frames off p; a frame counts once its beginning is here and its end is known to be on the
 * way. Returns how many bytes were used. */
static size_t parse(struct load *l, struct conn *c, const unsigned char *p, size_t have)
{
	size_t used = 0;

	while (used < have) {
		size_t left = have - used, head = 2, look;
		const unsigned char *f = p + used;
		uint64_t len;

		if (c->skip) {
			size_t n = c->skip < left ? (size_t)c->skip : left;

			c->skip -= n;
			used += n;
			continue;
		}
		if (left < 2)
			break;
		len = f[1] & 0x7f;
		head = len == 126 ? 4 : len == 127 ? 10 : 2;
		if (left < head)
			break;
		if (head > 2)
			len = 0;
		for (size_t i = 2; i < head; i++)
			len = len << 8 | f[i];
		look = len < LOOK_MAX ? (size_t)len : LOOK_MAX;
		if (left < head + look)
			break;
		if ((f[0] & 0x0f) == 1)
			got_frame(l, c, f + head, look);
		used += head + look;
		c->skip = len - look;
	}
	return used;
}

static void receive(struct load *l, struct conn *c)
{
	size_t have, used;
	ssize_t n;

	memcpy(input, c->carry, c->carry_len);
	n = read(c->fd, input + c->carry_len, READ_MAX);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close_conn(l, c);
		return;
	}
	have = c->carry_len + (size_t)n;
	used = parse(l, c, input, have);
	c->carry_len = (uint16_t)(have - used);
	memcpy(c->carry, input + used, c->carry_len);
	/* Half a window at a time, so that neither side sends single messages. */
	if (l->publishing && c->name[0] && c->under_way <= l->window / 2)
		publish(l, c);
}

static void turn(struct load *l, int timeout_ms)
{
	struct epoll_event ev[512];
	int n = epoll_wait(l->epoll, ev, 512, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct conn *c = ev[i].data.ptr;

		if (c->fd >= 0 && ev[i].events & EPOLLOUT)
			publish(l, c);
		if (c->fd >= 0 && ev[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			receive(l, c);
	}
}

static void run_for(struct load *l, double seconds)
{
	for (double end = now() + seconds; now() < end;)
		turn(l, 10);
}

/* --- the two measurements --- */

static bool all_received(const struct load *l, uint64_t sent)
{
	for (unsigned i = 0; i < l->members; i++)
		if (l->conns[i].fd >= 0 && l->conns[i].received != sent)
			return false;
	return true;
}

static void measure_fanout(struct load *l)
{
	uint64_t before, after, sent = 0;
	double start, took, end;
	unsigned i;

	l->publishing = true;
	for (i = 0; i < l->publishers; i++)
		publish(l, &l->conns[i]);
	run_for(l, 1);
	before = l->received;
	start = now();
	run_for(l, l->seconds);
	after = l->received;
	took = now() - start;

	/* What is under way must arrive too, at every member. */
	l->publishing = false;
	for (i = 0; i < l->publishers; i++)
		sent += l->conns[i].sent;
	for (end = now() + 10; now() < end && !all_received(l, sent);)
		turn(l, 10);
	printf("{\"members\":%u,\"publishers\":%u,\"window\":%u,\"bytes\":%u,\"seconds\":%.2f,"
	       "\"deliveries\":%ju,\"deliveries_per_s\":%.0f,\"sent\":%ju,\"complete\":%s,"
	       "\"closed\":%u}\n",
	       l->members, l->publishers, l->window, l->bytes, took, (uintmax_t)(after - before),
	       (double)(after - before) / took, (uintmax_t)sent,
	       !l->closed && all_received(l, sent) ? "true" : "false", l->closed);
}

/* Resident KiB of all processes in pids, separated by commas. */
static long rss_kib(const char *pids)
{
	long sum = 0;

	for (const char *p = pids; *p;) {
		char path[64], line[256];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%ld/status", strtol(p, NULL, 10));
		f = fopen(path, "r");
		if (!f)
			die(EX_NOINPUT, path);
		while (fgets(line, sizeof(line), f))
			if (strncmp(line, "VmRSS:", 6) == 0)
				sum += strtol(line + 6, NULL, 10);
		fclose(f);
		p += strcspn(p, ",");
		p += *p == ',';
	}
	return sum;
}

static void report_idle(struct load *l, long before)
{
	long after = rss_kib(l->pids);

	printf("{\"connections\":%u,\"rss_before_kib\":%ld,\"rss_after_kib\":%ld,\"kib_per_"
	       "connection\":%.3f,"
	       "\"closed\":%u}\n",
	       l->members, before, after, (double)(after - before) / l->members, l->closed);
}

/* --- the command line --- */

static unsigned number(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	errno = 0;
	if (*end || n < min || n > max)
		die(EX_USAGE, "a number is out of range");
	return (unsigned)n;
}

static void read_options(struct load *l, int argc, char **argv)
{
	static const char usage[] =
	    "usage: fanout [-d hub|plain] [-n MEMBERS] [-p PUBLISHERS] [-w WINDOW] [-b BYTES]\n"
	    "              [-s SECONDS] [-i PID,PID...] HOST PORT PATH\n"
	    "Counts what the members of one busy channel get; with -i only the memory that idle\n"
	    "connections take in the processes named. HOST is an IPv4 address. -d hub joins a\n"
	    "session of hub(7) first; plain takes a connection as joined (broadcast servers,\n"
	    "nchan_pubsub).\n";
	int o;

	while ((o = getopt(argc, argv, "d:n:p:w:b:s:i:h")) != -1) {
		switch (o) {
		case 'd':
			l->hub = strcmp(optarg, "hub") == 0;
			break;
		case 'n':
			l->members = number(optarg, 1, 60000);
			break;
		case 'p':
			l->publishers = number(optarg, 1, 10000);
			break;
		case 'w':
			l->window = number(optarg, 1, WINDOW_MAX);
			break;
		case 'b':
			l->bytes = number(optarg, LOOK_MAX, MESSAGE_MAX);
			break;
		case 's':
			l->seconds = number(optarg, 1, 600);
			break;
		case 'i':
			l->idle = true;
			l->pids = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EX_OK);
		default:
			exit(EX_USAGE);
		}
	}
	if (argc - optind != 3 || l->publishers > l->members) {
		fputs(usage, stderr);
		exit(EX_USAGE);
	}
	l->host = argv[optind];
	l->path = argv[optind + 2];
	l->address.sin_family = AF_INET;
	l->address.sin_port = htons((uint16_t)number(argv[optind + 1], 1, 65535));
	if (inet_pton(AF_INET, l->host, &l->address.sin_addr) != 1)
		die(EX_USAGE, "HOST is not an IPv4 address");
}

int main(int argc, char **argv)
{
	struct load l = {.hub = true,
			 .members = 1000,
			 .publishers = 10,
			 .window = 100,
			 .bytes = 100,
			 .seconds = 5};
	struct rlimit files;
	long before = 0;
	double end;

	read_options(&l, argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.conns = calloc(l.members, sizeof(*l.conns));
	if (l.epoll < 0 || !l.conns)
		die(EX_OSERR, "start");
	if (l.idle)
		before = rss_kib(l.pids);
	else
		make_frames(&l);
	for (unsigned i = 0; i < l.members; i++) {
		add_conn(&l, &l.conns[i]);
		/* Read now and then: the server tells members of each other. */
		if (i % 64 == 0)
			turn(&l, 0);
	}
	for (end = now() + 30; l.joined < l.members && now() < end;)
		turn(&l, 10);
	errno = 0;
	if (l.joined < l.members)
		die(EX_PROTOCOL, "not all could join");
	/* Let the news of the joins pass. */
	run_for(&l, l.idle ? 3 : 1);
	if (l.idle)
		report_idle(&l, before);
	else
		measure_fanout(&l);
	return l.closed ? 1 : 0;
}
