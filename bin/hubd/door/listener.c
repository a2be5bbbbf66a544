#include "door/listener.h"

#include <errno.h>
#include <fcntl.h>
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
#include "door/doors_impl.h"
#include "door/gate_impl.h"
#include "door/peer.h"
#include "loop/journal.h"

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
	enum listen_kind kind;
	bool local; /* at an address of the loopback */
	dev_t dev;  /* of the socket's file */
	ino_t ino;
	char text[INET6_ADDRSTRLEN + 128]; /* the address bound */
};

struct listeners {
	struct workers *workers;
	unsigned max; /* connections of all workers */
	int spare; /* a descriptor to give up where there is none left; -1: it could not be had */
	uv_timer_t retry;
	bool started;
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
		ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	return ls;
}

/* --- binding --- */

/* Whether nobody but this machine reaches it. */
static bool is_loopback(const struct sockaddr *sa)
{
	struct address a;

	peer_of_sockaddr(sa, &a);
	return address_is_loopback(&a);
}

/* A new entry for a bound socket, listening. Takes fd. */
static int listeners_add(struct listeners *ls, int fd, enum listen_kind kind, const char *text)
{
	struct listener *l = &ls->l[ls->n];
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);

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
	l->kind = kind;
	l->local = getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
		   is_loopback((struct sockaddr *)&sa);
	strcpy(l->text, text);
	ls->n++;
	return 0;
}

static void socket_text(int fd, char *out, size_t cap)
{
	struct sockaddr_storage sa = {0};
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	socklen_t len = sizeof(sa);

	getsockname(fd, (struct sockaddr *)&sa, &len);
	getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, cap, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* Inherited by what is accepted (seen with Linux 6.18). */
static void for_accepted(int fd)
{
	int one = 1, unsent = UNSENT_BYTES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

/* Says that it is not served. */
static int refuse_open(const char *address)
{
	err_log(
	    ERR_ERROR,
	    "listen: others can reach %s, and anybody may do anything here: give keys for tokens "
	    "(auth-key), or say insecure",
	    address);
	return EX_CONFIG;
}

/* A name may have addresses that this machine has not, of a family that is turned off: those are
 * left out, with why in *left_out. */
static bool is_not_here(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static int bind_tcp(struct listeners *ls, const struct addrinfo *ai, const char *address,
		    bool proxied, int *left_out)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[INET6_ADDRSTRLEN + 16];

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		for_accepted(fd);
		/* "every address" makes one socket for each family. */
		if (ai->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		if (is_not_here(error)) {
			*left_out = error;
			return 0;
		}
		err_log(ERR_ERROR, "cannot listen on %s: %s", address, strerror(error));
		return EX_CANTCREAT;
	}
	socket_text(fd, text, sizeof(text));
	return listeners_add(ls, fd, proxied ? LISTEN_PROXIED : LISTEN_TCP, text);
}

int listeners_split(const char *address, char *host, size_t cap, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	bool brackets = len > 1 && address[0] == '[' && address[len - 1] == ']';

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 || atoi(colon + 1) > 65535 || len >= cap ||
	    (memchr(address, ':', len) && !brackets))
		return -EINVAL;
	len -= brackets ? 2 : 0;
	memcpy(host, address + brackets, len);
	host[len] = '\0';
	*port = colon + 1;
	return 0;
}

int listeners_add_tcp(struct listeners *ls, const char *address, bool proxied, bool loopback)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *all, *ai;
	char host[NI_MAXHOST];
	const char *port;
	size_t before = ls ? ls->n : 0;
	int r, left_out = 0;

	if (listeners_split(address, host, sizeof(host), &port) < 0) {
		err_log(ERR_ERROR, "listen: '%s' is not HOST:PORT", address);
		return EX_USAGE;
	}
	r = getaddrinfo(host[0] ? host : NULL, port, &hints, &all);
	if (r != 0) {
		err_log(ERR_ERROR, "listen: %s: %s", address, gai_strerror(r));
		return EX_CANTCREAT;
	}
	r = 0;
	for (ai = all; ai && r == 0; ai = ai->ai_next) {
		if (loopback && !is_loopback(ai->ai_addr))
			r = refuse_open(address);
		else if (ls)
			r = bind_tcp(ls, ai, address, proxied, &left_out);
	}
	freeaddrinfo(all);
	if (r == 0 && ls && ls->n == before) {
		err_log(ERR_ERROR, "cannot listen on %s: %s", address, strerror(left_out));
		r = EX_CANTCREAT;
	}
	return r;
}

int listeners_add_fd(struct listeners *ls, int fd, bool loopback)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa), kind_len = sizeof(int);
	char text[INET6_ADDRSTRLEN + 128];
	int kind = 0, flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &kind_len) < 0 || kind != SOCK_STREAM ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
	    (sa.ss_family != AF_UNIX && sa.ss_family != AF_INET && sa.ss_family != AF_INET6)) {
		err_log(ERR_ERROR, "descriptor %d, handed over, is no stream socket to listen on",
			fd);
		return EX_CONFIG;
	}
	if (sa.ss_family == AF_UNIX) {
		snprintf(text, sizeof(text), "%s", ((struct sockaddr_un *)&sa)->sun_path);
	} else {
		for_accepted(fd);
		socket_text(fd, text, sizeof(text));
		if (loopback && !is_loopback((struct sockaddr *)&sa))
			return refuse_open(text);
	}
	return listeners_add(ls, fd, sa.ss_family == AF_UNIX ? LISTEN_UNIX : LISTEN_TCP, text);
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
	r = listeners_add(ls, fd, LISTEN_UNIX, path);
	if (r == 0) {
		ls->l[ls->n - 1].dev = st.st_dev;
		ls->l[ls->n - 1].ino = st.st_ino;
	}
	return r;
}

