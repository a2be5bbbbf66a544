/* WebSocket frames (RFC 6455) as a server reads and writes them: strict, in place, without memory
 * of their own. wsframe.h writes the headers of what a hub sends most.
 *
 *	struct websocket_in in = {0};
 *
 *	for each piece [p, end) that comes:
 *		while ((event = websocket_read(&in, &p, end, limit, &e)) != WEBSOCKET_MORE)
 *			handle(event, &e);
 *		keep [p, end), fewer than WEBSOCKET_FRONT_MAX bytes, for the front of the next piece
 */
#ifndef HUB_WEBSOCKET_H
#define HUB_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEBSOCKET_CONTROL_MAX 125 /* bytes of payload (RFC 6455 section 5.5) */
#define WEBSOCKET_FRONT_MAX 131	  /* bytes of a masked control frame, and more than any header */

/* Status codes of RFC 6455 section 7.4.1 that this room gives. */
enum websocket_code {
	WEBSOCKET_PROTOCOL_ERROR = 1002,
	WEBSOCKET_NO_CODE = 1005, /* a close frame that is empty; never sent */
	WEBSOCKET_BAD_TEXT = 1007,
	WEBSOCKET_TOO_LARGE = 1009,
};

/* One for each connection, also where it is idle: 16 bytes. Zeroed at the start. The fields are for
 * websocket.c only. */
struct websocket_in {
	uint32_t left;	       /* bytes of payload of the frame whose header was taken */
	uint32_t size;	       /* bytes of the message, with those of that frame */
	unsigned char mask[4]; /* the first of them is for the next byte */
	uint8_t flags;
	uint8_t utf8; /* state of utf8_stream() */
};

enum websocket_event {
	WEBSOCKET_MORE,	  /* nothing whole is left in what came */
	WEBSOCKET_DATA,	  /* a piece of a message: data, len, text, first, last */
	WEBSOCKET_PING,	  /* data, len: to be sent back as a pong */
	WEBSOCKET_PONG,	  /* data, len */
	WEBSOCKET_CLOSE,  /* code, and data, len: the reason. Nothing comes behind it */
	WEBSOCKET_FAILED, /* code: what to close with (RFC 6455 section 7.1.7); why. Nothing comes
			     behind it */
};

struct websocket_piece {
	unsigned char *data; /* in the piece, unmasked; good until the caller changes it */
	size_t len;
	bool text;	  /* of the whole message; else binary */
	bool deflated;	  /* the same: its pieces together are for inflate_message() (deflate.h) */
	bool first, last; /* of the pieces of a message. A piece may be empty where it is the last;
			     a message of no fragments that came whole is one piece that is both */
	uint16_t code;
	const char *why; /* of WEBSOCKET_FAILED: a constant phrase for the log */
};

/* Takes the next event from the piece [*p, end), which is unmasked in place, and moves *p behind
 * it. Call until it says WEBSOCKET_MORE; then what is left at *p, fewer than WEBSOCKET_FRONT_MAX
 * bytes, is the start of a frame that is not whole: give it again in front of what follows it.
 *
 * limit: bytes of a message over all of its fragments, 0 to UINT32_MAX; a frame whose header says
 * that it goes beyond fails with 1009 before its payload comes. Text is checked as it comes, so
 * that a message may fail with 1007 after pieces of it were given. What RFC 6455 forbids a client
 * fails with 1002. Behind a close or a failure all bytes are dropped. */
enum websocket_event websocket_read(struct websocket_in *in, unsigned char **p, unsigned char *end,
				    uint32_t limit, struct websocket_piece *e);

/* permessage-deflate was agreed on: a message may be deflated. Of one that is, limit and an eighth
 * of it may come; what it stands for is not looked at, and so no text of it is checked. */
void websocket_deflates(struct websocket_in *in);

/* Whether a close frame may have the code (RFC 6455 section 7.4 and its registry): 1000 to 1003,
 * 1007 to 1014, 3000 to 4999. */
bool websocket_code_valid(unsigned code);

/* Writes a whole unmasked control frame (RFC 6455 section 5.5) to out, which has room for
 * 2 + WEBSOCKET_CONTROL_MAX bytes; returns its length. len: at most WEBSOCKET_CONTROL_MAX. */
size_t websocket_put_ping(unsigned char *out, const void *data, size_t len);
size_t websocket_put_pong(unsigned char *out, const void *data, size_t len);

/* The same for a close frame: code, and a reason in UTF-8 that is cut, between two characters, to
 * what fits. Code WEBSOCKET_NO_CODE gives an empty one. */
size_t websocket_put_close(unsigned char *out, uint16_t code, const char *reason);

#endif
