/* WebSocket frames as a client sees them (RFC 6455), and lines: messages out of bytes that come cut
 * anywhere, and masked frames out of messages. Pure: no sockets. Where a message lies whole in what
 * was read it is given without copying; only what is cut is held, so an idle connection costs this
 * structure alone. For each piece that was read:
 *
 *	wsio_feed(&w, p, n, room);
 *	while ((got = wsio_next(&w, &m)) > WSIO_MORE)
 *		handle(got, &m);
 *	wsio_rest(&w);
 */
#ifndef HUBBENCH_WSIO_H
#define HUBBENCH_WSIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSIO_MESSAGE_MAX (64u << 20) /* bytes of a message; a longer one is WSIO_BAD */
#define WSIO_HEADER_MAX 14	     /* of a frame from a client */

struct wsio_pieces; /* of a message in several frames */

/* Zeroed at the start, but for lines and deflates. */
struct wsio {
	const char *p, *end; /* what is left of the piece, or of held */
	char *held;	     /* from the last piece */
	uint32_t held_len, held_cap;
	struct wsio_pieces *pieces;
	bool lines;    /* messages are lines */
	bool deflates; /* permessage-deflate was agreed on (RFC 7692) */
};

struct wsio_message {
	const char *p;
	size_t len;
	bool deflated; /* it is as it came, for inflate_whole() */
};

enum wsio_got {
	WSIO_BAD = -1, /* not WebSocket, too long, or out of memory: the connection is of no use */
	WSIO_MORE,     /* all bytes are used: the next piece is wanted */
	WSIO_MESSAGE,
	WSIO_PING,
	WSIO_PONG,
	WSIO_CLOSE, /* p, len: the code and the reason, as they came */
};

/* Takes a piece that was read. So many bytes before p may be overwritten: what is held goes there
 * where it fits, so that the piece need not be copied. False: no memory. */
bool wsio_feed(struct wsio *w, char *p, size_t n, size_t room);

enum wsio_got wsio_next_odd(struct wsio *w, struct wsio_message *m);

/* The next message; good until the next call of any of these. */
static inline enum wsio_got wsio_next(struct wsio *w, struct wsio_message *m)
{
	const unsigned char *p = (const unsigned char *)w->p;
	size_t have = (size_t)(w->end - w->p), len;

	/* A whole short text in one frame. */
	if (have >= 4 && p[0] == 0x81 && p[1] <= 126 && !w->lines && !w->pieces) {
		size_t head = p[1] < 126 ? 2 : 4;

		len = p[1] < 126 ? p[1] : (size_t)p[2] << 8 | p[3];
		if (have >= head + len) {
			m->p = w->p + head;
			m->len = len;
			m->deflated = false;
			w->p += head + len;
			return WSIO_MESSAGE;
		}
	}
	return wsio_next_odd(w, m);
}

/* Keeps what is left of the piece. False: no memory. */
bool wsio_rest(struct wsio *w);

/* Gives the memory back and starts afresh. */
void wsio_reset(struct wsio *w);

/* Writes the header of a masked final frame; returns its length, at most WSIO_HEADER_MAX. */
size_t wsio_header(unsigned char *out, unsigned opcode, size_t len, uint32_t mask);

/* Masks len bytes in place. */
void wsio_mask(unsigned char *p, size_t len, uint32_t mask);

#endif
