/* libzstd, kept in one place. Frames are walked by their own headers, since the library does that
 * for whole frames in memory only. */
#include "recording/recording_zstd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#include <zstd.h>

#define WINDOW_LOG_MAX 25
#define PIECE (128 << 10)
#define MAGIC_SKIPPABLE 0x184d2a50u /* and the 15 above it */

struct pack {
	ZSTD_CCtx *ctx;
};

struct unpack {
	ZSTD_DCtx *ctx;
	bool busy;
};

static uint32_t le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool pack_magic(const char *p, size_t len)
{
	return len >= 4 && le32((const unsigned char *)p) == ZSTD_MAGICNUMBER;
}

struct pack *pack_new(int level)
{
	struct pack *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ctx = ZSTD_createCCtx();
	if (!p->ctx ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_checksumFlag, 1))) {
		pack_free(p);
		return NULL;
	}
	return p;
}

void pack_free(struct pack *p)
{
	if (p)
		ZSTD_freeCCtx(p->ctx);
	free(p);
}

int pack_frame(struct pack *p, const char *text, size_t len, struct buf *out)
{
	size_t bound = ZSTD_compressBound(len), n;

	if (buf_reserve(out, bound) < 0)
		return -ENOMEM;
	n = ZSTD_compress2(p->ctx, out->data + out->len, bound, text, len);
	if (ZSTD_isError(n))
		return -ENOMEM;
	out->len += n;
	return 0;
}

struct unpack *unpack_new(void)
{
	struct unpack *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->ctx = ZSTD_createDCtx();
	if (!u->ctx ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(u->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
		unpack_free(u);
		return NULL;
	}
	return u;
}

void unpack_free(struct unpack *u)
{
	if (u)
		ZSTD_freeDCtx(u->ctx);
	free(u);
}

enum unpack_status unpack_some(struct unpack *u, const char **p, const char *end, struct buf *out)
{
	ZSTD_inBuffer from = {*p, (size_t)(end - *p), 0};
	ZSTD_outBuffer to = {NULL, PIECE, 0};
	size_t left;

	if (buf_reserve(out, PIECE) < 0)
		return UNPACK_NOMEM;
	to.dst = out->data + out->len;
	left = ZSTD_decompressStream(u->ctx, &to, &from);
	if (ZSTD_isError(left))
		return UNPACK_BAD;
	*p += from.pos;
	out->len += to.pos;
	u->busy = left != 0;
	return u->busy ? UNPACK_MORE : UNPACK_FRAME;
}

bool unpack_idle(const struct unpack *u)
{
	return !u->busy;
}

void unpack_reset(struct unpack *u)
{
	ZSTD_DCtx_reset(u->ctx, ZSTD_reset_session_only);
	u->busy = false;
}

static bool read_at(int fd, unsigned char *out, size_t n, uint64_t offset)
{
	return pread(fd, out, n, (off_t)offset) == (ssize_t)n;
}

/* The length of a frame's header by its descriptor, RFC 8878 section 3.1.1.1. */
static uint64_t header_length(unsigned char descriptor)
{
	static const unsigned char dictionary[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
	bool single = descriptor & 0x20;
	unsigned size = descriptor >> 6;

	return 5u + !single + dictionary[descriptor & 3] + (size ? content[size] : single);
}

uint64_t pack_frame_length(int fd, uint64_t offset)
{
	unsigned char head[8], block[3];
	uint64_t at;
	uint32_t size;

	if (!read_at(fd, head, sizeof(head), offset))
		return 0;
	if ((le32(head) & ~15u) == MAGIC_SKIPPABLE) {
		at = offset + 8 + le32(head + 4);
		return read_at(fd, head, 1, at - 1) ? at - offset : 0;
	}
	if (le32(head) != ZSTD_MAGICNUMBER)
		return 0;
	at = offset + header_length(head[4]);
	do {
		if (!read_at(fd, block, sizeof(block), at))
			return 0;
		size = (block[0] | (uint32_t)block[1] << 8 | (uint32_t)block[2] << 16) >> 3;
		at += 3 + ((block[0] >> 1 & 3) == 1 ? 1 : size);
	} while (!(block[0] & 1));
	if (head[4] & 4)
		at += 4;
	return read_at(fd, head, 1, at - 1) ? at - offset : 0;
}
