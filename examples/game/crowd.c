/* A crowd that plays, and how long it takes from an input to the state that knows of it.
 *
 *	crowd PORT [PLAYERS [INPUTS [SECONDS]]]
 *
 * So many players (1000) join the town of the hub on that port of 127.0.0.1, each by a WebSocket of
 * its own. Each changes its way INPUTS times a second (10), at instants that are fixed beforehand:
 * an input counts from when it was due, however late it was sent, until the player has the first
 * state that knows of it. One thread; what it takes to read counts, too. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "line.h"

#define PATIENCE_NS INT64_C(60000000000) /* for the last answers */
enum { AHEAD = 256, NUMBERS = 2001, TICKS = 64, READ = 1 << 18, JOINING = 64 };

struct player {
	int fd, number, sent, known; /* known: the last input of ours that a state had */
	char id[12];
	char *rest; /* of a frame that is not whole */
	size_t len;
	int64_t due[AHEAD]; /* of input i at i % AHEAD */
};

/* What states say: they are the same for all, and each is read once. */
static struct {
	long tick;
	int n[NUMBERS];
} seen[TICKS];

static struct player *players;
static int count = 1000, joined, asked;
static double *latency; /* ms */
static size_t n_latency, most_latency, unanswered, under_way;
static uint64_t bytes_in, states;
static int64_t began; /* measuring; 0: not yet */

static void fail(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(69);
}

static int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A text frame, masked with zeros. */
static void say(struct player *p, const char *text)
{
	unsigned char frame[512] = {0x81};
	size_t len = strlen(text), head = len < 126 ? 6 : 8;

	frame[1] = (unsigned char)(0x80 | (len < 126 ? len : 126));
	if (len >= 126) {
		frame[2] = (unsigned char)(len >> 8);
		frame[3] = (unsigned char)len;
	}
	memcpy(frame + head, text, len);
	if (write(p->fd, frame, head + len) != (ssize_t)(head + len))
		fail("the hub takes no input");
}

static void connect_to(struct player *p, int port)
{
	static const char hello[] = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
				    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	char answer[1024];
	size_t len = 0;
	int on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fail("connect");
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (write(p->fd, hello, sizeof(hello) - 1) < 0)
		fail("handshake");
	/* Not a byte more than the head: frames may follow. */
	while (len < sizeof(answer) - 1 &&
	       (len < 4 || memcmp(answer + len - 4, "\r\n\r\n", 4) != 0))
		if (read(p->fd, answer + len++, 1) != 1)
			fail("handshake");
	if (strncmp(answer, "HTTP/1.1 101", 12) != 0) {
		fprintf(stderr, "crowd: the hub answers %.40s\n", answer);
		exit(69);
	}
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
}

/* All players, or those whose inputs are new. */
static void game_state(struct player *p, const char *text, int64_t now)
{
	const char *at = strstr(text, "\"tick\":");
	long tick = at ? strtol(at + sizeof("\"tick\":") - 1, NULL, 10) : 0;
	int v[6], known, i = (int)(tick % TICKS);

	states += began != 0;
	if (seen[i].tick != tick) {
		seen[i].tick = tick;
		memset(seen[i].n, 0, sizeof(seen[i].n));
		for (at = line_member(text, "players").p; (at = line_numbers(at, v, 6));)
			if (v[0] > 0 && v[0] < NUMBERS)
				seen[i].n[v[0]] = v[4];
	}
	known = seen[i].n[p->number];
	while (p->known < known && p->known < p->sent) {
		p->known++;
		under_way--;
		if (began && p->due[p->known % AHEAD] >= began && n_latency < most_latency)
			latency[n_latency++] = (double)(now - p->due[p->known % AHEAD]) / 1e6;
	}
}

/* A message of the hub; ended by a zero. */
static void take(struct player *p, const char *text, int64_t now)
{
	static const char state[] = "{\"type\":\"game_state\",",
			  moved[] = "{\"type\":\"game_event\",\"event\":\"moved\",",
			  joins[] = "{\"type\":\"player_joined\",";
	char join[256];
	struct text id;

	if (strncmp(text, state, sizeof(state) - 1) == 0 ||
	    strncmp(text, moved, sizeof(moved) - 1) == 0) {
		game_state(p, text, now);
	} else if (!p->number && strncmp(text, joins, sizeof(joins) - 1) == 0) {
		if (!line_is(line_member(text, "key"), p->id))
			return;
		p->number = line_number(line_member(text, "player"), 0, NUMBERS - 1);
		joined++;
	} else if (!p->id[0] && line_is(line_member(text, "type"), "session_associated")) {
		id = line_member(text, "client_id");
		snprintf(p->id, sizeof(p->id), "%.*s", id.len, id.p);
		snprintf(join, sizeof(join),
			 "{\"type\":\"join_game\",\"key\":\"%s\",\"own\":true,\"name\":\"P%d\"}",
			 p->id, (int)(p - players) + 1);
		say(p, join);
	} else if (line_is(line_member(text, "type"), "error")) {
		fprintf(stderr, "crowd: %s\n", text);
	}
}

