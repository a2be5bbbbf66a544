/* Escapes in strings that the scanner accepted: turning them into text, and comparing names that
 * have them. The input is known to be well-formed, so nothing here looks for malformed escapes. */
#include <errno.h>
#include <string.h>

#include "json/json_paths.h"

typedef unsigned char byte;

static inline unsigned hex4(const byte *p)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++)
		n = n << 4 | (p[i] <= '9' ? p[i] - 0x30u : (p[i] | 0x20u) - 'a' + 10u);
	return n;
}

/* Decodes the escape at *p, known to be well-formed, and moves *p behind it. Returns the bytes put
 * in out, or -EILSEQ for a surrogate without its other half. */
static int decode_escape(const byte **p, const byte *end, byte out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const byte *q = *p;
	unsigned c;

	if (q[1] != 'u') {
		out[0] = (byte)to[strchr(from, q[1]) - from];
		*p += 2;
		return 1;
	}
	c = hex4(q + 2);
	*p += 6;
	if (c < 0x80) {
		out[0] = (byte)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (byte)(0xc0 | c >> 6);
		out[1] = (byte)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0xd800 || c > 0xdfff) {
		out[0] = (byte)(0xe0 | c >> 12);
		out[1] = (byte)(0x80 | (c >> 6 & 0x3f));
		out[2] = (byte)(0x80 | (c & 0x3f));
		return 3;
	}
	q += 6;
	if (c > 0xdbff || end - q < 6 || q[0] != '\\' || q[1] != 'u' || hex4(q + 2) < 0xdc00 ||
	    hex4(q + 2) > 0xdfff)
		return -EILSEQ;
	c = 0x10000 + ((c - 0xd800) << 10) + (hex4(q + 2) - 0xdc00);
	*p += 6;
	out[0] = (byte)(0xf0 | c >> 18);
	out[1] = (byte)(0x80 | (c >> 12 & 0x3f));
	out[2] = (byte)(0x80 | (c >> 6 & 0x3f));
	out[3] = (byte)(0x80 | (c & 0x3f));
	return 4;
}

int json_unescape(const char *text, size_t len, char *out, size_t cap)
{
	const byte *p = (const byte *)text, *end = p + len;
	size_t n = 0;

	if (cap > INT32_MAX)
		cap = INT32_MAX;
	while (p < end) {
		const byte *slash = memchr(p, '\\', (size_t)(end - p));
		size_t plain = (size_t)((slash ? slash : end) - p);
		byte decoded[4];
		int r;

		if (plain > cap - n)
			return -ENOSPC;
		memcpy(out + n, p, plain);
		n += plain;
		if (!slash)
			break;
		p = slash;
		r = decode_escape(&p, end, decoded);
		if (r < 0)
			return r;
		if ((size_t)r > cap - n)
			return -ENOSPC;
		memcpy(out + n, decoded, (size_t)r);
		n += (size_t)r;
	}
	return (int)n;
}

static bool escaped_name_equals(const byte *p, const byte *end, const struct json_node *node)
{
	size_t n = 0;

	while (p < end) {
		byte decoded[4] = {*p};
		int r = 1;

		if (*p != '\\')
			p++;
		else
			r = decode_escape(&p, end, decoded);
		if (r < 0 || (size_t)r > node->len - n ||
		    memcmp(node->name + n, decoded, (size_t)r) != 0)
			return false;
		n += (size_t)r;
	}
	return n == node->len;
}

const struct json_node *json_paths_find_escaped(const struct json_paths *paths,
						const struct json_node *in,
						const unsigned char *name, size_t len)
{
	const byte *p = name;
	byte decoded[4] = {*name};
	const struct json_node *node;
	uint32_t i;

	if (*name == '\\' && decode_escape(&p, name + len, decoded) < 0)
		return NULL;
	for (i = in->slot[json_slot(decoded[0])]; i; i = node->next) {
		node = &paths->nodes[i];
		if (escaped_name_equals(name, name + len, node))
			return node;
	}
	return NULL;
}
