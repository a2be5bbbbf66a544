/* Invariant: no question takes longer than its share of the time. */
#include "run/diagnose.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "load/load.h"
#include "speak/guess.h"

#define ASK_MS 250 /* for one dialect */

/* Waits for the descriptor; false where the time is over. */
static bool wait_for(int fd, short events, uint64_t until_ms)
{
	uint64_t now = clock_mono_ms();
	struct pollfd p = {.fd = fd, .events = events};

	return now < until_ms && poll(&p, 1, (int)(until_ms - now)) == 1;
}

/* The answer to a GET of that path, as far as it comes in time. Returns its length. */
static size_t get(const struct run *r, const char *path, char *answer, size_t cap)
{
	const struct url *url = &r->target->url;
	uint64_t until = clock_mono_ms() + ASK_MS;
	char request[1024];
	size_t len = 0;
	ssize_t n = 1;
	bool done;
	int fd = net_connect(r->target, 0, false, &done);
	int size = snprintf(request, sizeof(request),
			    "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nConnection: close\r\n\r\n", path,
			    url->ipv6 ? "[" : "", url->host, url->ipv6 ? "]" : "", url->port);

	if (fd < 0)
		return 0;
	if (wait_for(fd, POLLOUT, until) && net_connected(fd) == 0 &&
	    write(fd, request, (size_t)size) == size)
		while (n > 0 && len < cap && wait_for(fd, POLLIN, until)) {
			n = read(fd, answer + len, cap - len);
			len += n > 0 ? (size_t)n : 0;
		}
	close(fd);
	return len;
}

/* The path at which a dialect tells what it is. */
static const char *path_of(const struct dialect *d)
{
	return d == &dialect_socketio ? "/socket.io/?EIO=4&transport=polling" : d->path;
}

static bool does_speak(const struct run *r, const struct dialect *d)
{
	char answer[4096];
	size_t len = get(r, path_of(d), answer, sizeof(answer));

	return guess_answer(d, answer, len);
}

static void say_other(const struct dialect *d, char *what, size_t cap)
{
	snprintf(what, cap, "the server speaks %s: --dialect %s",
		 d == &dialect_socketio ? "Socket.IO" : "hub(7)", d->name);
}

bool diagnose(const struct run *r, char *what, size_t cap)
{
	const struct dialect *own = r->dialect;
	const char *path = r->target->url.path;

	if (r->target->tls || r->target->tunnel || r->target->url.scheme == URL_UNIX)
		return false;
	/* A server may speak several: the path that it was asked at tells which was meant, and
	 * where the one it was asked in is among them, that is not it. */
	for (size_t i = 0; dialects[i]; i++)
		if (dialects[i] != own && dialects[i]->path &&
		    strcmp(path, dialects[i]->path) == 0 && strcmp(path, own->path) != 0 &&
		    does_speak(r, dialects[i])) {
			say_other(dialects[i], what, cap);
			return true;
		}
	if (does_speak(r, own)) {
		if (strcmp(path, own->path) == 0)
			return false;
		snprintf(what, cap, "the server speaks %s at the path %s", own->name, own->path);
		return true;
	}
	for (size_t i = 0; dialects[i]; i++)
		if (dialects[i] != own && does_speak(r, dialects[i])) {
			say_other(dialects[i], what, cap);
			return true;
		}
	return false;
}

void diagnose_silence(const struct run *r, char *what, size_t cap)
{
	size_t n = (size_t)snprintf(what, cap,
				    "the server takes connections, but does not answer in the "
				    "dialect %s: try",
				    r->dialect->name);

	for (size_t i = 0; dialects[i] && n < cap; i++)
		if (dialects[i] != r->dialect)
			n += (size_t)snprintf(what + n, cap - n, " --dialect %s,",
					      dialects[i]->name);
	if (n < cap)
		what[n - 1] = '\0';
}
