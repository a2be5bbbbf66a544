/* UTF-8 (RFC 3629) that comes in pieces, as WebSocket text does (RFC 6455 section 8.1). */
#ifndef HUB_UTF8_STREAM_H
#define HUB_UTF8_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* Between two characters: the state to start with, and the one that a whole text ends in. */
#define UTF8_STREAM_WHOLE 0

/* Checks the next piece [p, end) and moves *state on. Returns NULL, or the first byte that no
 * well-formed text can have there: no overlong form, no surrogate, nothing above U+10FFFF. After
 * that *state says nothing. ASCII goes at the speed of memory. */
const unsigned char *utf8_stream(uint8_t *state, const unsigned char *p, const unsigned char *end);

#endif
