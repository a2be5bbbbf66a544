/* Invariant: between two calls each stream is as it was at its start. */
#include "wire/deflate.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "wire/wsframe.h"

#define LEVEL 3		/* a tenth less than that costs three times as much */
#define LOOKAHEAD 262	/* of a window, in which zlib finds nothing */
#define TAIL_LEN 4	/* of a sync flush; what is sent goes without (section 7.2.1) */
#define GUESS 4		/* that many times as long is what comes out, to begin with */
#define ENDS_MAX 64	/* final blocks in a message */
#define COMPRESSED 0x40 /* RSV1 of a message's first frame */

static const unsigned char tail[TAIL_LEN] = {0, 0, 0xff, 0xff};

struct deflater {
	z_stream out[DEFLATE_BITS_MAX + 1], in;
	bool made[DEFLATE_BITS_MAX + 1], in_made;
};

struct deflater *deflater_new(void)
{
	return calloc(1, sizeof(struct deflater));
}

void deflater_free(struct deflater *d)
{
	if (!d)
		return;
	for (unsigned bits = DEFLATE_BITS_MIN; bits <= DEFLATE_BITS_MAX; bits++)
		if (d->made[bits])
			deflateEnd(&d->out[bits]);
	if (d->in_made)
		inflateEnd(&d->in);
	free(d);
}

/* --- out */

/* The smallest window in which all of it is seen: to begin anew costs as much as the window is
 * large. */
static unsigned bits_for(size_t len, unsigned most)
{
	unsigned bits = DEFLATE_BITS_MIN;

	while (bits < most && ((size_t)1 << bits) < len + LOOKAHEAD)
		bits++;
	return bits;
}

static z_stream *stream_of(struct deflater *d, unsigned bits)
{
	z_stream *s = &d->out[bits];

	if (!d->made[bits] && deflateInit2(s, LEVEL, Z_DEFLATED, -(int)bits, (int)bits - 7,
					   Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	d->made[bits] = true;
	return s;
}

int deflate_frame(struct deflater *d, unsigned bits, const char *text, size_t len, struct buf *out)
{
	z_stream *s = stream_of(d, bits_for(len, bits));
	unsigned char *frame;
	size_t header, n;
	bool whole;

	/* What is not shorter finds no room. */
	if (!s || buf_reserve(out, WSFRAME_HEADER_MAX + len + TAIL_LEN) < 0)
		return -ENOMEM;
	if (len > UINT_MAX - TAIL_LEN)
		return 1;
	frame = (unsigned char *)out->data + out->len;
	s->next_in = (unsigned char *)(uintptr_t)text;
	s->avail_in = (uInt)len;
	s->next_out = frame + WSFRAME_HEADER_MAX;
	s->avail_out = (uInt)len + TAIL_LEN - 1;
	whole = deflate(s, Z_SYNC_FLUSH) == Z_OK && s->avail_in == 0 && s->avail_out > 0;
	n = (size_t)(s->next_out - frame) - WSFRAME_HEADER_MAX;
	deflateReset(s);
	if (!whole || n <= TAIL_LEN)
		return 1;
	n -= TAIL_LEN;
	header = wsframe_text(frame, n);
	frame[0] |= COMPRESSED;
	memmove(frame + header, frame + WSFRAME_HEADER_MAX, n);
	out->len += header + n;
	return 0;
}

/* --- in */

static int make_in(struct deflater *d)
{
	if (!d->in_made && inflateInit2(&d->in, -DEFLATE_BITS_MAX) != Z_OK)
		return -ENOMEM;
	d->in_made = true;
	return 0;
}

/* Makes room behind what is there, for all that may come and one byte that may not. */
static int more_room(z_stream *s, struct buf *out, size_t start, size_t len, size_t limit)
{
	size_t have = out->len - start, more = have ? have : GUESS * len + 64;

	if (have > limit)
		return -EMSGSIZE;
	if (more > limit + 1 - have)
		more = limit + 1 - have;
	if (buf_reserve(out, more) < 0)
		return -ENOMEM;
	s->next_out = (unsigned char *)out->data + out->len;
	s->avail_out = (uInt)more;
	return 0;
}

/* Its input is the message, then the tail that was cut. */
static int inflate_all(z_stream *s, size_t len, size_t limit, struct buf *out)
{
	size_t start = out->len;
	bool at_tail = false;
	int r, ends = 0;

	for (;;) {
		size_t before;

		if (s->avail_in == 0 && !at_tail) {
			at_tail = true;
			s->next_in = (unsigned char *)(uintptr_t)tail;
			s->avail_in = TAIL_LEN;
		}
		if (s->avail_out == 0 && (r = more_room(s, out, start, len, limit)) < 0)
			return r;
		before = s->avail_out;
		r = inflate(s, Z_SYNC_FLUSH);
		out->len += before - s->avail_out;
		if (r == Z_STREAM_END) {
			/* Behind a final block a new stream may begin, at the next byte. */
			if (s->avail_in == (at_tail ? TAIL_LEN : 0))
				break;
			if (++ends > ENDS_MAX || inflateReset(s) != Z_OK)
				return -EBADMSG;
		} else if (r == Z_MEM_ERROR) {
			return -ENOMEM;
		} else if (r != Z_OK && r != Z_BUF_ERROR) {
			return -EBADMSG;
		} else if (at_tail && s->avail_in == 0 && s->avail_out > 0) {
			if (!(s->data_type & 128)) /* zlib.h: behind the end of a block */
				return -EBADMSG;
			break;
		}
	}
	return out->len - start > limit ? -EMSGSIZE : 0;
}

int inflate_message(struct deflater *d, const void *data, size_t len, size_t limit, struct buf *out)
{
	int r = make_in(d);

	if (r < 0 || !len) /* some cut the last octet of an empty message, too */
		return r;
	if (len > UINT_MAX / (2 * GUESS) || limit > UINT_MAX / 2)
		return -EMSGSIZE;
	d->in.next_in = (unsigned char *)(uintptr_t)data;
	d->in.avail_in = (uInt)len;
	d->in.avail_out = 0;
	r = inflate_all(&d->in, len, limit, out);
	inflateReset(&d->in);
	return r;
}
