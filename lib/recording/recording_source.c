/* Bytes of a file to text. What is not whole, or not authentic, is never given. */
#include "recording/recording_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "recording/recording_zstd.h"

#define PIECE (256 << 10) /* bytes read at a time */

static enum source_status bad(struct source *s, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	return SOURCE_BAD;
}

/* The same of the sealed chunk that is next in the file. */
static enum source_status bad_chunk(struct source *s, const char *what)
{
	snprintf(s->why, sizeof(s->why), "the sealed chunk at byte %llu of the file %s",
		 (unsigned long long)s->offset, what);
	return SOURCE_BAD;
}

static enum source_status failed(struct source *s, int error)
{
	snprintf(s->why, sizeof(s->why), "%s", strerror(error));
	return SOURCE_FAILED;
}

static size_t left(const struct source *s)
{
	return s->in.len - s->in_at;
}

static void use(struct source *s, size_t n)
{
	s->in_at += n;
	s->offset += n;
}

/* Appends a piece of the file to out. Returns SOURCE_TEXT, SOURCE_END or SOURCE_FAILED. */
static enum source_status read_piece(struct source *s, struct buf *out, size_t n)
{
	ssize_t got;

	if (s->eof)
		return SOURCE_END;
	if (buf_reserve(out, n) < 0)
		return failed(s, ENOMEM);
	do {
		got = read(s->fd, out->data + out->len, n);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return failed(s, errno);
	if (got == 0) {
		s->eof = true;
		return SOURCE_END;
	}
	out->len += (size_t)got;
	return SOURCE_TEXT;
}

/* Makes n bytes stand at in_at. Returns SOURCE_TEXT, SOURCE_END where there are fewer, or
 * SOURCE_FAILED. */
static enum source_status fetch(struct source *s, size_t n)
{
	enum source_status got = SOURCE_TEXT;

