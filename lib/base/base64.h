/* base64 (RFC 4648 section 4): the standard alphabet, padded, nothing else in it. */
#ifndef HUB_BASE64_H
#define HUB_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Characters that n bytes become. */
static inline size_t base64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* Writes base64_len(n) characters to out, without a NUL; returns how many. */
size_t base64_put(char *out, const void *data, size_t n);

/* Appends them. Returns 0 or -ENOMEM. */
int base64_append(struct buf *out, const void *data, size_t n);

/* Whether it is base64 as base64_put() writes it: no bits are set behind the last byte. */
bool base64_valid(const char *text, size_t len);

/* Bytes that valid base64 stands for; and writes them to out, returns how many. */
size_t base64_size(const char *text, size_t len);
size_t base64_decode(unsigned char *out, const char *text, size_t len);

#endif