void listeners_own(void *listeners, uid_t uid, gid_t gid)
{
	struct listeners *ls = listeners;

	for (size_t i = 0; i < ls->n; i++)
		if (ls->l[i].ino && chown(ls->l[i].text, uid, gid) < 0)
			err_log(ERR_WARN, "%s: cannot be given away: %s", ls->l[i].text,
				strerror(errno));
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
	struct arrival arrival;
};

static void on_adopt(struct worker *w, struct mail *mail)
{
	struct adoption *a = (struct adoption *)mail;

	if (atomic_load(&w->all->draining)) {
		close(a->arrival.fd);
		counter_add_at(&w->counters, refused, REFUSED_ENDING, 1);
		gate_left(w, &a->arrival);
	} else {
		doors_adopt(w, &a->arrival);
	}
	free(a);
}

static void hand_over(struct listener *l, int fd, const struct sockaddr *sa)
{
	struct listeners *ls = l->all;
	struct worker *first = ls->workers->at[0], *w;
	struct adoption *a = malloc(sizeof(*a));

	if (!a) {
		counter_add_at(&first->counters, refused, REFUSED_LIMIT, 1);
		doors_refuse(first, fd, l->kind, REFUSED_LIMIT);
		return;
	}
	*a = (struct adoption){
	    {.run = on_adopt},
	    {.fd = fd,
	     .kind = l->kind,
	     .local = l->local,
	     .full = workers_connections(ls->workers) >= ls->max},
	};
	peer_of_sockaddr(sa, &a->arrival.peer);
	if (!gate_accept(first, &a->arrival)) {
		doors_refuse(first, fd, l->kind, REFUSED_ADDRESS);
		free(a);
		return;
	}
	a->arrival.born = workers_number(ls->workers);
	w = a->arrival.full ? least_used(ls->workers) : least_loaded(ls->workers);
	atomic_fetch_add_explicit(&w->connections, 1, memory_order_relaxed);
	counter_add(&first->counters, accepted, 1);
	worker_post(w, &a->mail);
}

static void on_retry(uv_timer_t *timer)
{
	struct listeners *ls = timer->data;
	size_t i;

	if (ls->spare < 0)
		ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (i = 0; i < ls->n; i++)
		uv_poll_start(&ls->l[i].poll, UV_READABLE, on_readable);
}

static int take(struct listener *l, struct sockaddr_storage *sa)
{
	socklen_t len = sizeof(*sa);
	int fd;

	sa->ss_family = AF_UNSPEC;
	do
		fd = accept4(l->fd, (struct sockaddr *)sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	return fd;
}

static void say_shed(struct listener *l, int error)
{
	journal_say(ERR_WARN, JOURNAL_refuse,
		    &(struct journal_who){.door = l->kind == LISTEN_UNIX ? "unix" : "tcp"},
		    "cannot accept a connection: %s", strerror(error));
	counter_add_at(&l->all->workers->at[0]->counters, refused, REFUSED_ACCEPT, 1);
}

/* Descriptors have run out, or memory. Who waits is told by the one that was kept for it, and goes.
 * Returns false where nobody waits (which without a descriptor is not told), or where even that
 * does not do: then all wait for a while, since asking at once again would spin. */
static bool shed(struct listener *l)
{
	struct listeners *ls = l->all;
	struct sockaddr_storage sa;
	int error = errno, fd = -1;

	if (ls->spare >= 0 && (error == EMFILE || error == ENFILE)) {
		close(ls->spare);
		errno = 0;
		fd = take(l, &sa);
		if (fd >= 0)
			doors_refuse(ls->workers->at[0], fd, l->kind, REFUSED_ACCEPT);
		else if (errno == EAGAIN)
			error = 0;
		ls->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (error)
		say_shed(l, error);
	if (fd >= 0 || !error)
		return fd >= 0;
	for (size_t i = 0; i < ls->n; i++)
		uv_poll_stop(&ls->l[i].poll);
	uv_timer_start(&ls->retry, on_retry, RETRY_MS, 0);
	return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;
	struct sockaddr_storage sa;
	int n, fd;

	(void)status;
	(void)events;
	for (n = 0; n < ACCEPT_MAX; n++) {
		fd = take(l, &sa);
		if (fd >= 0)
			hand_over(l, fd, (struct sockaddr *)&sa);
		else if (errno == EAGAIN || !shed(l))
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
		    void (*each)(const char *text, enum listen_kind kind, void *arg), void *arg)
{
	size_t i;

	for (i = 0; i < ls->n; i++)
		each(ls->l[i].text, ls->l[i].kind, arg);
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
		if (l->kind == LISTEN_UNIX && lstat(l->text, &st) == 0 && st.st_dev == l->dev &&
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
	if (ls && ls->spare >= 0)
		close(ls->spare);
	free(ls);
}
