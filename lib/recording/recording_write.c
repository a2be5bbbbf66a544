/* Writes recordings, a chunk at a time. Invariant: the file has `size` good bytes; a chunk that is
 * not on the disk yet waits in `out` as it will be written, since what is sealed must never be
 * sealed anew under the same number. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "recording/recording_impl.h"
#include "recording/recording_zstd.h"

struct recorder {
	recorder_write *write; /* of what is no file; else NULL */
	void *arg;
	int fd;
	bool stream; /* standard output, a pipe or a device: no going back */
	bool fsync;
	const struct seal_keys *keys;
	uint64_t size;
	uint64_t t_us;
	struct buf text;   /* put, and not in a chunk yet */
	bool text_signed;  /* its signature is put, too */
	struct buf packed; /* compressed, and not sealed yet */
	struct buf out;
	struct pack *pack;
	struct seal_chain *chain;
	struct seal_stream *sealed;
	unsigned char tag[SOURCE_TAG];
	int error;     /* of the sync that left `out` */
	bool uncut;    /* a file that is gone on with still has what is behind its good bytes, */
	bool finished; /* which is its end */
};

/* --- chunks */

static int sign_text(struct recorder *w, bool end)
{
	struct recording_signature s = {.end = end};

	if (w->text_signed)
		return 0;
	if (buf_reserve(&w->text, 256) < 0)
		return -ENOMEM;
	seal_chain_add(w->chain, w->text.data, w->text.len);
	seal_chain_link(w->chain, s.hash);
	seal_sign(w->keys, s.hash, end, s.signature);
	w->text_signed = true;
	return recording_put_signature(&w->text, &s);
}

static void put_word(struct buf *out, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		out->data[out->len++] = (char)(n >> 8 * i);
}

/* Appends a sealed chunk to out, behind what begins the file and the stream where needed. */
static int seal_text(struct recorder *w, const struct buf *text, bool end)
{
	size_t len = text->len + SEAL_OVERHEAD;
	unsigned char *box;

	if (buf_reserve(&w->out, SOURCE_HEAD_LEN + 4 + SEAL_HEADER + 4 + len) < 0)
		return -ENOMEM;
	if (!w->sealed) {
		size_t before = w->out.len;

		if (w->size == 0) {
			buf_put(&w->out, SOURCE_MAGIC, SOURCE_MAGIC_LEN);
			seal_key_id(w->keys, (unsigned char *)w->out.data + w->out.len);
			w->out.len += SEAL_KEY_ID;
		}
		put_word(&w->out, SOURCE_STREAM);
		w->sealed = seal_push_new(w->keys, (unsigned char *)w->out.data + w->out.len);
		if (!w->sealed) {
			w->out.len = before;
			return -ENOMEM;
		}
		w->out.len += SEAL_HEADER;
	}
	put_word(&w->out, (uint32_t)len);
	box = (unsigned char *)w->out.data + w->out.len;
	seal_push(w->sealed, text->data, text->len, w->tag, SOURCE_TAG, end, box);
	memcpy(w->tag, box + len - SOURCE_TAG, SOURCE_TAG);
	w->out.len += len;
	return 0;
}

/* Makes a chunk of the text. */
static int make_chunk(struct recorder *w, bool end)
{
	const struct buf *text = &w->text;
	bool sealing = seal_keys_have(w->keys, SEAL_SECRET);
	int r = w->chain ? sign_text(w, end) : 0;

	if (r < 0)
		return r;
	if (w->pack) {
		struct buf *to = sealing ? &w->packed : &w->out;

		w->packed.len = 0;
		r = pack_frame(w->pack, text->data, text->len, to);
		text = to;
	} else if (!sealing) {
		struct buf empty = w->out;

		w->out = w->text;
		w->text = empty;
	}
	if (r == 0 && sealing)
		r = seal_text(w, text, false);
	if (r < 0)
		return r;
	w->text.len = 0;
	w->text_signed = false;
	return 0;
}

/* What is behind the good bytes goes, but not before something is written: who has opened the file
 * may find that it is not the one that was meant. */
static int cut_rest(struct recorder *w)
{
	if (w->uncut && ftruncate(w->fd, (off_t)w->size) < 0)
		return -errno;
	w->uncut = false;
	return 0;
}

