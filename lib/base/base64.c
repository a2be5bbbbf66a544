#include "base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a digit; -1 for what is none. */
static int value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t base64_put(char *out, const void *data, size_t n)
{
	const unsigned char *p = data;
	char *start = out;
	uint32_t v;

	for (; n >= 3; p += 3, n -= 3) {
		v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = digits[v >> 6 & 63];
		*out++ = digits[v & 63];
	}
	if (n) {
		v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0);
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = n > 1 ? digits[v >> 6 & 63] : '=';
		*out++ = '=';
	}
	return (size_t)(out - start);
}

int base64_append(struct buf *out, const void *data, size_t n)
{
	int r = buf_reserve(out, base64_len(n));

	if (r == 0 && n)
		out->len += base64_put(out->data + out->len, data, n);
	return r;
}

/* Padding characters at the end of a text of at least four. */
static size_t padding(const char *text, size_t len)
{
	if (text[len - 1] != '=')
		return 0;
	return text[len - 2] == '=' ? 2 : 1;
}

bool base64_valid(const char *text, size_t len)
{
	size_t pad, i;
	int last;

	if (len % 4)
		return false;
	if (!len)
		return true;
	pad = padding(text, len);
	for (i = 0; i < len - pad; i++)
		if (value(text[i]) < 0)
			return false;
	last = value(text[len - pad - 1]);
	return !pad || (last & (pad == 1 ? 3 : 15)) == 0;
}

size_t base64_size(const char *text, size_t len)
{
	return len ? len / 4 * 3 - padding(text, len) : 0;
}

size_t base64_decode(unsigned char *out, const char *text, size_t len)
{
	size_t n = base64_size(text, len), at = 0, i;
	uint32_t v = 0;

	for (i = 0; i < len && at < n; i++) {
		v = v << 6 | (uint32_t)(value(text[i]) & 63);
		if (i % 4 == 0)
			continue;
		out[at++] = (unsigned char)(v >> (6 - 2 * (i % 4)));
	}
	return n;
}
