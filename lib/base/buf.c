/* Capacity doubles, so that appending is cheap on the whole. Invariant: a failed call leaves the
 * buffer as it was. */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/utf8.h"

int buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 64;
	char *data;

	if (b->cap - b->len >= n)
		return 0;
	while (cap - b->len < n) {
		if (cap > SIZE_MAX / 2)
			return -ENOMEM;
		cap *= 2;
	}
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int buf_put(struct buf *b, const void *data, size_t n)
{
	int r = buf_reserve(b, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(b->data + b->len, data, n);
	b->len += n;
	return 0;
}

int buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int buf_put_u64(struct buf *b, uint64_t n)
{
	int r = buf_reserve(b, DECIMAL_MAX);

	if (r == 0)
		b->len = (size_t)(decimal_put(b->data + b->len, n) - b->data);
	return r;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->len;
	va_list ap;
	int n, r;

	/* Mostly there is room. */
	va_start(ap, fmt);
	n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	if ((size_t)n < room) {
		b->len += (size_t)n;
		return 0;
	}
	r = buf_reserve(b, (size_t)n + 1);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

int buf_put_json(struct buf *b, const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + n;
	int r = buf_reserve(b, 6 * n + 2);
	char *out;

	if (r < 0)
		return r;
	out = b->data + b->len;
	*out++ = '"';
	while (p < end) {
		size_t seq = *p < 0x80 ? 1 : utf8_sequence(p, end);

		if (seq == 0) {
			memcpy(out, "\xef\xbf\xbd", 3);
			out += 3;
			p++;
		} else if (*p == '"' || *p == '\\') {
			*out++ = '\\';
			*out++ = (char)*p++;
		} else if (*p < 0x20) {
			out += sprintf(out, "\\u%04x", *p++);
		} else {
			memcpy(out, p, seq);
			out += seq;
			p += seq;
		}
	}
	*out++ = '"';
	b->len = (size_t)(out - b->data);
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	b->len -= n;
	if (b->len)
		memmove(b->data, b->data + n, b->len);
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}
