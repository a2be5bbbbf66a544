/* Masked text frames. What is longer than the room goes as fragments, one a call, each a whole
 * frame, so that pongs may go between them. */
#include "transport/ws_frames.h"

#include <sodium.h>
#include <string.h>

static uint32_t frame_mask(struct ws_frames *w)
{
	if (w->mask == 0) {
		randombytes_buf(w->masks, sizeof(w->masks));
		w->mask = FRAME_MASKS;
	}
	return w->masks[--w->mask];
}

enum { FRAME_CONTINUES = 0x00, FRAME_TEXT = 0x01, FRAME_FINAL = 0x80 };

/* Writes one masked frame; returns its length. */
static size_t frame_put(struct ws_frames *w, unsigned char *out, int first, const char *text,
			size_t len)
{
	uint32_t mask = frame_mask(w);
	uint64_t wide = (uint64_t)mask << 32 | mask, word;
	unsigned char *p = out, key[4];
	size_t i = 0;

	memcpy(key, &mask, 4);
	*p++ = (unsigned char)first;
	if (len < 126) {
		*p++ = (unsigned char)(0x80 | len);
	} else {
		*p++ = 0x80 | 126;
		*p++ = (unsigned char)(len >> 8);
		*p++ = (unsigned char)len;
	}
	memcpy(p, key, 4);
	p += 4;
	for (; i + 8 <= len; i += 8) {
		memcpy(&word, text + i, 8);
		word ^= wide;
		memcpy(p + i, &word, 8);
	}
	for (; i < len; i++)
		p[i] = (unsigned char)text[i] ^ key[i & 3];
	return (size_t)(p - out) + len;
}

size_t ws_frames_put(struct ws_frames *w, const char *lines, size_t len, unsigned char *out,
		     size_t cap, size_t *used)
{
	size_t taken = 0;

	*used = 0;
	while (taken < len) {
		const char *line = lines + taken;
		const char *feed = memchr(line, '\n', len - taken);
		size_t n = feed ? (size_t)(feed - line) : len - taken;
		size_t room = cap - *used;
		int first = w->mid ? FRAME_CONTINUES : FRAME_TEXT;

		if (n + FRAME_HEADER_MAX > room && *used)
			break;
		if (n + FRAME_HEADER_MAX > room) {
			n = room - FRAME_HEADER_MAX;
			*used = frame_put(w, out, first, line, n);
			w->mid = true;
			return n;
		}
		if (n || w->mid)
			*used += frame_put(w, out + *used, first | FRAME_FINAL, line, n);
		w->mid = false;
		taken += n + (feed != NULL);
	}
	return taken;
}