	if (left(s) >= n)
		return SOURCE_TEXT;
	buf_consume(&s->in, s->in_at);
	s->in_at = 0;
	while (left(s) < n && got == SOURCE_TEXT)
		got = read_piece(s, &s->in, n - left(s) > PIECE ? n - left(s) : PIECE);
	return got;
}

static uint32_t word_at(const struct source *s)
{
	const unsigned char *p = (const unsigned char *)s->in.data + s->in_at;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* --- sealed */

static enum source_status begin_stream(struct source *s)
{
	enum source_status got = fetch(s, 4 + SEAL_HEADER);

	if (got != SOURCE_TEXT)
		return got == SOURCE_END ? SOURCE_CUT : got;
	if (s->fresh)
		return bad_chunk(s, "begins another stream right behind one");
	s->fresh = true;
	seal_stream_free(s->stream);
	s->stream = seal_pull_new(s->keys, (unsigned char *)s->in.data + s->in_at + 4);
	if (!s->stream)
		return failed(s, ENOMEM);
	use(s, 4 + SEAL_HEADER);
	return SOURCE_TEXT;
}

static enum source_status open_chunk(struct source *s, uint32_t len)
{
	const unsigned char *box;
	bool end;

	s->plain.len = s->plain_at = 0;
	if (buf_reserve(&s->plain, len) < 0)
		return failed(s, ENOMEM);
	box = (unsigned char *)s->in.data + s->in_at + 4;
	if (seal_pull(s->stream, box, len, s->whole.tag, SOURCE_TAG, &end, s->plain.data) < 0)
		return bad_chunk(s, "is not as it was written");
	if (end && len > SEAL_OVERHEAD)
		return bad_chunk(s, "is the last one, but not empty");
	s->fresh = false;
	if (end) {
		use(s, 4 + len);
		s->ended = true;
		return SOURCE_END;
	}
	s->plain.len = len - SEAL_OVERHEAD;
	memcpy(s->whole.tag, box + len - SOURCE_TAG, SOURCE_TAG);
	use(s, 4 + len);
	s->whole.offset = s->offset;
	return SOURCE_TEXT;
}

/* The next chunk into s->plain. */
static enum source_status unseal(struct source *s)
{
	enum source_status got;
	uint32_t len;

	for (;;) {
		got = fetch(s, 4);
		if (got == SOURCE_FAILED)
			return got;
		if (s->ended)
			return left(s) ? bad_chunk(s, "stands behind the sealed end") : SOURCE_END;
		if (got == SOURCE_END)
			return SOURCE_CUT;
		len = word_at(s);
		if (len == 0)
			return SOURCE_CUT; /* room that was not written to yet */
		if (len != SOURCE_STREAM)
			break;
		got = begin_stream(s);
		if (got != SOURCE_TEXT)
			return got;
	}
	if (len < SEAL_OVERHEAD || len > SOURCE_CHUNK_MAX || !s->stream)
		return bad_chunk(s, "has a length that none has");
	got = fetch(s, 4 + len);
	if (got != SOURCE_TEXT)
		return got == SOURCE_END ? SOURCE_CUT : got;
	got = open_chunk(s, len);
	return got == SOURCE_END ? unseal(s) : got;
}

/* --- compressed */

/* Decompresses [*p, end) up to the end of a frame. */
static enum source_status unpack_piece(struct source *s, const char **p, const char *end,
				       struct buf *out, bool *frame)
{
	enum unpack_status got = UNPACK_MORE;
	size_t begin = out->len;

	*frame = false;
	while (got == UNPACK_MORE) {
		const char *before = *p;
		size_t len = out->len;

		got = unpack_some(s->unpack, p, end, out);
		if (got == UNPACK_NOMEM)
			return failed(s, ENOMEM);
		if (got == UNPACK_BAD)
			return bad(s, "the compressed data is damaged, or needs a window of more "
				      "than 32 MiB");
		if (got == UNPACK_MORE && *p == before && out->len == len)
			break;
		if (out->len - begin > SOURCE_CHUNK_MAX)
			break;
	}
	*frame = got == UNPACK_FRAME;
	return SOURCE_TEXT;
}

/* One frame of a file that is not sealed. */
static enum source_status read_frame(struct source *s, struct buf *out)
{
	size_t begin = out->len;

	for (;;) {
		const char *p;
		enum source_status got = fetch(s, left(s) ? left(s) : 4);
		bool frame;

		if (got == SOURCE_FAILED)
			return got;
		if (!left(s)) {
			if (unpack_idle(s->unpack))
				return SOURCE_END;
			out->len = begin;
			return SOURCE_CUT;
		}
		if (unpack_idle(s->unpack) && fetch(s, 4) == SOURCE_TEXT && word_at(s) == 0)
			return SOURCE_CUT;
		p = s->in.data + s->in_at;
		got = unpack_piece(s, &p, s->in.data + s->in.len, out, &frame);
		use(s, (size_t)(p - (s->in.data + s->in_at)));
		if (got != SOURCE_TEXT) {
			out->len = begin;
			return got;
		}
		if (frame)
			s->whole.offset = s->offset;
		/* A frame larger than any of ours is given as it comes. */
		if ((frame && out->len > begin) || out->len - begin > SOURCE_CHUNK_MAX)
			return SOURCE_TEXT;
	}
}

/* One sealed chunk, which holds whole frames. */
static enum source_status read_sealed_frames(struct source *s, struct buf *out)
{
	const char *p = s->plain.data + s->plain_at, *end = s->plain.data + s->plain.len;
	size_t begin = out->len;
	enum source_status got = SOURCE_TEXT;
	bool frame = true;

	while (p < end && got == SOURCE_TEXT) {
		got = unpack_piece(s, &p, end, out, &frame);
		if (got == SOURCE_TEXT && (!frame || out->len - begin > 2 * SOURCE_CHUNK_MAX))
			got = bad(s, "a sealed chunk does not hold a compressed one");
	}
	if (got != SOURCE_TEXT)
		out->len = begin;
	s->plain_at = s->plain.len;
	return got;
}

/* --- all */

static enum source_status read_from(struct source *s, struct buf *out)
{
	size_t begin = out->len;

	if (s->from->read(s->arg, out, s->why, sizeof(s->why)) < 0)
		return SOURCE_FAILED;
	s->whole.offset += out->len - begin;
	return out->len > begin ? SOURCE_TEXT : SOURCE_END;
}

enum source_status source_read(struct source *s, struct buf *out)
{
	enum source_status got;
	size_t begin = out->len;

	if (s->from)
		return read_from(s, out);
	if (!s->sealed && s->compressed)
		return read_frame(s, out);
	if (!s->sealed) {
		if (left(s)) {
			if (buf_put(out, s->in.data + s->in_at, left(s)) < 0)
				return failed(s, ENOMEM);
			use(s, left(s));
			got = SOURCE_TEXT;
		} else {
			got = read_piece(s, out, PIECE);
			s->offset += out->len - begin;
		}
		s->whole.offset = s->offset;
		return got;
	}
	do {
		if (s->plain_at == s->plain.len) {
			got = unseal(s);
			if (got != SOURCE_TEXT)
				return got;
		}
		if (s->compressed) {
			got = read_sealed_frames(s, out);
		} else {
			got = buf_put(out, s->plain.data, s->plain.len) < 0 ? failed(s, ENOMEM)
									    : SOURCE_TEXT;
			s->plain_at = s->plain.len;
		}
	} while (got == SOURCE_TEXT && out->len == begin);
	return got;
}

static const char not_sealed[] = "it is not sealed, as the key has it";

/* What a file that is there may still be refused for. */
static int refuse(struct source *s, int status, const char *why)
{
	if (why != s->why)
		snprintf(s->why, sizeof(s->why), "%s", why);
	source_close(s);
	return status;
}

static int open_sealed(struct source *s)
{
	unsigned char id[SEAL_KEY_ID];
	enum source_status got;

	if (!seal_keys_have(s->keys, SEAL_SECRET))
		return refuse(s, EX_NOPERM, "it is sealed: the key is missing");
	s->sealed = true;
	got = fetch(s, SOURCE_HEAD_LEN);
	seal_key_id(s->keys, id);
	if (got == SOURCE_TEXT &&
	    memcmp(s->in.data + s->in_at + SOURCE_MAGIC_LEN, id, sizeof(id)) != 0)
		return refuse(s, EX_NOPERM, "it was sealed with another key");
	use(s, got == SOURCE_TEXT ? SOURCE_HEAD_LEN : left(s));
	s->whole.offset = s->offset;
	if (got == SOURCE_TEXT)
		got = unseal(s);
	if (got == SOURCE_FAILED)
		return refuse(s, EX_IOERR, s->why);
	if (got == SOURCE_BAD)
		return refuse(s, EX_DATAERR, s->why);
	s->compressed = pack_magic(s->plain.data, s->plain.len);
	return 0;
}

int source_open(struct source *s, int fd, const struct seal_keys *keys)
{
	size_t begin; /* less where that is all */
	int status;

	*s = (struct source){.fd = fd, .keys = keys};
	if (fetch(s, SOURCE_MAGIC_LEN) == SOURCE_FAILED)
		return refuse(s, EX_IOERR, s->why);
	begin = left(s) < SOURCE_MAGIC_LEN ? left(s) : SOURCE_MAGIC_LEN;
	if (begin && memcmp(s->in.data, SOURCE_MAGIC, begin) == 0) {
		status = open_sealed(s);
		if (status)
			return status;
	} else if (seal_keys_have(keys, SEAL_SECRET)) {
		return refuse(s, EX_DATAERR, not_sealed);
	} else {
		s->compressed = pack_magic(s->in.data, left(s));
	}
	if (s->compressed) {
		s->unpack = unpack_new();
		if (!s->unpack)
			return refuse(s, EX_OSERR, "out of memory");
	}
	return 0;
}

int source_open_from(struct source *s, const struct recording_from *from, void *arg,
		     const struct seal_keys *keys)
{
	*s = (struct source){.fd = -1, .from = from, .arg = arg};
	if (seal_keys_have(keys, SEAL_SECRET))
		return refuse(s, EX_DATAERR, not_sealed);
	return 0;
}

int source_go(struct source *s, uint64_t offset)
{
	if (s->from) {
		s->whole.offset = 0;
		return s->from->go(s->arg, offset, s->why, sizeof(s->why));
	}
	if (lseek(s->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	s->in.len = s->in_at = 0;
	s->plain.len = s->plain_at = 0;
	s->offset = offset;
	s->eof = s->ended = s->fresh = false;
	seal_stream_free(s->stream);
	s->stream = NULL;
	memset(s->whole.tag, 0, sizeof(s->whole.tag));
	if (s->unpack)
		unpack_reset(s->unpack);
	if (s->sealed && offset == 0) {
		if (fetch(s, SOURCE_HEAD_LEN) != SOURCE_TEXT)
			return -EIO;
		use(s, SOURCE_HEAD_LEN);
	}
	s->whole.offset = s->offset;
	return 0;
}

void source_close(struct source *s)
{
	if (s->from)
		s->from->close(s->arg);
	s->from = NULL;
	if (s->fd > STDERR_FILENO)
		close(s->fd);
	s->fd = -1;
	buf_free(&s->in);
	buf_free(&s->plain);
	seal_stream_free(s->stream);
	s->stream = NULL;
	unpack_free(s->unpack);
	s->unpack = NULL;
}
