/* RFC 8259 and RFC 3629 once more, slow and obvious, as an oracle for the scanner: one function per
 * rule of the grammar, each returning what is behind what it matched, or NULL. */
#ifndef HUB_TEST_JSON_REFERENCE_H
#define HUB_TEST_JSON_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef const unsigned char *ref_at;

static inline ref_at ref_value(ref_at p, ref_at end, int depth);

static inline ref_at ref_byte(ref_at p, ref_at end, char c)
{
	return p && p < end && *p == (unsigned char)c ? p + 1 : NULL;
}

static inline ref_at ref_range(ref_at p, ref_at end, int low, int high)
{
	return p && p < end && *p >= low && *p <= high ? p + 1 : NULL;
}

static inline ref_at ref_space(ref_at p, ref_at end)
{
	while (p && p < end && memchr(" \t\r\n", *p, 4))
		p++;
	return p;
}

static inline ref_at ref_literal(ref_at p, ref_at end, const char *literal)
{
	for (; *literal; literal++)
		p = ref_byte(p, end, *literal);
	return p;
}

static inline ref_at ref_digits(ref_at p, ref_at end)
{
	ref_at q = ref_range(p, end, '0', '9');

	while (ref_range(q, end, '0', '9'))
		q++;
	return q;
}

static inline ref_at ref_number(ref_at p, ref_at end)
{
	if (ref_byte(p, end, '-'))
		p++;
	p = ref_byte(p, end, '0') ? p + 1 : ref_digits(p, end);
	if (ref_byte(p, end, '.'))
		p = ref_digits(p + 1, end);
	if (ref_byte(p, end, 'e') || ref_byte(p, end, 'E')) {
		p++;
		if (ref_byte(p, end, '+') || ref_byte(p, end, '-'))
			p++;
		p = ref_digits(p, end);
	}
	return p;
}

static inline ref_at ref_tail(ref_at p, ref_at end)
{
	return ref_range(p, end, 0x80, 0xbf);
}

/* The table of RFC 3629 section 4, row by row. */
static inline ref_at ref_utf8(ref_at p, ref_at end)
{
	ref_at q;

	if ((q = ref_range(p, end, 0xc2, 0xdf)))
		return ref_tail(q, end);
	if ((q = ref_byte(p, end, '\xe0')))
		return ref_tail(ref_range(q, end, 0xa0, 0xbf), end);
	if ((q = ref_range(p, end, 0xe1, 0xec)))
		return ref_tail(ref_tail(q, end), end);
	if ((q = ref_byte(p, end, '\xed')))
		return ref_tail(ref_range(q, end, 0x80, 0x9f), end);
	if ((q = ref_range(p, end, 0xee, 0xef)))
		return ref_tail(ref_tail(q, end), end);
	if ((q = ref_byte(p, end, '\xf0')))
		return ref_tail(ref_tail(ref_range(q, end, 0x90, 0xbf), end), end);
	if ((q = ref_range(p, end, 0xf1, 0xf3)))
		return ref_tail(ref_tail(ref_tail(q, end), end), end);
	if ((q = ref_byte(p, end, '\xf4')))
		return ref_tail(ref_tail(ref_range(q, end, 0x80, 0x8f), end), end);
	return NULL;
}

static inline ref_at ref_hex(ref_at p, ref_at end)
{
	return p && p < end && *p && strchr("0123456789abcdefABCDEF", *p) ? p + 1 : NULL;
}

static inline ref_at ref_char(ref_at p, ref_at end)
{
	ref_at q = ref_byte(p, end, '\\');

	if (q && ref_byte(q, end, 'u'))
		return ref_hex(ref_hex(ref_hex(ref_hex(q + 1, end), end), end), end);
	if (q)
		return q < end && *q && strchr("\"\\/bfnrt", *q) ? q + 1 : NULL;
	if (ref_range(p, end, 0x20, 0x7f))
		return p + 1;
	return ref_utf8(p, end);
}

static inline ref_at ref_string(ref_at p, ref_at end)
{
	p = ref_byte(p, end, '"');
	while (p && p < end && *p != '"')
		p = ref_char(p, end);
	return ref_byte(p, end, '"');
}

static inline ref_at ref_member(ref_at p, ref_at end, int depth)
{
	p = ref_space(ref_string(p, end), end);
	return ref_value(ref_space(ref_byte(p, end, ':'), end), end, depth);
}

static inline ref_at ref_container(ref_at p, ref_at end, int depth, bool object)
{
	char close = object ? '}' : ']';

	if (depth == 0)
		return NULL;
	p = ref_space(p + 1, end);
	if (ref_byte(p, end, close))
		return p + 1;
	for (;;) {
		p = object ? ref_member(p, end, depth - 1) : ref_value(p, end, depth - 1);
		p = ref_space(p, end);
		if (!ref_byte(p, end, ','))
			return ref_byte(p, end, close);
		p = ref_space(p + 1, end);
	}
}

/* depth: how many containers may still be within each other. */
static inline ref_at ref_value(ref_at p, ref_at end, int depth)
{
	if (!p || p == end)
		return NULL;
	switch (*p) {
	case '{':
		return ref_container(p, end, depth, true);
	case '[':
		return ref_container(p, end, depth, false);
	case '"':
		return ref_string(p, end);
	case 't':
		return ref_literal(p, end, "true");
	case 'f':
		return ref_literal(p, end, "false");
	case 'n':
		return ref_literal(p, end, "null");
	default:
		return ref_number(p, end);
	}
}

static inline bool ref_valid(const char *text, size_t len, int depth)
{
	ref_at p = (ref_at)text, end = p + len;

	return ref_space(ref_value(ref_space(p, end), end, depth), end) == end;
}

#endif
