#include "net/inflate.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/buf.h"

struct inflate {
	z_stream stream;
	struct buf text;
};

struct inflate *inflate_new(void)
{
	struct inflate *i = calloc(1, sizeof(*i));

	if (i && inflateInit2(&i->stream, -MAX_WBITS) == Z_OK)
		return i;
	free(i);
	return NULL;
}

void inflate_free(struct inflate *i)
{
	if (!i)
		return;
	inflateEnd(&i->stream);
	buf_free(&i->text);
	free(i);
}

const char *inflate_whole(struct inflate *i, const char *p, size_t n, size_t max, size_t *len)
{
	static const unsigned char tail[] = {0, 0, 0xff, 0xff}; /* RFC 7692 section 7.2.2 */
	z_stream *s = &i->stream;
	struct buf *text = &i->text;
	bool at_tail = false;
	int r;

	inflateReset(s);
	text->len = 0;
	if (n > UINT_MAX)
		return NULL;
	s->next_in = (unsigned char *)(uintptr_t)p;
	s->avail_in = (uInt)n;
	do {
		if (s->avail_in == 0 && !at_tail) {
			at_tail = true;
			s->next_in = (unsigned char *)(uintptr_t)tail;
			s->avail_in = sizeof(tail);
		}
		if (text->len > max || buf_reserve(text, text->len + 4096) < 0)
			return NULL;
		s->next_out = (unsigned char *)text->data + text->len;
		s->avail_out =
		    (uInt)(text->cap - text->len > UINT_MAX ? UINT_MAX : text->cap - text->len);
		r = inflate(s, Z_SYNC_FLUSH);
		if (r != Z_OK && r != Z_BUF_ERROR && r != Z_STREAM_END)
			return NULL;
		text->len = (size_t)((char *)s->next_out - text->data);
	} while (r != Z_STREAM_END && (s->avail_in || !at_tail || !s->avail_out));
	*len = text->len;
	return text->len > max ? NULL : text->data;
}
