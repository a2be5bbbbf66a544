/* WebSocket frames. Invariant: a byte is unmasked when it is used up, never before and never twice,
 * so that the front of a frame can be given again. */
#include "wire/websocket.h"

#include <string.h>

#include "wire/utf8_stream.h"

/* in->flags. A message is open from its first frame to its final one. */
enum flag {
	OPEN = 1,
	TEXT = 2,	/* of the open message */
	BEGUN = 4,	/* a piece of it was given */
	IN_FRAME = 8,	/* payload is due, maybe of no bytes */
	FINAL = 16,	/* of that frame */
	ENDED = 32,	/* by a close or a failure */
	DEFLATES = 64,	/* permessage-deflate was agreed on */
	DEFLATED = 128, /* the open message is */
};

#define RSV1 0x40 /* of a message's first frame: it is deflated (RFC 7692 section 6) */

enum opcode { CONTINUATION = 0, TEXT_FRAME = 1, BINARY_FRAME = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* Read from a header (RFC 6455 section 5.2). */
struct header {
	unsigned opcode;
	bool final, deflated;
	uint64_t len;
	size_t size; /* bytes of the header, with the mask */
};

static enum websocket_event fail(struct websocket_in *in, struct websocket_piece *e,
				 enum websocket_code code, const char *why)
{
	in->flags = ENDED;
	e->code = (uint16_t)code;
	e->why = why;
	return WEBSOCKET_FAILED;
}

bool websocket_code_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

/* What is wrong with the first two bytes, or NULL. */
static const char *first_bytes(const struct websocket_in *in, const unsigned char *p)
{
	unsigned opcode = p[0] & 0x0f;

	if (p[0] & (in->flags & DEFLATES ? 0x30 : 0x70))
		return "reserved bits";
	if (p[0] & RSV1 && opcode != TEXT_FRAME && opcode != BINARY_FRAME)
		return "a deflated frame that begins no message";
	if (opcode > BINARY_FRAME && (opcode < CLOSE || opcode > PONG))
		return "an unknown opcode";
	if (opcode >= CLOSE && !(p[0] & 0x80))
		return "a control frame in fragments";
	if (opcode >= CLOSE && (p[1] & 0x7f) > WEBSOCKET_CONTROL_MAX)
		return "a control frame that is too long";
	if (opcode == CLOSE && (p[1] & 0x7f) == 1)
		return "half a close code";
	if (opcode == CONTINUATION && !(in->flags & OPEN))
		return "a continuation of nothing";
	if ((opcode == TEXT_FRAME || opcode == BINARY_FRAME) && in->flags & OPEN)
		return "a message inside another";
	if (!(p[1] & 0x80))
		return "a frame without a mask";
	return NULL;
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[i];
	return value;
}

/* Bytes that a message may have on its way: deflated it may be some longer, where it is of random
 * bytes. */
static uint64_t room_for(const struct websocket_in *in, const struct header *h, uint32_t limit)
{
	uint64_t most = limit;

	if (h->deflated || (h->opcode == CONTINUATION && in->flags & DEFLATED))
		most += limit / 8 + 64;
	if (most > UINT32_MAX)
		most = UINT32_MAX;
	return in->size < most ? most - in->size : 0;
}

/* Judges as much of a header as is there. WEBSOCKET_DATA: it is whole, and in *h. */
static enum websocket_event take_header(struct websocket_in *in, const unsigned char *p, size_t n,
					uint32_t limit, struct header *h, struct websocket_piece *e)
{
	size_t extra;
	const char *why;

	if (n < 2)
		return WEBSOCKET_MORE;
	why = first_bytes(in, p);
	if (why)
		return fail(in, e, WEBSOCKET_PROTOCOL_ERROR, why);
	h->opcode = p[0] & 0x0f;
	h->final = p[0] & 0x80;
	h->deflated = p[0] & RSV1;
	h->len = p[1] & 0x7f;
	extra = h->len == 126 ? 2 : h->len == 127 ? 8 : 0;
	h->size = 2 + extra + 4;
	if (n < 2 + extra)
		return WEBSOCKET_MORE;
	if (extra)
		h->len = big_endian(p + 2, extra);
	if (h->len >> 63)
		return fail(in, e, WEBSOCKET_PROTOCOL_ERROR, "a length of more than 63 bits");
	if (extra && h->len < (extra == 2 ? 126 : 65536))
		return fail(in, e, WEBSOCKET_PROTOCOL_ERROR,
			    "a length that is not in its shortest form");
	if (h->opcode < CLOSE && h->len > room_for(in, h, limit))
		return fail(in, e, WEBSOCKET_TOO_LARGE, "a message that is too large");
	return n < h->size ? WEBSOCKET_MORE : WEBSOCKET_DATA;
}

/* Unmasks, eight bytes at a time, and turns the mask so that it fits what follows. */
static void unmask(unsigned char mask[4], unsigned char *p, size_t n)
{
	unsigned char *end = p + n, turned[4];
	uint64_t key, a, b, c, d;

	memcpy(&key, mask, 4);
	memcpy((unsigned char *)&key + 4, mask, 4);
	for (; end - p >= 32; p += 32) {
		memcpy(&a, p, 8);
		memcpy(&b, p + 8, 8);
		memcpy(&c, p + 16, 8);
		memcpy(&d, p + 24, 8);
		a ^= key;
		b ^= key;
		c ^= key;
		d ^= key;
		memcpy(p, &a, 8);
		memcpy(p + 8, &b, 8);
		memcpy(p + 16, &c, 8);
		memcpy(p + 24, &d, 8);
	}
	for (size_t i = 0; p < end; i++, p++)
		*p ^= mask[i & 3];
	for (size_t i = 0; i < 4; i++)
		turned[i] = mask[(n + i) & 3];
	memcpy(mask, turned, 4);
}

/* Unmasks payload and checks the text of it, in blocks that stay in the cache between the two. */
static bool take_bytes(struct websocket_in *in, unsigned char *p, size_t n)
{
	const size_t block = 4096;

	while (n) {
		size_t part = n < block ? n : block;

		unmask(in->mask, p, part);
		if ((in->flags & (TEXT | DEFLATED)) == TEXT && utf8_stream(&in->utf8, p, p + part))
			return false;
		p += part;
		n -= part;
	}
	return true;
}

/* What is there of the payload of a data frame. WEBSOCKET_MORE: nothing to tell. */
static enum websocket_event take_payload(struct websocket_in *in, unsigned char **p,
					 unsigned char *end, struct websocket_piece *e)
{
	size_t n = (size_t)(end - *p);

	if (n > in->left)
		n = in->left;
	e->data = *p;
	e->len = n;
	e->text = in->flags & TEXT;
	e->deflated = in->flags & DEFLATED;
	e->first = !(in->flags & BEGUN);
	if (!take_bytes(in, *p, n))
		return fail(in, e, WEBSOCKET_BAD_TEXT, "text that is not UTF-8");
	*p += n;
	in->left -= (uint32_t)n;
	e->last = false;
	if (in->left == 0) {
		e->last = in->flags & FINAL;
		in->flags &= (uint8_t)~IN_FRAME;
	}
	if (e->last) {
		if (in->utf8 != UTF8_STREAM_WHOLE)
			return fail(in, e, WEBSOCKET_BAD_TEXT, "text that ends inside a character");
		*in = (struct websocket_in){.flags = in->flags & DEFLATES};
		return WEBSOCKET_DATA;
	}
	if (n == 0)
		return WEBSOCKET_MORE;
	in->flags |= BEGUN;
	return WEBSOCKET_DATA;
}

/* RFC 6455 section 5.5.1: nothing, or a code of two bytes and a reason */
static enum websocket_event take_close(struct websocket_in *in, struct websocket_piece *e)
{
	uint8_t utf8 = UTF8_STREAM_WHOLE;

