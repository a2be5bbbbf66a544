/* Lines as WebSocket frames of a client (RFC 6455 section 5). */
#ifndef HUB_WS_FRAMES_H
#define HUB_WS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_MAX 8 /* of up to 65535 bytes, masked */
#define FRAME_MASKS 256

/* Zeroed at the start. */
struct ws_frames {
	bool mid; /* the front of a message was framed; the owner sets it false for a new connection
		   */
	unsigned mask;
	uint32_t masks[FRAME_MASKS];
};

/* Frames lines, each without its line feed, as far as they fit in cap (64 KiB at most, and more
 * than FRAME_HEADER_MAX). Where it takes the front of a line, the next call must begin with its
 * rest. Returns the bytes of text taken, with *used those of out. */
size_t ws_frames_put(struct ws_frames *w, const char *lines, size_t len, unsigned char *out,
		     size_t cap, size_t *used);

#endif
