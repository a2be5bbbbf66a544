/* WebSocket frame headers (RFC 6455 section 5.2), as a server sends them: final and unmasked. */
#ifndef HUB_WSFRAME_H
#define HUB_WSFRAME_H

#include <stddef.h>

#define WSFRAME_HEADER_MAX 10

/* Writes the header of a whole text message of len bytes to p; returns its length (2, 4 or 10). */
static inline size_t wsframe_text(unsigned char *p, size_t len)
{
	size_t i;

	p[0] = 0x81;
	if (len < 126) {
		p[1] = (unsigned char)len;
		return 2;
	}
	if (len < 65536) {
		p[1] = 126;
		p[2] = (unsigned char)(len >> 8);
		p[3] = (unsigned char)len;
		return 4;
	}
	p[1] = 127;
	for (i = 0; i < 8; i++)
		p[2 + i] = (unsigned char)(len >> (56 - 8 * i));
	return 10;
}

/* The length of the header that wsframe_text() wrote at p. */
static inline size_t wsframe_header_len(const unsigned char *p)
{
	return p[1] < 126 ? 2 : p[1] == 126 ? 4 : 10;
}

#endif
