#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

/* A whole number from the environment; -1: none, or not for us. */
static int64_t number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	int64_t n;

	if (!text || !*text)
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return *end || errno || n < 0 ? -1 : n;
}

int service_sockets(void)
{
	int64_t n = number("LISTEN_PID") == getpid() ? number("LISTEN_FDS") : 0;

	/* Not for the processes that we might start. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (int fd = SERVICE_FIRST_FD; fd < SERVICE_FIRST_FD + n; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return fd - SERVICE_FIRST_FD;
	return n > 0 ? (int)n : 0;
}

void service_notify(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	char text[512];
	va_list args;
	int fd, n;

	if (len < 2 || len >= sizeof(sa.sun_path) || (*path != '/' && *path != '@'))
		return;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	memcpy(sa.sun_path, path, len);
	if (*path == '@') /* Linux' abstract names */
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&sa,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		err_log(ERR_DEBUG, "cannot tell the service manager: %s", strerror(errno));
	close(fd);
}

uint64_t service_watchdog_ms(void)
{
	int64_t pid = number("WATCHDOG_PID"), us = number("WATCHDOG_USEC");

	return us > 0 && (pid < 0 || pid == getpid()) ? (uint64_t)us / 1000 : 0;
}

int service_become(const char *name, void (*own)(void *arg, uid_t uid, gid_t gid), void *arg)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (!pw) {
		err_log(ERR_ERROR, "user: %s: %s", name, errno ? strerror(errno) : "no such user");
		return EX_CONFIG;
	}
	if (geteuid() == 0)
		own(arg, pw->pw_uid, pw->pw_gid);
	/* Who is that user already needs nothing of it. */
	if ((geteuid() != pw->pw_uid || getegid() != pw->pw_gid) &&
	    (initgroups(name, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 ||
	     setuid(pw->pw_uid) < 0)) {
		err_log(ERR_ERROR, "user: cannot become %s: %s", name, strerror(errno));
		return EX_NOPERM;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		err_log(ERR_ERROR, "user: no-new-privileges: %s", strerror(errno));
		return EX_OSERR;
	}
	return 0;
}