	e->code = WEBSOCKET_NO_CODE;
	if (e->len) {
		e->code = (uint16_t)big_endian(e->data, 2);
		if (!websocket_code_valid(e->code))
			return fail(in, e, WEBSOCKET_PROTOCOL_ERROR, "a close code that is none");
		e->data += 2;
		e->len -= 2;
		if (utf8_stream(&utf8, e->data, e->data + e->len) || utf8 != UTF8_STREAM_WHOLE)
			return fail(in, e, WEBSOCKET_BAD_TEXT, "a close reason that is not UTF-8");
	}
	in->flags = ENDED;
	return WEBSOCKET_CLOSE;
}

/* A control frame is taken whole: it leaves the state of the message around it as it is. */
static enum websocket_event take_control(struct websocket_in *in, unsigned char **p,
					 unsigned char *end, const struct header *h,
					 struct websocket_piece *e)
{
	unsigned char mask[4];

	if ((size_t)(end - *p) < h->size + h->len)
		return WEBSOCKET_MORE;
	e->data = *p + h->size;
	e->len = (size_t)h->len;
	memcpy(mask, e->data - 4, 4);
	unmask(mask, e->data, e->len);
	*p = e->data + e->len;
	if (h->opcode == CLOSE)
		return take_close(in, e);
	return h->opcode == PING ? WEBSOCKET_PING : WEBSOCKET_PONG;
}

/* The header of a data frame opens its message, or goes on with it. */
static void enter_frame(struct websocket_in *in, const unsigned char *mask, const struct header *h)
{
	if (h->opcode != CONTINUATION)
		in->flags =
		    (uint8_t)((in->flags & DEFLATES) | OPEN | (h->opcode == TEXT_FRAME ? TEXT : 0) |
			      (h->deflated ? DEFLATED : 0));
	in->flags |= h->final ? IN_FRAME | FINAL : IN_FRAME;
	in->left = (uint32_t)h->len;
	in->size += (uint32_t)h->len;
	memcpy(in->mask, mask, 4);
}

enum websocket_event websocket_read(struct websocket_in *in, unsigned char **p, unsigned char *end,
				    uint32_t limit, struct websocket_piece *e)
{
	enum websocket_event event;
	struct header h;

	*e = (struct websocket_piece){0};
	while (!(in->flags & ENDED)) {
		if (in->flags & IN_FRAME) {
			if (*p == end && in->left)
				return WEBSOCKET_MORE;
			event = take_payload(in, p, end, e);
			if (event != WEBSOCKET_MORE)
				return event;
			continue;
		}
		event = take_header(in, *p, (size_t)(end - *p), limit, &h, e);
		if (event != WEBSOCKET_DATA)
			return event;
		if (h.opcode >= CLOSE)
			return take_control(in, p, end, &h, e);
		enter_frame(in, *p + h.size - 4, &h);
		*p += h.size;
	}
	*p = end;
	return WEBSOCKET_MORE;
}

void websocket_deflates(struct websocket_in *in)
{
	in->flags |= DEFLATES;
}

static size_t put_control(unsigned char *out, enum opcode opcode, const void *data, size_t len)
{
	out[0] = (unsigned char)(0x80 | opcode);
	out[1] = (unsigned char)len;
	if (len)
		memcpy(out + 2, data, len);
	return 2 + len;
}

size_t websocket_put_ping(unsigned char *out, const void *data, size_t len)
{
	return put_control(out, PING, data, len);
}

size_t websocket_put_pong(unsigned char *out, const void *data, size_t len)
{
	return put_control(out, PONG, data, len);
}

size_t websocket_put_close(unsigned char *out, uint16_t code, const char *reason)
{
	unsigned char payload[WEBSOCKET_CONTROL_MAX];
	size_t len = strlen(reason);

	if (code == WEBSOCKET_NO_CODE)
		return put_control(out, CLOSE, NULL, 0);
	if (len > sizeof(payload) - 2)
		for (len = sizeof(payload) - 2; len && ((unsigned char)reason[len] & 0xc0) == 0x80;)
			len--;
	payload[0] = (unsigned char)(code >> 8);
	payload[1] = (unsigned char)code;
	memcpy(payload + 2, reason, len);
	return put_control(out, CLOSE, payload, 2 + len);
}
