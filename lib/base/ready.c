/* A file appears under its name when the line is in it. */
#include "base/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int put(int fd, const char *line, size_t len)
{
	int r = write(fd, line, len) == (ssize_t)len ? 0 : -(errno ? errno : EIO);

	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

int ready_tell(int fd, const char *path, const char *line, size_t len)
{
	char made[4096];
	int r = fd < 0 ? 0 : put(fd, line, len), file;

	if (!path)
		return r;
	if ((size_t)snprintf(made, sizeof(made), "%s.%ld", path, (long)getpid()) >= sizeof(made))
		return -ENAMETOOLONG;
	file = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (file < 0)
		return -errno;
	if (put(file, line, len) < 0 || rename(made, path) < 0) {
		r = -(errno ? errno : EIO);
		unlink(made);
	}
	return r;
}
