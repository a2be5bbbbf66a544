#include "door/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "door/doors.h"

#define LISTENERS_MAX 64
#define BACKLOG 4096
#define ACCEPT_MAX 64 /* connections taken per loop turn */
/* Of what the kernel may hold back for a peer that does not read: what is in there is lost to
 * conflation and resynchronising. Larger values gain no throughput. */
#define UNSENT_BYTES 16384
#define RETRY_MS 100 /* until the next try, when there is no descriptor left */

struct listener {
	uv_poll_t poll;
	struct listeners *all;
	int fd;
	bool local;
	dev_t dev; /* of the socket's file */
	ino_t ino;
	char text[INET6_ADDRSTRLEN + 128]; /* the address bound */
};

struct listeners {
	struct workers *workers;
	unsigned max; /* connections of all workers */
	uv_timer_t retry;
	bool started;
	uint32_t accepted; /* connections so far */
	size_t n;
	struct listener l[LISTENERS_MAX];
};

static void on_readable(uv_poll_t *poll, int status, int events);

struct listeners *listeners_new(struct workers *workers, unsigned max)
{
	struct listeners *ls = calloc(1, sizeof(*ls));

	if (ls) {
		ls->workers = workers;
		ls->max = max;
	}
	return ls;
}

/* --- binding --- */

/* A new entry for a bound socket, listening. Takes fd. */
static int listeners_add(struct listeners *ls, int fd, bool local, const char *text)
{
	struct listener *l = &ls->l[ls->n];

	if (ls->n == LISTENERS_MAX || strlen(text) >= sizeof(l->text)) {
		err_log(ERR_ERROR, "cannot listen on %s: too many addresses", text);
		close(fd);
		return EX_CONFIG;
	}
	if (listen(fd, BACKLOG) < 0) {
		err_log(ERR_ERROR, "cannot listen on %s: %s", text, strerror(errno));
		close(fd);
		return EX_CANTCREAT;
	}
	l->all = ls;
	l->fd = fd;
	l->local = local;
	strcpy(l->text, text);
	ls->n++;
	return 0;
}

static void address_text(int fd, char *out, size_t cap)
{
	struct sockaddr_storage sa = {0};
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	socklen_t len = sizeof(sa);

	getsockname(fd, (struct sockaddr *)&sa, &len);
	getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, cap, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int bind_tcp(struct listeners *ls, const struct addrinfo *ai, const char *address)
{
	int one = 1, unsent = UNSENT_BYTES,
	    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[INET6_ADDRSTRLEN + 16];

	if (fd < 0 && errno == EAFNOSUPPORT)
		return 0; /* a name may have addresses of families that this machine does not have
			   */
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		/* Inherited by what is accepted (seen with Linux 6.18). */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
		/* "every address" makes one socket for each family. */
		if (ai->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		err_log(ERR_ERROR, "cannot listen on %s: %s", address, strerror(errno));
		if (fd >= 0)
			close(fd);
		return EX_CANTCREAT;
	}
	address_text(fd, text, sizeof(text));
	return listeners_add(ls, fd, false, text);
}

int listeners_add_tcp(struct listeners *ls, const char *address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *all, *ai;
	const char *colon = strrchr(address, ':');
	char host[NI_MAXHOST];
	size_t len = colon ? (size_t)(colon - address) : 0;
	size_t before = ls->n;
	int r;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 || atoi(colon + 1) > 65535 || len >= sizeof(host) ||
	    (memchr(address, ':', len) && (address[0] != '[' || address[len - 1] != ']'))) {
		err_log(ERR_ERROR, "listen: '%s' is not HOST:PORT", address);
		return EX_USAGE;
	}
	if (len > 1 && address[0] == '[') {
		memcpy(host, address + 1, len - 2);
		host[len - 2] = '\0';
	} else {
		memcpy(host, address, len);
		host[len] = '\0';
	}
	r = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &all);
	if (r != 0) {
		err_log(ERR_ERROR, "listen: %s: %s", address, gai_strerror(r));
		return EX_CANTCREAT;
	}
	r = 0;
	for (ai = all; ai && r == 0; ai = ai->ai_next)
		r = bind_tcp(ls, ai, address);
	freeaddrinfo(all);
	if (r == 0 && ls->n == before) {
		err_log(ERR_ERROR, "cannot listen on %s: no usable address", address);
		r = EX_CANTCREAT;
	}
	return r;
}

/* 0: nothing is at path, or what a dead server left there, now removed. Else an exit status. */
static int clear_stale(const char *path, const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		err_log(ERR_ERROR, "cannot listen on %s: it exists and is not a socket", path);
		return EX_CANTCREAT;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	if (r < 0 && errno == ECONNREFUSED) {
		close(fd);
		unlink(path);
		err_log(ERR_INFO, "replaced the stale socket %s", path);
		return 0;
	}
	err_log(ERR_ERROR, "cannot listen on %s: %s", path,
		r == 0 || errno == EAGAIN ? "another server is using it" : strerror(errno));
	if (fd >= 0)
		close(fd);
	return EX_CANTCREAT;
}

