/* Lines lie behind each other in one buffer; mostly the one that is looked for is behind the last.
 */
#include "rejects.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SPARE (1 << 20) /* bytes of forgotten lines before they are taken out */

struct kept {
	uint64_t number;
	size_t len;
	bool written;
};

static struct kept kept_at(const struct rejects *r, size_t at)
{
	struct kept k;

	memcpy(&k, r->kept.data + at, sizeof(k));
	return k;
}

int rejects_open(struct rejects *r, const char *path)
{
	r->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	return r->fd < 0 ? -errno : 0;
}

/* Forgets the lines before that one. */
static void rejects_forget(struct rejects *r, uint64_t oldest)
{
	while (r->first < r->kept.len && kept_at(r, r->first).number < oldest)
		r->first += sizeof(struct kept) + kept_at(r, r->first).len;
	if (r->sought < r->first)
		r->sought = r->first;
	if (r->first < SPARE || r->first < r->kept.len / 2)
		return;
	buf_consume(&r->kept, r->first);
	r->sought -= r->first;
	r->first = 0;
}

void rejects_keep(struct rejects *r, uint64_t number, const char *text, size_t len, uint64_t oldest)
{
	struct kept k = {.number = number, .len = len};

	if (r->fd < 0)
		return;
	rejects_forget(r, oldest);
	if (buf_reserve(&r->kept, sizeof(k) + len) < 0) {
		r->error = ENOMEM;
		return;
	}
	buf_put(&r->kept, (const char *)&k, sizeof(k));
	buf_put(&r->kept, text, len);
}

static void put_line(struct rejects *r, size_t at)
{
	struct kept k = kept_at(r, at);
	const char *p = r->kept.data + at + sizeof(k);
	size_t done = 0;

	/* Several messages of a line are one line. */
	if (k.written)
		return;
	k.written = true;
	memcpy(r->kept.data + at, &k, sizeof(k));
	while (done <= k.len) {
		struct iovec v[2] = {{(char *)p + done, k.len - done}, {"\n", 1}};
		ssize_t n = writev(r->fd, v, 2);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r->error = r->error ? r->error : errno;
			return;
		}
		done += (size_t)n;
	}
}

void rejects_write(struct rejects *r, uint64_t number)
{
	size_t at = r->sought;

	if (r->fd < 0)
		return;
	if (at >= r->kept.len || kept_at(r, at).number > number)
		at = r->first;
	while (at < r->kept.len && kept_at(r, at).number < number)
		at += sizeof(struct kept) + kept_at(r, at).len;
	if (at >= r->kept.len || kept_at(r, at).number != number)
		return;
	r->sought = at;
	put_line(r, at);
}

void rejects_rest(struct rejects *r, uint64_t oldest)
{
	if (r->fd < 0)
		return;
	for (size_t at = r->first; at < r->kept.len; at += sizeof(struct kept) + kept_at(r, at).len)
		if (kept_at(r, at).number >= oldest)
			put_line(r, at);
}

void rejects_close(struct rejects *r)
{
	if (r->fd >= 0 && close(r->fd) < 0 && !r->error)
		r->error = errno;
	r->fd = -1;
	buf_free(&r->kept);
}
