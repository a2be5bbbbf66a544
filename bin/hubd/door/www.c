/* Files of folders, sent piece by piece as the socket takes them: what waits for a slow client
 * stays on the disk. A piece that the kernel has in memory is read on the loop, any other by a
 * thread of libuv's (www_read.h); after some pieces others have their turn.
 *
 * Invariant: each segment of a path is opened by itself, in the folder before it, and none that is
 * a link or begins with a dot. So nothing leads out of the folder, whatever changes meanwhile. */
#include "door/www.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn/conn.h"
#include "door/doors.h"
#include "door/exchange.h"
#include "door/www_read.h"
#include "wire/http1_range.h"
#include "wire/http1_target.h"

#define INDEX "index.html"
#define PIECES 16 /* in a turn */
#define TAG_MAX 64

int www_add(struct www *www, const char *folder)
{
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	www->fd[www->n++] = fd;
	return 0;
}

void www_free(struct www *www)
{
	while (www->n)
		close(www->fd[--www->n]);
}

/* --- what there is */

/* Of names that end so. */
static const char *type_of(struct http1_span path)
{
	static const struct {
		const char *end, *type;
	} types[] = {
	    {"html", "text/html; charset=utf-8"},
	    {"htm", "text/html; charset=utf-8"},
	    {"css", "text/css; charset=utf-8"},
	    {"js", "text/javascript; charset=utf-8"},
	    {"mjs", "text/javascript; charset=utf-8"},
	    {"txt", "text/plain; charset=utf-8"},
	    {"md", "text/markdown; charset=utf-8"},
	    {"csv", "text/csv; charset=utf-8"},
	    {"json", "application/json"},
	    {"map", "application/json"},
	    {"ndjson", "application/x-ndjson"},
	    {"webmanifest", "application/manifest+json"},
	    {"xml", "application/xml"},
	    {"pdf", "application/pdf"},
	    {"wasm", "application/wasm"},
	    {"svg", "image/svg+xml"},
	    {"png", "image/png"},
	    {"jpg", "image/jpeg"},
	    {"jpeg", "image/jpeg"},
	    {"gif", "image/gif"},
	    {"webp", "image/webp"},
	    {"avif", "image/avif"},
	    {"ico", "image/x-icon"},
	    {"woff", "font/woff"},
	    {"woff2", "font/woff2"},
	    {"ttf", "font/ttf"},
	    {"otf", "font/otf"},
	    {"mp3", "audio/mpeg"},
	    {"ogg", "audio/ogg"},
	    {"wav", "audio/wav"},
	    {"mp4", "video/mp4"},
	    {"webm", "video/webm"},
	    {"glb", "model/gltf-binary"},
	    {"gltf", "model/gltf+json"},
	};
	const char *slash = memrchr(path.p, '/', path.len), *dot = memrchr(path.p, '.', path.len);

	if (slash && slash + 1 == path.p + path.len)
		return types[0].type; /* its index */
	for (size_t i = 0; dot && dot > slash && i < sizeof(types) / sizeof(types[0]); i++)
		if (http1_is((struct http1_span){dot + 1, (size_t)(path.p + path.len - dot - 1)},
			     types[i].end))
			return types[i].type;
	return "application/octet-stream";
}

/* The name of a segment; false where it is none that is served. */
static bool read_name(struct http1_span segment, bool last, char name[NAME_MAX + 1])
{
	ssize_t n = http1_decode(segment, false, name, NAME_MAX);

	if (n == 0 && last) {
		memcpy(name, INDEX, sizeof(INDEX));
		return true;
	}
	if (n <= 0 || *name == '.' || memchr(name, '/', (size_t)n))
		return false;
	name[n] = '\0';
	return true;
}

/* Opens what the path names in the folder. Returns a descriptor or -errno. A pipe does not hold us
 * up. */
