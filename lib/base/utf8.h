/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef HUB_UTF8_H
#define HUB_UTF8_H

#include <stddef.h>

/* The length (2 to 4) of the well-formed multi-byte sequence that starts at p, whose first byte is
 * >= 0x80; 0 where there is none before end. */
static inline size_t utf8_sequence(const unsigned char *p, const unsigned char *end)
{
	size_t left = (size_t)(end - p);

#define UTF8_TAIL(c) (((c)&0xc0) == 0x80)
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < 2 || !UTF8_TAIL(p[1]))
		return 0;
	if (p[0] < 0xe0)
		return 2;
	if (left < 3 || !UTF8_TAIL(p[2]))
		return 0;
	if (p[0] < 0xf0) {
		if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (left < 4 || !UTF8_TAIL(p[3]))
		return 0;
	if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return 4;
#undef UTF8_TAIL
}

#endif