int listeners_add_unix(struct listeners *ls, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t mask;
	int fd, r;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		err_log(ERR_ERROR,
			"cannot listen on %s: a socket's path may have %zu bytes at most", path,
			sizeof(sa.sun_path) - 1);
		return EX_CANTCREAT;
	}
	strcpy(sa.sun_path, path);
	r = clear_stale(path, &sa);
	if (r != 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0117); /* mode 0660 from the start; no other thread runs yet */
	r = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (r < 0 || lstat(path, &st) < 0) {
		err_log(ERR_ERROR, "cannot listen on %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return EX_CANTCREAT;
	}
	r = listeners_add(ls, fd, true, path);
	if (r == 0) {
		ls->l[ls->n - 1].dev = st.st_dev;
		ls->l[ls->n - 1].ino = st.st_ino;
	}
	return r;
}

/* --- accepting --- */

static struct worker *least_loaded(const struct workers *all)
{
	struct worker *best = all->at[0];
	unsigned i, least = UINT32_MAX;

	for (i = 0; i < all->n; i++) {
		unsigned n = atomic_load_explicit(&all->at[i]->connections, memory_order_relaxed);

		if (n < least) {
			least = n;
			best = all->at[i];
		}
	}
	return best;
}

/* Who has most connections that do nothing, one of which may go. */
static struct worker *least_used(const struct workers *all)
{
	struct worker *best = all->at[0];
	unsigned i, most = 0;

	for (i = 0; i < all->n; i++) {
		unsigned n =
		    atomic_load_explicit(&all->at[i]->doors->waiting, memory_order_relaxed);

		if (n > most) {
			most = n;
			best = all->at[i];
		}
	}
	return best;
}

/* A connection on its way to its worker. */
struct adoption {
	struct mail mail; /* first */
	int fd;
	uint32_t born;
	bool local;
	bool full;
};

static void on_adopt(struct worker *w, struct mail *mail)
{
	struct adoption *a = (struct adoption *)mail;

	if (atomic_load(&w->all->draining)) {
		close(a->fd);
		worker_connection_gone(w);
	} else {
		doors_adopt(w, a->fd, a->local, a->full, a->born);
	}
	free(a);
}

static void hand_over(struct listener *l, int fd)
{
	struct listeners *ls = l->all;
	bool full = workers_connections(ls->workers) >= ls->max;
	struct worker *w = full ? least_used(ls->workers) : least_loaded(ls->workers);
	struct adoption *a = malloc(sizeof(*a));

	if (!a) {
		doors_refuse(ls->workers->at[0], fd, l->local);
		return;
	}
	*a = (struct adoption){{.run = on_adopt}, fd, ++ls->accepted, l->local, full};
	atomic_fetch_add_explicit(&w->connections, 1, memory_order_relaxed);
	counter_add(&ls->workers->at[0]->counters, accepted, 1);
	worker_post(w, &a->mail);
}

static void on_retry(uv_timer_t *timer)
{
	struct listeners *ls = timer->data;
	size_t i;

	for (i = 0; i < ls->n; i++)
		uv_poll_start(&ls->l[i].poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;
	size_t i;
	int n, fd;

	(void)status;
	(void)events;
	for (n = 0; n < ACCEPT_MAX; n++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			hand_over(l, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			return;
		/* Out of descriptors or memory: the connection waits; asking at once again would
		 * spin. */
		err_log(ERR_WARN, "cannot accept a connection: %s", strerror(errno));
		for (i = 0; i < l->all->n; i++)
			uv_poll_stop(&l->all->l[i].poll);
		uv_timer_start(&l->all->retry, on_retry, RETRY_MS, 0);
		return;
	}
}

int listeners_start(struct listeners *ls)
{
	uv_loop_t *loop = worker_loop(ls->workers->at[0]);
	size_t i;
	int r;

	uv_timer_init(loop, &ls->retry);
	ls->retry.data = ls;
	ls->started = true;
	for (i = 0; i < ls->n; i++) {
		r = uv_poll_init(loop, &ls->l[i].poll, ls->l[i].fd);
		ls->l[i].poll.data = &ls->l[i];
		if (r == 0)
			r = uv_poll_start(&ls->l[i].poll, UV_READABLE, on_readable);
		if (r < 0) {
			err_log(ERR_ERROR, "cannot listen on %s: %s", ls->l[i].text,
				uv_strerror(r));
			return EX_OSERR;
		}
	}
	return 0;
}

void listeners_each(const struct listeners *ls,
		    void (*each)(const char *text, bool local, void *arg), void *arg)
{
	size_t i;

	for (i = 0; i < ls->n; i++)
		each(ls->l[i].text, ls->l[i].local, arg);
}

void listeners_stop(struct listeners *ls)
{
	struct stat st;
	size_t i;

	for (i = 0; i < ls->n; i++) {
		struct listener *l = &ls->l[i];

		if (l->fd < 0)
			continue;
		if (ls->started)
			uv_close((uv_handle_t *)&l->poll, NULL);
		if (l->local && lstat(l->text, &st) == 0 && st.st_dev == l->dev &&
		    st.st_ino == l->ino)
			unlink(l->text);
		close(l->fd);
		l->fd = -1;
	}
	if (ls->started)
		uv_close((uv_handle_t *)&ls->retry, NULL);
	ls->started = false;
}

void listeners_free(struct listeners *ls)
{
	free(ls);
}