static void hear(struct player *p)
{
	static char in[READ + 70000 + 1];
	char *at = in, *end, kept;
	ssize_t n;
	int64_t now;

	memcpy(in, p->rest, p->len);
	n = read(p->fd, in + p->len, READ);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("the hub has ended a connection");
	now = clock_ns();
	bytes_in += began ? (uint64_t)n : 0;
	end = in + p->len + n;
	for (;;) {
		const unsigned char *b = (const unsigned char *)at;
		size_t head = 2, len = end - at >= 2 ? b[1] : 0;

		if (len == 126 && end - at >= 4)
			head = 4, len = (size_t)b[2] << 8 | b[3];
		else if (len == 127 && end - at >= 10)
			head = 10,
			len = (size_t)b[6] << 24 | (size_t)b[7] << 16 | (size_t)b[8] << 8 | b[9];
		else if (len > 125)
			break;
		if (end - at < 2 || (size_t)(end - at) < head + len)
			break;
		kept = at[head + len];
		at[head + len] = '\0';
		if (b[0] == 0x81)
			take(p, at + head, now);
		at[head + len] = kept;
		at += head + len;
	}
	p->len = (size_t)(end - at);
	if (p->len > 70000)
		fail("a message that is too large");
	free(p->rest);
	p->rest = malloc(p->len + 1);
	memcpy(p->rest, at, p->len);
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

static double percentile(double part)
{
	return n_latency ? latency[(size_t)((double)(n_latency - 1) * part)] : 0;
}

static void input(struct player *p, int64_t due)
{
	char text[128];

	if (p->sent - p->known >= AHEAD) {
		unanswered++; /* as if it had never been answered */
		return;
	}
	under_way++;
	p->due[++p->sent % AHEAD] = due;
	snprintf(text, sizeof(text), "{\"type\":\"player_input\",\"n\":%d,\"dx\":%d,\"dy\":%d}",
		 p->sent, rand() % 3 - 1, rand() % 3 - 1);
	say(p, text);
}

int main(int argc, char **argv)
{
	int port = argc > 1 ? atoi(argv[1]) : 0, epoll = epoll_create1(EPOLL_CLOEXEC);
	double rate = argc > 3 ? atof(argv[3]) : 10, seconds = argc > 4 ? atof(argv[4]) : 10;
	struct rlimit files;
	int64_t start = 0, end = 0, step;
	uint64_t k = 0;

	count = argc > 2 ? atoi(argv[2]) : count;
	if (port <= 0 || port > 65535 || count < 1 || count >= NUMBERS || rate <= 0 ||
	    rate > 1000 || seconds <= 0) {
		fprintf(stderr, "usage: crowd PORT [PLAYERS [INPUTS [SECONDS]]]\n");
		return 64;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	players = calloc((size_t)count, sizeof(*players));
	most_latency = (size_t)((seconds + 10) * rate * count);
	latency = malloc(most_latency * sizeof(*latency));
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &players[i]};

		players[i].rest = malloc(1);
		connect_to(&players[i], port);
		epoll_ctl(epoll, EPOLL_CTL_ADD, players[i].fd, &event);
	}
	step = (int64_t)(1e9 / rate / count);
	/* All of them are in; then a second to become warm. */
	while (!end || clock_ns() < end || (under_way && clock_ns() < end + PATIENCE_NS)) {
		struct epoll_event events[256];
		int n = epoll_wait(epoll, events, 256, 1);
		int64_t now;

		while (asked < count && asked < joined + JOINING)
			say(&players[asked++],
			    "{\"type\":\"session_associate\",\"session_id\":\"town\",\"types\":"
			    "[\"!player_input\",\"!heartbeat\",\"!join_game\"]}");
		for (int i = 0; i < n; i++)
			hear(events[i].data.ptr);
		now = clock_ns();
		if (!start && joined == count) {
			start = now;
			began = now + INT64_C(1000000000);
			end = began + (int64_t)(seconds * 1e9) + INT64_C(1000000000);
		}
		while (start && now >= start + (int64_t)k * step &&
		       start + (int64_t)k * step < end - INT64_C(1000000000)) {
			input(&players[k % (unsigned)count], start + (int64_t)k * step);
			k++;
		}
	}
	unanswered += under_way;
	qsort(latency, n_latency, sizeof(*latency), compare);
	printf("{\"players\":%d,\"inputs\":%zu,\"unanswered\":%zu,\"p50_ms\":%.1f,\"p95_ms\":%.1f,"
	       "\"p99_ms\":%.1f,\"max_ms\":%.1f,\"states_per_player_s\":%.1f,\"mbytes_s\":%.1f}\n",
	       count, n_latency, unanswered, percentile(0.5), percentile(0.95), percentile(0.99),
	       percentile(1), (double)states / count / (seconds + 1),
	       (double)bytes_in / 1e6 / (seconds + 1));
	return unanswered ? 1 : 0;
}
