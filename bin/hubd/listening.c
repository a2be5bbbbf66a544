#include "listening.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/url.h"
#include "service.h"

static bool is_none(const char *where)
{
	return strcmp(where, "none") == 0;
}

/* Where nothing is said, sockets that were handed to us take the place of the usual ones. Without
 * ls it only looks whether that could be. */
static int open_tcp(const struct hub_options *opt, struct listeners *ls, int handed)
{
	bool loopback = !opt->auth_key.n && !opt->insecure;
	int r = 0;

	for (int i = 0; i < handed && ls && r == 0; i++)
		r = listeners_add_fd(ls, SERVICE_FIRST_FD + i, loopback);
	if (!opt->listen.n && !opt->listen_proxy.n && !handed)
		return listeners_add_tcp(ls, "127.0.0.1:4820", false, loopback);
	for (size_t i = 0; i < opt->listen.n && r == 0; i++)
		if (!is_none(opt->listen.item[i]))
			r = listeners_add_tcp(ls, opt->listen.item[i], false, loopback);
	for (size_t i = 0; i < opt->listen_proxy.n && r == 0; i++)
		r = listeners_add_tcp(ls, opt->listen_proxy.item[i], true, loopback);
	return r;
}

int listening_open(const struct hub_options *opt, struct listeners *ls)
{
	char path[PATH_MAX];
	int handed = service_sockets(), r = open_tcp(opt, ls, handed);

	if (r != 0 || (opt->socket ? is_none(opt->socket) : handed > 0))
		return r;
	if (opt->socket)
		return listeners_add_unix(ls, opt->socket);
	r = url_default_socket(path, sizeof(path), true);
	if (r < 0) {
		err_log(ERR_ERROR, "no place for the socket (use --socket): %s", strerror(-r));
		return r == -EPERM ? EX_NOPERM : EX_CANTCREAT;
	}
	return listeners_add_unix(ls, path);
}

int listening_check(const struct hub_options *opt)
{
	return open_tcp(opt, NULL, 0);
}

/* --- said --- */

struct ready {
	struct buf list[LISTEN_PROXIED + 1]; /* in quotes, with commas between */
};

static void ready_address(const char *text, enum listen_kind kind, void *arg)
{
	static const char *const form[] = {
	    [LISTEN_UNIX] = "unix:%s", [LISTEN_TCP] = "%s", [LISTEN_PROXIED] = "%s, for proxies"};
	struct ready *r = arg;
	char name[PATH_MAX + 16];

	snprintf(name, sizeof(name), form[kind], text);
	err_log(ERR_INFO, "listening on %s", name);
	if (r->list[kind].len)
		buf_puts(&r->list[kind], ",");
	buf_put_json(&r->list[kind], text, strlen(text));
}

static void put_list(struct buf *line, const char *name, const struct buf *list)
{
	buf_printf(line, ",\"%s\":[", name);
	buf_put(line, list->data, list->len);
	buf_puts(line, "]");
}

void listening_say(const struct listeners *ls, int fd)
{
	struct ready r = {0};
	struct buf line = {0};
	size_t i;

	listeners_each(ls, ready_address, &r);
	buf_printf(&line, "{\"type\":\"ready\",\"version\":\"" HUB_VERSION "\",\"pid\":%jd",
		   (intmax_t)getpid());
	put_list(&line, "listen", &r.list[LISTEN_TCP]);
	put_list(&line, "listen_proxy", &r.list[LISTEN_PROXIED]);
	buf_printf(&line, ",\"socket\":");
	if (r.list[LISTEN_UNIX].len)
		buf_put(&line, r.list[LISTEN_UNIX].data, r.list[LISTEN_UNIX].len);
	else
		buf_puts(&line, "null");
	buf_puts(&line, "}\n");
	if (fd > 0) {
		if (write(fd, line.data, line.len) != (ssize_t)line.len)
			err_log(ERR_WARN, "ready-fd %d: %s", fd, strerror(errno));
		if (fd > STDERR_FILENO)
			close(fd);
	}
	buf_free(&line);
	for (i = 0; i <= LISTEN_PROXIED; i++)
		buf_free(&r.list[i]);
}
