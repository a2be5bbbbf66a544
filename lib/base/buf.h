/* A growable byte buffer: owns its memory, keeps len <= cap, and is empty when zeroed. */
#ifndef HUB_BUF_H
#define HUB_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

/* Makes room for n more bytes behind len. Returns 0 or -ENOMEM, with the buffer as it was. */
int buf_reserve(struct buf *b, size_t n);

/* Appends; return 0 or -ENOMEM, with the buffer as it was. */
int buf_put(struct buf *b, const void *data, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_put_u64(struct buf *b, uint64_t n);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends text as a JSON string with its quotes (RFC 8259 section 7). Bytes that are not UTF-8
 * become U+FFFD, so that the result is always valid. */
int buf_put_json(struct buf *b, const char *text, size_t n);

/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);

/* Gives the memory back and leaves an empty buffer. */
void buf_free(struct buf *b);

#endif
