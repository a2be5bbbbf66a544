/* Invariant: what is read is inside of what there is, and a number of elements is never believed
 * beyond the bytes that are left. */
#include "bus/msgpack.h"

#include <string.h>

static bool take(struct span *s, size_t n, struct span *bytes)
{
	if (n > s->len)
		return false;
	*bytes = (struct span){s->p, n};
	s->p += n;
	s->len -= n;
	return true;
}

bool msgpack_take_number(struct span *s, size_t bytes, uint64_t *n)
{
	struct span b;

	*n = 0;
	if (!take(s, bytes, &b))
		return false;
	for (size_t i = 0; i < bytes; i++)
		*n = *n << 8 | (unsigned char)b.p[i];
	return true;
}

static bool take_bytes(struct span *s, struct msgpack *v, enum msgpack_kind kind, uint64_t n)
{
	v->kind = kind;
	return n <= s->len && take(s, (size_t)n, &v->bytes);
}

static bool take_ext(struct span *s, struct msgpack *v, uint64_t n)
{
	uint64_t type;

	if (!msgpack_take_number(s, 1, &type))
		return false;
	v->ext = (int8_t)(unsigned char)type;
	return take_bytes(s, v, MSGPACK_EXTENSION, n);
}

static bool take_list(const struct span *s, struct msgpack *v, enum msgpack_kind kind, uint64_t n)
{
	v->kind = kind;
	v->n = n;
	return (kind == MSGPACK_MAP ? 2 * n : n) <= s->len;
}

static bool take_float(struct span *s, struct msgpack *v, size_t bytes)
{
	uint32_t half;
	float f;

	v->kind = MSGPACK_FLOAT;
	if (!msgpack_take_number(s, bytes, &v->n))
		return false;
	half = (uint32_t)v->n;
	memcpy(&f, &half, sizeof(f));
	memcpy(&v->d, &v->n, sizeof(v->d));
	if (bytes == 4)
		v->d = (double)f;
	return true;
}

static bool take_integer(struct span *s, struct msgpack *v, size_t bytes)
{
	v->kind = MSGPACK_INTEGER;
	if (!msgpack_take_number(s, bytes, &v->n))
		return false;
	if (bytes < 8 && v->n >> (8 * bytes - 1))
		v->n |= UINT64_MAX << 8 * bytes;
	return true;
}

/* What has its length, or its number, in front: of 1, 2 or 4 bytes. */
static bool take_long(struct span *s, struct msgpack *v, enum msgpack_kind kind, size_t bytes)
{
	uint64_t n;

	if (!msgpack_take_number(s, bytes, &n))
		return false;
	return kind == MSGPACK_EXTENSION		      ? take_ext(s, v, n)
	       : kind == MSGPACK_ARRAY || kind == MSGPACK_MAP ? take_list(s, v, kind, n)
							      : take_bytes(s, v, kind, n);
}

/* Those from 0xc0 to 0xdf. */
static bool take_other(struct span *s, struct msgpack *v, unsigned c)
{
	switch (c) {
	case 0xc0:
		v->kind = MSGPACK_NIL;
		return true;
	case 0xc2:
	case 0xc3:
		v->kind = c == 0xc3 ? MSGPACK_TRUE : MSGPACK_FALSE;
		return true;
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return take_long(s, v, MSGPACK_BINARY, (size_t)1 << (c - 0xc4));
	case 0xc7:
	case 0xc8:
	case 0xc9:
		return take_long(s, v, MSGPACK_EXTENSION, (size_t)1 << (c - 0xc7));
	case 0xca:
	case 0xcb:
		return take_float(s, v, c == 0xca ? 4 : 8);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		v->kind = MSGPACK_NATURAL;
		return msgpack_take_number(s, (size_t)1 << (c - 0xcc), &v->n);
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return take_integer(s, v, (size_t)1 << (c - 0xd0));
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return take_ext(s, v, (uint64_t)1 << (c - 0xd4));
	case 0xd9:
	case 0xda:
	case 0xdb:
		return take_long(s, v, MSGPACK_STRING, (size_t)1 << (c - 0xd9));
	case 0xdc:
	case 0xdd:
		return take_long(s, v, MSGPACK_ARRAY, c == 0xdc ? 2 : 4);
	case 0xde:
	case 0xdf:
		return take_long(s, v, MSGPACK_MAP, c == 0xde ? 2 : 4);
	default:
		return false;
	}
}

bool msgpack_take(struct span *s, struct msgpack *v)
{
	uint64_t c;

	*v = (struct msgpack){.kind = MSGPACK_NIL};
	if (!msgpack_take_number(s, 1, &c))
		return false;
	if (c < 0x80 || c >= 0xe0) {
		v->kind = MSGPACK_INTEGER;
		v->n = c < 0x80 ? c : c | UINT64_MAX << 8;
		return true;
	}
	if (c < 0x90)
		return take_list(s, v, MSGPACK_MAP, c & 0x0f);
	if (c < 0xa0)
		return take_list(s, v, MSGPACK_ARRAY, c & 0x0f);
	if (c < 0xc0)
		return take_bytes(s, v, MSGPACK_STRING, c & 0x1f);
	return take_other(s, v, (unsigned)c);
}

bool msgpack_take_whole(struct span *s, struct span *all)
{
	struct msgpack v;
	uint64_t left = 1;

	*all = *s;
	for (; left; left--) {
		if (!msgpack_take(s, &v))
			return false;
		if (v.kind == MSGPACK_ARRAY || v.kind == MSGPACK_MAP)
			left += v.kind == MSGPACK_MAP ? 2 * v.n : v.n;
	}
	all->len = (size_t)(s->p - all->p);
	return true;
}
