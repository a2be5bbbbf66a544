/* A secret never goes to a file that others may read, nor is it taken from one. */
#include "base/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int say(char *why, size_t cap, int status, const char *what)
{
	snprintf(why, cap, "%s", what);
	return status;
}

/* Returns the length, or -errno. */
static ssize_t read_whole(int fd, char *out, size_t cap)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < cap && n > 0) {
		n = read(fd, out + len, cap - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int key_file_read(const char *path, void *out, size_t cap, size_t *len, mode_t *mode, char *why,
		  size_t whycap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), status = 0;
	struct stat st;
	ssize_t n = 0;

	*len = 0;
	if (fd < 0)
		return say(why, whycap, errno == EACCES ? EX_NOPERM : EX_NOINPUT, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		status = say(why, whycap, EX_DATAERR, "not a regular file");
	else if ((n = read_whole(fd, out, cap)) < 0)
		status = say(why, whycap, EX_NOINPUT, strerror((int)-n));
	close(fd);
	if (!status) {
		*len = (size_t)n;
		*mode = st.st_mode & 07777;
	}
	return status;
}

int key_file_alone(mode_t mode, char *why, size_t cap)
{
	if (!(mode & 077))
		return 0;
	snprintf(why, cap, "mode %04o lets others at the key; chmod 600 mends it", (unsigned)mode);
	return EX_NOPERM;
}

int key_file_write(const char *path, bool secret, const void *text, size_t len, char *why,
		   size_t cap)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0666);
	int status = 0;

	if (fd < 0 || write(fd, text, len) != (ssize_t)len || fsync(fd) < 0) {
		snprintf(why, cap, "%s: %s", path, strerror(errno));
		status = EX_CANTCREAT;
	}
	if (fd >= 0) {
		close(fd);
		if (status)
			unlink(path);
	}
	return status;
}
