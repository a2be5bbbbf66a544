/* The parts of wsio.h that are not on the fast path: cut, long and broken up messages, control
 * frames, lines, and frames out. */
#include "net/wsio.h"

#include <stdlib.h>
#include <string.h>

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

struct wsio_pieces {
	size_t len, cap;
	bool deflated;
	bool given; /* the next call gives it back */
	char data[];
};

static bool hold(struct wsio *w, const char *p, size_t n)
{
	size_t need = w->held_len + n;

	if (need > w->held_cap) {
		size_t cap = need < 128 ? 128 : need + need / 4;
		char *held = cap > UINT32_MAX ? NULL : realloc(w->held, cap);

		if (!held)
			return false;
		w->held = held;
		w->held_cap = (uint32_t)cap;
	}
	memcpy(w->held + w->held_len, p, n);
	w->held_len = (uint32_t)need;
	return true;
}

bool wsio_feed(struct wsio *w, char *p, size_t n, size_t room)
{
	if (w->held_len > room) {
		if (!hold(w, p, n))
			return false;
		w->p = w->held;
		w->end = w->held + w->held_len;
		return true;
	}
	if (w->held_len) {
		memcpy(p - w->held_len, w->held, w->held_len);
		p -= w->held_len;
		n += w->held_len;
		w->held_len = 0;
	}
	w->p = p;
	w->end = p + n;
	return true;
}

bool wsio_rest(struct wsio *w)
{
	size_t left = (size_t)(w->end - w->p);
	bool ok = true;

	if (w->held_len) {
		memmove(w->held, w->p, left);
		w->held_len = (uint32_t)left;
	} else if (left) {
		ok = hold(w, w->p, left);
	}
	if (!w->held_len) {
		free(w->held);
		w->held = NULL;
		w->held_cap = 0;
	}
	w->p = w->end = NULL;
	return ok;
}

static enum wsio_got next_line(struct wsio *w, struct wsio_message *m)
{
	size_t have = (size_t)(w->end - w->p);
	const char *feed = have ? memchr(w->p, '\n', have) : NULL;

	if (!feed)
		return have > WSIO_MESSAGE_MAX ? WSIO_BAD : WSIO_MORE;
	m->p = w->p;
	m->len = (size_t)(feed - w->p);
	m->deflated = false;
	w->p = feed + 1;
	return WSIO_MESSAGE;
}

/* One frame of a message that has more; m->deflated: of the first of them. */
static enum wsio_got add_piece(struct wsio *w, const char *p, size_t len, bool final,
			       struct wsio_message *m)
{
	struct wsio_pieces *s = w->pieces;
	size_t need = (s ? s->len : 0) + len;

	if (need > WSIO_MESSAGE_MAX)
		return WSIO_BAD;
	if (!s || need > s->cap) {
		size_t cap = need + need / 2 + 64;

		s = realloc(s, sizeof(*s) + cap);
		if (!s)
			return WSIO_BAD;
		if (!w->pieces) {
			s->len = 0;
			s->deflated = m->deflated;
		}
		s->given = false;
		s->cap = cap;
		w->pieces = s;
	}
	memcpy(s->data + s->len, p, len);
	s->len += len;
	if (!final)
		return WSIO_MORE;
	s->given = true;
	m->p = s->data;
	m->len = s->len;
	m->deflated = s->deflated;
	return WSIO_MESSAGE;
}

/* The frame at w->p, when it is here as a whole: takes it and returns true. *bad: it is none. */
static bool take_frame(struct wsio *w, unsigned char *first, struct wsio_message *m, bool *bad)
{
	const unsigned char *p = (const unsigned char *)w->p;
	size_t have = (size_t)(w->end - w->p), head;
	uint64_t len = 0;

	if (have < 2)
		return false;
	/* But for what was agreed on nothing is reserved, and servers do not mask (sections 5.1 and
	 * 5.2). */
	*bad = p[0] & (w->deflates ? 0x30 : 0x70) || p[1] & 0x80;
	head = p[1] == 127 ? 10 : p[1] == 126 ? 4 : 2;
	if (*bad || have < head)
		return false;
	if (head == 2)
		len = p[1];
	for (size_t i = 2; i < head; i++)
		len = len << 8 | p[i];
	*bad = len > WSIO_MESSAGE_MAX || (p[0] & 8 && (len > 125 || !(p[0] & 0x80)));
	if (*bad || have - head < len)
		return false;
	*first = p[0];
	m->p = w->p + head;
	m->len = (size_t)len;
	w->p += head + len;
	return true;
}

static void drop_given(struct wsio *w)
{
	if (w->pieces && w->pieces->given) {
		free(w->pieces);
		w->pieces = NULL;
	}
}

enum wsio_got wsio_next_odd(struct wsio *w, struct wsio_message *m)
{
	unsigned char first;
	bool bad = false;

	if (w->lines)
		return next_line(w, m);
	drop_given(w);
	while (take_frame(w, &first, m, &bad)) {
		bool final = first & 0x80;
		enum wsio_got got;

		m->deflated = first & 0x40;
		if (m->deflated && (first & 15) != TEXT && (first & 15) != BINARY)
			return WSIO_BAD;

		switch (first & 15) {
		case CLOSE:
			return WSIO_CLOSE;
		case PING:
			return WSIO_PING;
		case PONG:
			return WSIO_PONG;
		case CONTINUATION:
			if (!w->pieces)
				return WSIO_BAD;
			break;
		case TEXT:
		case BINARY:
			if (w->pieces)
				return WSIO_BAD;
			if (final)
				return WSIO_MESSAGE;
			break;
		default:
			return WSIO_BAD;
		}
		got = add_piece(w, m->p, m->len, final, m);
		if (got != WSIO_MORE)
			return got;
	}
	return bad ? WSIO_BAD : WSIO_MORE;
}

void wsio_reset(struct wsio *w)
{
	bool lines = w->lines, deflates = w->deflates;

	free(w->held);
	free(w->pieces);
	memset(w, 0, sizeof(*w));
	w->lines = lines;
	w->deflates = deflates;
}

size_t wsio_header(unsigned char *out, unsigned opcode, size_t len, uint32_t mask)
{
	size_t n = 2;

	out[0] = (unsigned char)(0x80 | opcode);
	if (len < 126) {
		out[1] = (unsigned char)(0x80 | len);
	} else {
		int bytes = len < 65536 ? 2 : 8;

		out[1] = bytes == 2 ? 0x80 | 126 : 0x80 | 127;
		while (bytes--)
			out[n++] = (unsigned char)((uint64_t)len >> (8 * bytes));
	}
	memcpy(out + n, &mask, 4);
	return n + 4;
}

void wsio_mask(unsigned char *p, size_t len, uint32_t mask)
{
	uint64_t wide = (uint64_t)mask << 32 | mask, word;
	unsigned char key[4];
	size_t i = 0;

	memcpy(key, &mask, 4);
	for (; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, 8);
		word ^= wide;
		memcpy(p + i, &word, 8);
	}
	for (; i < len; i++)
		p[i] ^= key[i & 3];
}
