/* UTF-8 in pieces: whole characters by lib/base, and a state of one byte for those that are cut. */
#include "wire/utf8_stream.h"

#include <string.h>

#include "base/utf8.h"

/* What must follow (the table of RFC 3629 section 4). */
enum state {
	WHOLE = UTF8_STREAM_WHOLE,
	TAIL_1, /* one byte of 80..BF */
	TAIL_2,
	TAIL_3,
	AFTER_E0, /* A0..BF, then TAIL_1 */
	AFTER_ED, /* 80..9F, then TAIL_1 */
	AFTER_F0, /* 90..BF, then TAIL_2 */
	AFTER_F4, /* 80..8F, then TAIL_2 */
};

static const struct {
	unsigned char low, high;
	uint8_t next;
} follows[] = {
    [WHOLE] = {0x00, 0x7f, WHOLE},     [TAIL_1] = {0x80, 0xbf, WHOLE},
    [TAIL_2] = {0x80, 0xbf, TAIL_1},   [TAIL_3] = {0x80, 0xbf, TAIL_2},
    [AFTER_E0] = {0xa0, 0xbf, TAIL_1}, [AFTER_ED] = {0x80, 0x9f, TAIL_1},
    [AFTER_F0] = {0x90, 0xbf, TAIL_2}, [AFTER_F4] = {0x80, 0x8f, TAIL_2},
};

/* The state behind the first byte of a character; WHOLE where no character of several bytes starts
 * so. */
static uint8_t lead(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return WHOLE;
	if (c < 0xe0)
		return TAIL_1;
	if (c < 0xf0)
		return c == 0xe0 ? AFTER_E0 : c == 0xed ? AFTER_ED : TAIL_2;
	return c == 0xf0 ? AFTER_F0 : c == 0xf4 ? AFTER_F4 : TAIL_3;
}

/* Behind the ASCII at p; what is left of it has fewer than 8 bytes. */
static const unsigned char *skip_ascii(const unsigned char *p, const unsigned char *end)
{
	const uint64_t tops = 0x8080808080808080;
	uint64_t a, b, c, d;

	while (end - p >= 32) {
		memcpy(&a, p, 8);
		memcpy(&b, p + 8, 8);
		memcpy(&c, p + 16, 8);
		memcpy(&d, p + 24, 8);
		if ((a | b | c | d) & tops)
			break;
		p += 32;
	}
	while (end - p >= 8) {
		memcpy(&a, p, 8);
		if (a & tops)
			break;
		p += 8;
	}
	return p;
}

const unsigned char *utf8_stream(uint8_t *state, const unsigned char *p, const unsigned char *end)
{
	uint8_t s = *state;

	while (p < end) {
		if (s != WHOLE) {
			if (*p < follows[s].low || *p > follows[s].high)
				return p;
			s = follows[s].next;
			p++;
		} else if (*p < 0x80) {
			p = skip_ascii(p, end);
			while (p < end && *p < 0x80)
				p++;
		} else {
			size_t n = utf8_sequence(p, end);

			/* Cut off, or wrong: byte by byte. */
			if (n == 0 && (s = lead(*p)) == WHOLE)
				return p;
			p += n ? n : 1;
		}
	}
	*state = s;
	return NULL;
}
