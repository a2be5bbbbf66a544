/* storm: connections that come, join and go, as fast as a server takes them.
 *
 *   storm PORT PATH JOIN SECONDS [THREADS]
 *
 * Each thread connects, upgrades, sends JOIN (empty: nothing), reads the first message that answers
 * it, and ends with a reset, so that no port stays behind. Prints one JSON object. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define THREADS_MAX 64
#define JOIN_MAX 125

static struct {
	unsigned short port;
	char request[1024];
	char frame[6 + JOIN_MAX];
	size_t request_len, frame_len;
	double until;
} storm;

struct counts {
	pthread_t thread;
	unsigned long done, failed;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Reads until the head of the answer is over, and, where something is to come behind it, that has.
 */
static int read_answer(int fd, bool head)
{
	char text[4096];
	size_t len = 0;

	while (len < sizeof(text) - 1) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		if (n <= 0)
			return -1;
		len += (size_t)n;
		text[len] = '\0';
		if (!head || strstr(text, "\r\n\r\n"))
			return head && strncmp(text, "HTTP/1.1 101", 12) != 0 ? -1 : 0;
	}
	return -1;
}

static int come_and_go(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(storm.port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger reset = {1, 0};
	struct timeval patience = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, r = -1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    send(fd, storm.request, storm.request_len, MSG_NOSIGNAL) ==
		(ssize_t)storm.request_len &&
	    read_answer(fd, true) == 0)
		r = 0;
	if (r == 0 && storm.frame_len > 6 &&
	    (send(fd, storm.frame, storm.frame_len, MSG_NOSIGNAL) != (ssize_t)storm.frame_len ||
	     read_answer(fd, false) < 0))
		r = -1;
	close(fd);
	return r;
}

static void *run(void *arg)
{
	struct counts *c = arg;

	while (now() < storm.until && c->failed < 1000)
		come_and_go() == 0 ? c->done++ : c->failed++;
	return NULL;
}

int main(int argc, char **argv)
{
	struct counts threads[THREADS_MAX] = {0}, all = {0};
	double start = now(), seconds;
	unsigned n;

	err_init("storm", ERR_INFO);
	if (argc < 5 || strlen(argv[3]) > JOIN_MAX)
		err_die(EX_USAGE, "usage: storm PORT PATH JOIN SECONDS [THREADS]");
	storm.port = (unsigned short)atoi(argv[1]);
	seconds = atof(argv[4]);
	n = argc > 5 ? (unsigned)atoi(argv[5]) : 8;
	if (n < 1 || n > THREADS_MAX)
		err_die(EX_USAGE, "1 to %d threads", THREADS_MAX);
	storm.request_len = (size_t)snprintf(
	    storm.request, sizeof(storm.request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	    argv[2]);
	/* A text frame, masked with zeros. */
	storm.frame[0] = (char)0x81;
	storm.frame[1] = (char)(0x80 | strlen(argv[3]));
	memcpy(storm.frame + 6, argv[3], strlen(argv[3]));
	storm.frame_len = 6 + strlen(argv[3]);
	storm.until = start + seconds;

	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&threads[i].thread, NULL, run, &threads[i]) != 0)
			err_die(EX_OSERR, "no thread");
	for (unsigned i = 0; i < n; i++) {
		pthread_join(threads[i].thread, NULL);
		all.done += threads[i].done;
		all.failed += threads[i].failed;
	}
	printf("{\"connections\":%lu,\"failed\":%lu,\"seconds\":%.3f}\n", all.done, all.failed,
	       now() - start);
	return all.done ? 0 : 1;
}
