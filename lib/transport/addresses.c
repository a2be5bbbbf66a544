/* Invariant: a lookup's memory goes with libuv's request, whoever cancels it. */
#include "transport/addresses.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct addresses_lookup {
	uv_getaddrinfo_t request;
	void (*done)(void *arg, const struct addresses *found, const char *why);
	void *arg;
	bool cancelled;
};

/* The next of a family from `from` on; NULL: none. */
static const struct addrinfo *of_family(const struct addrinfo *from, int family)
{
	while (from && from->ai_family != family)
		from = from->ai_next;
	return from;
}

static void add(struct addresses *a, const struct addrinfo *i)
{
	const void *bytes = i->ai_family == AF_INET6
				? (void *)&((struct sockaddr_in6 *)(void *)i->ai_addr)->sin6_addr
				: (void *)&((struct sockaddr_in *)(void *)i->ai_addr)->sin_addr;

	if (a->n < ADDRESSES_MAX &&
	    uv_inet_ntop(i->ai_family, bytes, a->text[a->n], sizeof(a->text[0])) == 0)
		a->n++;
}

static void interleave(struct addresses *a, const struct addrinfo *all)
{
	int first = all->ai_family, second = first == AF_INET6 ? AF_INET : AF_INET6;
	const struct addrinfo *x = of_family(all, first), *y = of_family(all, second);

	while (x || y) {
		if (x) {
			add(a, x);
			x = of_family(x->ai_next, first);
		}
		if (y) {
			add(a, y);
			y = of_family(y->ai_next, second);
		}
	}
}

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *all)
{
	struct addresses_lookup *l = request->data;
	struct addresses found = {.n = 0};

	if (status == 0 && all)
		interleave(&found, all);
	uv_freeaddrinfo(all);
	if (!l->cancelled && found.n)
		l->done(l->arg, &found, "");
	else if (!l->cancelled)
		l->done(l->arg, NULL, status < 0 ? uv_strerror(status) : "it has no address");
	free(l);
}

struct addresses_lookup *
addresses_find(struct uv_loop_s *loop, const char *host,
	       void (*done)(void *arg, const struct addresses *found, const char *why), void *arg)
{
	static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addresses_lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->done = done;
	l->arg = arg;
	l->request.data = l;
	if (uv_getaddrinfo(loop, &l->request, on_found, host, NULL, &hints) == 0)
		return l;
	free(l);
	return NULL;
}

void addresses_cancel(struct addresses_lookup *l)
{
	l->cancelled = true;
	uv_cancel((uv_req_t *)&l->request);
}