static int open_path(int folder, struct http1_span path)
{
	struct http1_span segment;
	char name[NAME_MAX + 1];
	int at = folder, next;

	while (http1_segment(&path, &segment)) {
		bool last = path.len == 0;

		if (read_name(segment, last, name))
			next =
			    openat(at, name,
				   last ? O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
					: O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		else
			next = -1, errno = ENOENT;
		if (at != folder) {
			int why = errno;

			close(at);
			errno = why;
		}
		if (next < 0)
			return -errno;
		at = next;
	}
	return at == folder ? -ENOENT : at;
}

/* The same in the first folder that has it: a file, or a folder. */
static int find(const struct www *www, struct http1_span path, struct stat *st)
{
	int fd;

	for (size_t i = 0; i < www->n; i++) {
		fd = open_path(www->fd[i], path);
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
			return fd;
		if (fd < 0)
			continue;
		if (fstat(fd, st) == 0 &&
		    (S_ISREG(st->st_mode) || (S_ISDIR(st->st_mode) && path.p[path.len - 1] != '/')))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

/* --- sending */

/* The stream's user while it lasts. */
struct sending {
	struct turn_entry turn; /* first; TURN_FILES */
	struct http *http;
	struct stream *stream; /* NULL: gone, and freed in the turn, or when it was read */
	int fd;
	uint64_t at, end;      /* what is still to be sent of it */
	struct www_read *read; /* under way, or its piece is to be sent; or NULL */
	bool reads;	       /* it is under way */
	bool waits;	       /* for the turn */
	bool closes;	       /* the connection ends behind it */
};

/* Once neither the turn nor a thread has it. */
static void try_free(struct sending *f)
{
	if (f->stream || f->waits || f->reads)
		return;
	close(f->fd);
	free(f->read);
	free(f);
}

static void let_go(struct sending *f)
{
	f->stream = NULL;
	try_free(f);
}

static void done(struct sending *f, bool broken)
{
	struct http *h = f->http;
	bool closes = f->closes || broken;

	let_go(f);
	http_back(h);
	http_answered(h, closes);
}

/* How long the client may take none of it; it is not to blame for the disk. */
static void set_deadline(struct sending *f)
{
	struct stream *s = f->stream;
	double seconds = f->reads ? 0 : s->worker->conns->write_timeout + 0.999;

	if (stream_deadline(s, (uint32_t)seconds) < 0)
		stream_abort(s);
}

/* A piece has come from the disk. */
static void was_read(struct worker *w, void *owner)
{
	struct sending *f = owner;

	f->reads = false;
	if (!f->stream) {
		try_free(f);
		return;
	}
	set_deadline(f);
	if (f->stream)
		f->waits = worker_later(w, TURN_FILES, &f->turn) || f->waits;
}

/* Sends the next piece. Returns as stream_write(), or -EAGAIN where it is read first. A file that
 * has become shorter is an error. */
static int send_piece(struct sending *f)
{
	struct worker *w = f->stream->worker;
	size_t want = f->end - f->at < WWW_PIECE ? (size_t)(f->end - f->at) : WWW_PIECE;
	struct buf *piece;
	ssize_t n;
	int r;

	if (f->read) {
		n = f->read->got;
		r = n > 0 ? stream_write(f->stream, f->read->piece, (size_t)n) : -EIO;
		f->at += n > 0 ? (uint64_t)n : 0;
		free(f->read);
		f->read = NULL;
		return r;
	}
	piece = worker_scratch(w);
	n = buf_reserve(piece, want) < 0 ? -ENOMEM
					 : www_read_cached(f->fd, piece->data, want, f->at);
	r = n > 0 ? stream_write(f->stream, piece->data, (size_t)n) : n < 0 ? (int)n : -EIO;
	f->at += n > 0 ? (uint64_t)n : 0;
	worker_scratch_done(w, piece);
	if (n == -EAGAIN) {
		f->read = www_read_start(w, f->fd, want, f->at, was_read, f);
		f->reads = f->read != NULL;
		if (!f->reads)
			return -ENOMEM;
		set_deadline(f);
	}
	return r;
}

static void send_on(struct sending *f)
{
	struct worker *w = f->stream->worker;
	int r = 0;

	if (f->reads)
		return;
	for (int i = 0; r == 0 && i < PIECES && f->at < f->end; i++)
		r = send_piece(f);
	if (r == -EAGAIN)
		return;
	if (r < 0)
		done(f, true);
	else if (f->stream->deaf)
		stream_abort(f->stream);
	else if (f->at == f->end)
		done(f, false);
	else if (r == 0)
		f->waits = worker_next_turn(w, TURN_FILES, &f->turn) || f->waits;
}

/* Some of it has left. */
static void sending_progress(struct stream *s)
{
	set_deadline(s->owner);
}

/* All that was written has left. The stream outlives this, f perhaps not. */
static void sending_writable(struct stream *s)
{
	sending_progress(s);
	if (s->fd >= 0)
		send_on(s->owner);
}

void www_turn(struct worker *w, struct turn_entry *e)
{
	struct sending *f = (struct sending *)(void *)e;

	(void)w;
	f->waits = false;
	if (f->stream)
		sending_writable(f->stream);
	else
		try_free(f);
}

static void sending_ended(struct stream *s)
{
	struct sending *f = s->owner;

	if (s->deaf)
		stream_abort(s);
	else
		f->closes = true;
}

static void sending_gone(struct stream *s)
{
	struct sending *f = s->owner;

	http_free(f->http);
	let_go(f);
}

static const struct stream_user sending_user = {
    .counted = {COUNT_HTTP, COUNT_HTTPS},
    .take = exchange_take,
    .ended = sending_ended,
    .writable = sending_writable,
    .progress = sending_progress,
    .gone = sending_gone,
};

/* Sends the head, then len bytes of the file; takes fd. */
static void send_file(struct http *h, const struct answer *a, int fd, uint64_t from)
{
	struct stream *s = h->stream;
	struct sending *f = malloc(sizeof(*f));
	struct buf *head;
	int r;

	if (!f || (!h->trusted && conn_over(s->worker, WWW_PIECE))) {
		free(f);
		close(fd);
		http_answer(h, http_error(503, NULL, f ? CONN_OVER : "out of memory"));
		return;
	}
	*f = (struct sending){.http = h,
			      .stream = s,
			      .fd = fd,
			      .at = from,
			      .end = from + a->size,
			      .closes = http_closes(h, a)};
	head = worker_scratch(s->worker);
	r = http_put_answer(head, h, a);
	if (r == 0)
		r = stream_write(s, head->data, head->len);
	worker_scratch_done(s->worker, head);
	stream_use(s, &sending_user, f);
	if (r < 0)
		stream_abort(s);
	else
		sending_progress(s);
	if (s->fd >= 0)
		send_on(f);
}

/* --- the answer */

/* It is another one when it changes. */
static struct http1_span put_tag(char tag[TAG_MAX], const struct stat *st)
{
	int n = snprintf(tag, TAG_MAX, "\"%jx-%jx-%jx.%lx\"", (uintmax_t)st->st_ino,
			 (uintmax_t)st->st_size, (uintmax_t)st->st_mtim.tv_sec,
			 (unsigned long)st->st_mtim.tv_nsec);

	return (struct http1_span){tag, (size_t)n};
}

/* Whether one of the field's lines names it; *there: there is one. */
static bool is_named(const struct http *h, const char *field, enum http1_tags how,
		     struct http1_span tag, bool *there)
{
	struct http1_span fields = h->head.fields, name, value;
	bool named = false;

	*there = false;
	while (http1_next(&fields, &name, &value))
		if (http1_is(name, field)) {
			*there = true;
			named |= http1_tag_in(value, tag, how);
		}
	return named;
}

/* It is another one than the client wants (RFC 9110 section 13.1.1). */
static bool is_unwanted(const struct http *h, struct http1_span tag)
{
	bool asked;

	return !is_named(h, "if-match", HTTP1_STRONG, tag, &asked) && asked;
}

/* The client has it already (section 13.1.2). */
static bool is_known(const struct http *h, struct http1_span tag)
{
	bool asked;

	return is_named(h, "if-none-match", HTTP1_WEAK, tag, &asked);
}

/* Which part of it is asked for, if of this one (RFC 9110 section 13.1.5). */
static enum http1_range part_of(const struct http *h, struct http1_span tag, uint64_t size,
				uint64_t *from, uint64_t *len)
{
	struct http1_span range, only;
	size_t conditions = http1_field(&h->head, "if-range", &only);

	if (h->head.method != HTTP1_GET || http1_field(&h->head, "range", &range) != 1 ||
	    conditions > 1)
		return HTTP1_ALL;
	if (conditions && (only.len != tag.len || memcmp(only.p, tag.p, tag.len) != 0))
		return HTTP1_ALL;
	return http1_range(range, size, from, len);
}

/* Answers with the file; takes fd. */
static void answer_file(struct http *h, int fd, const struct stat *st)
{
	struct worker *w = h->stream->worker;
	struct buf *fields = worker_scratch(w);
	uint64_t size = (uint64_t)st->st_size, from = 0, len = size;
	struct answer a = {.status = 200,
			   .type = type_of(h->head.target.path),
			   .cache = "no-cache",
			   .body = ANSWER_SIZED};
	char text[TAG_MAX];
	struct http1_span tag = put_tag(text, st);
	int r = buf_printf(
	    fields, "ETag: %s\r\nAccept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n",
	    text);

	if (is_unwanted(h, tag)) {
		a = http_error(412, "precondition_failed", "the file is another one by now");
	} else if (is_known(h, tag)) {
		a.status = 304;
	} else {
		switch (part_of(h, tag, size, &from, &len)) {
		case HTTP1_ALL:
			break;
		case HTTP1_PART:
			a.status = 206;
			if (r == 0)
				r = buf_printf(fields, "Content-Range: bytes %ju-%ju/%ju\r\n",
					       (uintmax_t)from, (uintmax_t)(from + len - 1),
					       (uintmax_t)size);
			break;
		case HTTP1_BEYOND:
			a = http_error(416, "bad_range", "the file has nothing there");
			if (r == 0)
				r = buf_printf(fields, "Content-Range: bytes */%ju\r\n",
					       (uintmax_t)size);
			break;
		}
	}
	a.size = len;
	if (r < 0 || buf_put(fields, "", 1) < 0)
		a = http_error(503, NULL, "out of memory");
	else
		a.fields = fields->data;
	if (a.status / 100 == 2 && a.size && h->head.method == HTTP1_GET) {
		send_file(h, &a, fd, from);
	} else {
		close(fd);
		http_answer(h, a); /* h may be no more */
	}
	worker_scratch_done(w, fields);
}

/* To the same name with a slash behind it, as links in its index are meant. */
static void answer_folder(struct http *h)
{
	struct worker *w = h->stream->worker;
	struct buf *field = worker_scratch(w);
	struct http1_span path = h->head.target.path, query = h->head.target.query;
	const char *name = (const char *)memrchr(path.p, '/', path.len) + 1;
	struct answer a = {.status = 301, .type = "text/plain", .cache = "no-cache"};
	int r = buf_printf(field, "Location: ./%.*s/%s%.*s\r\n", (int)(path.p + path.len - name),
			   name, query.p ? "?" : "", (int)query.len, query.p ? query.p : "");

	if (r < 0 || buf_put(field, "", 1) < 0)
		a = http_error(503, NULL, "out of memory");
	else
		a.fields = field->data;
	http_answer(h, a);
	worker_scratch_done(w, field);
}

void www_serve(struct http *h)
{
	struct stat st;
	int fd = find(h->stream->worker->doors->set->www, h->head.target.path, &st);

	if (fd == -ENOENT) {
		http_answer(h, http_error(404, NULL, "there is no such file"));
	} else if (fd < 0) {
		http_answer(h, http_error(503, NULL, "the hub cannot open files now"));
	} else if (S_ISDIR(st.st_mode)) {
		close(fd);
		answer_folder(h);
	} else {
		answer_file(h, fd, &st);
	}
}
