/* The body of a request. Invariant: a chunk counts only once its whole line, with both bytes of the
 * line's end, was seen. */
#include "wire/http1_body.h"

enum state {
	LENGTH,	   /* payload of a body that has a Content-Length */
	SIZE,	   /* a chunk's size: 1*HEXDIG */
	BLANK,	   /* white space that only a ";" may follow (RFC 9112 section 7.1.1) */
	EXTENSION, /* from ";" to the end of the line */
	SIZE_LF,   /* the line feed behind a size */
	CHUNK,	   /* payload */
	CHUNK_CR,
	CHUNK_LF,
	TRAILER, /* the start of a trailer line, or of the empty line (RFC 9112 section 7.1.2) */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	DONE,
	REFUSED,
};

void http1_body_start(struct http1_body *b, const struct http1_head *head)
{
	*b = (struct http1_body){.left = head->content_length, .state = LENGTH};
	if (head->chunked)
		b->state = SIZE;
	else if (b->left == 0)
		b->state = DONE;
}

static void refuse(struct http1_body *b, int status, const char *why)
{
	b->status = status;
	b->why = why;
	b->state = REFUSED;
}

static void expect(struct http1_body *b, char got, char want, enum state next)
{
	if (got == want)
		b->state = (uint8_t)next;
	else
		refuse(b, 400, "half a line end in the body");
}

static bool in_line(char c)
{
	return ((unsigned char)c >= 0x20 && c != 0x7f) || c == '\t';
}

static void take_size(struct http1_body *b, char c)
{
	int digit = http1_hex(c);

	if (digit >= 0) {
		if (b->digits++ == 16 || b->left >> 59)
			refuse(b, 400, "a chunk size that is too large");
		b->left = b->left << 4 | (uint64_t)digit;
	} else if (b->digits == 0) {
		refuse(b, 400, "a chunk size that is none");
	} else if (c == '\r') {
		b->state = SIZE_LF;
	} else if (c == ';') {
		b->state = EXTENSION;
	} else if (http1_blank(c)) {
		b->state = BLANK;
	} else {
		refuse(b, 400, "a chunk size that is none");
	}
}

static void take_extension(struct http1_body *b, char c)
{
	if (++b->ignored > HTTP1_EXTENSIONS_MAX)
		refuse(b, 400, "chunk extensions that are too long");
	else if (c == '\r' && b->state == EXTENSION)
		b->state = SIZE_LF;
	else if (c == ';')
		b->state = EXTENSION;
	else if (b->state == BLANK ? !http1_blank(c) : !in_line(c))
		refuse(b, 400, "a chunk extension that is none");
}

static void end_size(struct http1_body *b, char c)
{
	expect(b, c, '\n', b->left ? CHUNK : TRAILER);
	b->digits = 0;
	if (b->state == TRAILER)
		b->ignored = 0;
}

/* As field lines are (RFC 9112 section 5). */
static void take_trailer(struct http1_body *b, char c)
{
	if (++b->ignored > HTTP1_TRAILERS_MAX) {
		refuse(b, 431, "trailers that are too large");
	} else if (b->state == TRAILER_VALUE) {
		if (c == '\r')
			b->state = TRAILER_LF;
		else if (!in_line(c))
			refuse(b, 400, "a control character in a trailer");
	} else if (b->state == TRAILER && c == '\r') {
		b->state = LAST_LF;
	} else if (b->state == TRAILER_NAME && c == ':') {
		b->state = TRAILER_VALUE;
	} else if (http1_class[(unsigned char)c] & HTTP1_TOKEN) {
		b->state = TRAILER_NAME;
	} else {
		refuse(b, 400, "a trailer that is none");
	}
}

static void take_byte(struct http1_body *b, char c)
{
	switch ((enum state)b->state) {
	case SIZE:
		take_size(b, c);
		break;
	case BLANK:
	case EXTENSION:
		take_extension(b, c);
		break;
	case SIZE_LF:
		end_size(b, c);
		break;
	case CHUNK_CR:
		expect(b, c, '\r', CHUNK_LF);
		break;
	case CHUNK_LF:
		expect(b, c, '\n', SIZE);
		break;
	case TRAILER:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		take_trailer(b, c);
		break;
	case TRAILER_LF:
		expect(b, c, '\n', TRAILER);
		break;
	case LAST_LF:
		expect(b, c, '\n', DONE);
		break;
	case LENGTH:
	case CHUNK:
	case DONE:
	case REFUSED:
		break;
	}
}

/* What is there of the payload that is due. */
static void take_payload(struct http1_body *b, const char **p, const char *end,
			 struct http1_span *piece)
{
	size_t n = (size_t)(end - *p);

	if (n > b->left)
		n = (size_t)b->left;
	*piece = (struct http1_span){*p, n};
	*p += n;
	b->left -= n;
	if (b->left == 0)
		b->state = b->state == LENGTH ? DONE : CHUNK_CR;
}

enum http1_got http1_body_read(struct http1_body *b, const char **p, const char *end,
			       struct http1_span *piece)
{
	while (b->state < DONE && *p < end) {
		if (b->state == LENGTH || b->state == CHUNK) {
			take_payload(b, p, end, piece);
			return HTTP1_PIECE;
		}
		take_byte(b, *(*p)++);
	}
	return b->state == DONE ? HTTP1_DONE : b->state == REFUSED ? HTTP1_REFUSED : HTTP1_MORE;
}