/* Writes a chunk behind the good bytes: all of it, or nothing stays. */
static int write_out(struct recorder *w)
{
	size_t at = 0;
	int r = 0;

	if (cut_rest(w) < 0)
		return -errno;
	while (at < w->out.len) {
		ssize_t n = w->stream ? write(w->fd, w->out.data + at, w->out.len - at)
				      : pwrite(w->fd, w->out.data + at, w->out.len - at,
					       (off_t)(w->size + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			break;
		}
		at += (size_t)n;
	}
	if (r == 0 && w->fsync && !w->stream && fdatasync(w->fd) < 0)
		r = -errno;
	if (r < 0) {
		if (w->stream) {
			buf_consume(&w->out, at);
			w->size += at;
		} else if (ftruncate(w->fd, (off_t)w->size) < 0) {
			return r; /* what is there too much is no whole chunk, or the same again */
		}
		return r;
	}
	w->size += w->out.len;
	w->out.len = 0;
	return 0;
}

/* A chunk for what is no file. */
static int hand_over(struct recorder *w)
{
	int r = w->text.len ? w->write(w->arg, w->text.data, w->text.len) : 0;

	if (r == 0) {
		w->size += w->text.len;
		w->text.len = 0;
	}
	return r;
}

int recorder_sync(struct recorder *w)
{
	int r = 0;

	if (w->write)
		return w->error = hand_over(w);
	if (!w->out.len && w->text.len)
		r = make_chunk(w, false);
	if (r == 0 && w->out.len)
		r = write_out(w);
	w->error = r;
	return r;
}

/* --- lines */

/* Syncs before a chunk grows too large. */
static int room_for(struct recorder *w, size_t len)
{
	int r = w->error;

	if (r == 0 && w->text.len && w->text.len + len > SOURCE_CHUNK)
		r = recorder_sync(w);
	return r;
}

int recorder_put(struct recorder *w, const char *text, size_t len, uint64_t t_us)
{
	int r = room_for(w, len);

	if (t_us < w->t_us)
		t_us = w->t_us;
	if (r == 0)
		r = recording_put_line(&w->text, text, len, t_us);
	if (r == 0)
		w->t_us = t_us;
	return r;
}

int recorder_header(struct recorder *w, const char *session, const char *epoch, uint64_t start_ms)
{
	char signer[SEAL_HASH_TEXT + 1];
	size_t before = w->text.len;
	int r = buf_printf(&w->text, "{\"type\":\"recording\",\"version\":%d", RECORDING_VERSION);

	if (r == 0 && session)
		r = buf_printf(&w->text, ",\"session_id\":\"%s\"", session);
	if (r == 0 && epoch && *epoch)
		r = buf_printf(&w->text, ",\"epoch\":\"%s\"", epoch);
	if (r == 0)
		r = buf_printf(&w->text, ",\"start\":%llu,\"program\":\"hubreplay %s\"",
			       (unsigned long long)start_ms, HUB_VERSION);
	if (r == 0 && w->chain) {
		seal_signer(w->keys, signer);
		r = buf_printf(&w->text, ",\"signer\":\"%s\"", signer);
	}
	if (r == 0)
		r = buf_puts(&w->text, "}\n");
	if (r < 0)
		w->text.len = before;
	return r;
}

static int put_mark(struct recorder *w, struct buf *mark, int r, uint64_t t_us)
{
	if (r == 0)
		r = recorder_put(w, mark->data, mark->len, t_us);
	buf_free(mark);
	return r;
}

int recorder_snapshot(struct recorder *w, const char *session, const char *epoch, uint64_t seq,
		      uint64_t records, uint64_t t_us)
{
	struct buf mark = {0};
	int r = buf_printf(&mark, "{\"type\":\"snapshot\",\"session_id\":\"%s\"", session);

	if (r == 0 && epoch && *epoch)
		r = buf_printf(&mark, ",\"epoch\":\"%s\"", epoch);
	if (r == 0)
		r = buf_printf(&mark, ",\"seq\":%llu,\"records\":%llu}", (unsigned long long)seq,
			       (unsigned long long)records);
	return put_mark(w, &mark, r, t_us);
}

int recorder_gap(struct recorder *w, const char *session, const char *epoch, uint64_t from_seq,
		 uint64_t to_seq, const char *reason, uint64_t t_us)
{
	struct buf mark = {0};
	int r = buf_printf(&mark,
			   "{\"type\":\"gap\",\"session_id\":\"%s\",\"from_seq\":%llu,"
			   "\"to_seq\":%llu",
			   session, (unsigned long long)from_seq, (unsigned long long)to_seq);

	if (r == 0 && reason && *reason)
		r = buf_printf(&mark, ",\"reason\":\"%s\"", reason);
	if (r == 0 && epoch && *epoch)
		r = buf_printf(&mark, ",\"epoch\":\"%s\"", epoch);
	if (r == 0)
		r = buf_puts(&mark, "}");
	return put_mark(w, &mark, r, t_us);
}

/* --- opening */

static int refuse(char *why, size_t cap, int status, const char *what)
{
	snprintf(why, cap, "%s", what);
	return status;
}

/* Goes on behind what is whole of an existing file: the rest, or the end, is cut off when something
 * is written. Returns 0 or an exit status. */
static int resume(struct recorder *w, const struct recorder_options *options,
		  struct recorder_past *past, char *why, size_t cap)
{
	struct recording_resume at;
	int fd = dup(w->fd), status;
	struct stat st;

	if (fd < 0)
		return refuse(why, cap, EX_OSERR, strerror(errno));
	status = recording_resume(fd, options, past, &at, why, cap);
	if (status)
		return status;
	if (fstat(w->fd, &st) < 0)
		return refuse(why, cap, EX_IOERR, strerror(errno));
	w->size = at.place.offset;
	w->uncut = (uint64_t)st.st_size > w->size;
	w->finished = at.finished;
	if (!at.finished && (uint64_t)st.st_size > w->size)
		past->cut = (uint64_t)st.st_size - w->size;
	w->t_us = past->t_us;
	memcpy(w->tag, at.place.tag, sizeof(w->tag));
	if (w->chain && past->there)
		seal_chain_set(w->chain, at.link);
	return 0;
}

/* Has the name of a new file on the disk, too (fsync(2)). Some file systems cannot; then nothing is
 * to be done. */
static void sync_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 1;
	char *directory = strndup(slash ? path : ".", len);
	int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(directory);
}

/* Opens the file and locks it. Returns 0 or an exit status. */
static int open_file(struct recorder *w, const char *path, bool append, char *why, size_t cap)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY;
	struct stat st;

	if (strcmp(path, "-") == 0) {
		w->fd = STDOUT_FILENO;
		w->stream = true;
		return 0;
	}
	w->fd = open(path, append ? flags : flags | O_EXCL, 0666);
	if (w->fd < 0 && errno == EEXIST && !append && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		w->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (w->fd < 0 || fstat(w->fd, &st) < 0)
		return refuse(why, cap, EX_CANTCREAT, strerror(errno));
	w->stream = !S_ISREG(st.st_mode);
	if (!w->stream && flock(w->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			   ? refuse(why, cap, EX_UNAVAILABLE, "another recorder writes it")
			   : refuse(why, cap, EX_OSERR, strerror(errno));
	return 0;
}

struct recorder *recorder_open(const char *path, const struct recorder_options *options,
			       struct recorder_past *past, char *why, size_t cap, int *status)
{
	struct recorder *w = calloc(1, sizeof(*w));
	struct recorder_past unwanted = {0};
	struct stat st;

	*status = EX_OSERR;
	if (!past)
		past = &unwanted;
	*past = (struct recorder_past){0};
	if (!w)
		goto fail;
	w->fd = -1;
	w->keys = options->keys;
	w->fsync = options->fsync;
	if (options->level > 0 && !(w->pack = pack_new(options->level)))
		goto fail;
	if (seal_keys_have(w->keys, SEAL_SIGN) && !(w->chain = seal_chain_new()))
		goto fail;
	*status = open_file(w, path, options->append, why, cap);
	if (!*status && options->append && !w->stream && fstat(w->fd, &st) == 0 && st.st_size > 0)
		*status = resume(w, options, past, why, cap);
	if (*status) {
		recorder_abandon(w);
		return NULL;
	}
	if (w->fsync && !w->stream && w->size == 0)
		sync_name(path);
	return w;
fail:
	refuse(why, cap, EX_OSERR, "out of memory");
	recorder_abandon(w);
	return NULL;
}

struct recorder *recorder_open_to(recorder_write *write, void *arg,
				  const struct recorder_past *past)
{
	struct recorder *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->fd = -1;
	w->write = write;
	w->arg = arg;
	w->t_us = past->t_us;
	return w;
}

/* --- the rest */

uint64_t recorder_size(const struct recorder *w)
{
	return w->size;
}

size_t recorder_pending(const struct recorder *w)
{
	return w->text.len + w->out.len;
}

/* What ends a signed and a sealed file: nothing, where nothing was written. */
static int write_end(struct recorder *w)
{
	static const struct buf nothing;
	int r;

	if (w->write)
		return 0;
	/* Or where it stands there as it was found. */
	if (w->uncut && w->finished)
		return 0;
	r = cut_rest(w);
	if (r < 0 || w->size == 0)
		return r;
	if (w->chain)
		r = make_chunk(w, true);
	if (r == 0 && seal_keys_have(w->keys, SEAL_SECRET))
		r = seal_text(w, &nothing, true);
	return r == 0 && w->out.len ? write_out(w) : r;
}

int recorder_close(struct recorder *w)
{
	int r = recorder_sync(w);

	if (r == 0)
		r = write_end(w);
	recorder_abandon(w);
	return r;
}

void recorder_abandon(struct recorder *w)
{
	if (!w)
		return;
	if (w->fd > STDERR_FILENO)
		close(w->fd);
	buf_free(&w->text);
	buf_free(&w->packed);
	buf_free(&w->out);
	pack_free(w->pack);
	seal_chain_free(w->chain);
	seal_stream_free(w->sealed);
	free(w);
}
