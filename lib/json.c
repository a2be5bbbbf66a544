/* The scanner runs over the text once, eight bytes at a time where it can, and keeps all it must
 * know of open containers in one 64-bit word (a bit each: object or array), so that neither deep
 * nor long texts cost memory. No byte outside of [text, text + len) is ever read. */
#include "json.h"

#include <endian.h>
#include <string.h>

#include "json_paths.h"
#include "utf8.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define BYTES(c) (UINT64_C(0x0101010101010101) * (c)) /* c in each byte of a word */
#define HIGH BYTES(0x80)

typedef unsigned char byte;

struct run {
	const byte *text;
	const byte *end;
	bool newline;
	enum json_status status;
	const byte *at;
};

/* Whatever was expected at the end of the text, the error there is its end. */
static const byte *fail(struct run *s, enum json_status status, const byte *at)
{
	s->status = at == s->end ? JSON_TRUNCATED : status;
	s->at = at;
	return NULL;
}

/* The eight bytes at p, the first one lowest; zeroes stand for those behind the end. A zero is
 * neither a digit nor allowed in a string, which makes the end of the text stop every loop below.
 */
static inline uint64_t load(const struct run *s, const byte *p)
{
	size_t left = (size_t)(s->end - p);
	uint64_t w = 0;

	if (LIKELY(left >= 8)) {
		memcpy(&w, p, 8);
		return le64toh(w);
	}
	if (left == 0)
		return 0;
	if (s->end - s->text >= 8) {
		memcpy(&w, s->end - 8, 8);
		return le64toh(w) >> (64 - 8 * left);
	}
	memcpy(&w, p, left);
	return le64toh(w);
}

/* The index of the lowest marked byte. */
static inline unsigned first(uint64_t marks)
{
	return (unsigned)__builtin_ctzll(marks) / 8;
}

static __attribute__((noinline)) const byte *skip_space(struct run *s, const byte *p)
{
	for (; p < s->end; p++) {
		if (*p == '\n' || *p == '\r')
			s->newline = true;
		else if (*p != ' ' && *p != '\t')
			break;
	}
	return p;
}

static inline const byte *space(struct run *s, const byte *p)
{
	if (LIKELY(p<s->end && * p> ' '))
		return p;
	return skip_space(s, p);
}

static inline bool is_hex(byte c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* p is at the backslash. */
static const byte *scan_escape(struct run *s, const byte *p)
{
	const byte *start = p++;

	if (p == s->end)
		return fail(s, JSON_TRUNCATED, p);
	switch (*p++) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p;
	case 'u':
		for (int i = 0; i < 4; i++, p++) {
			if (p == s->end)
				return fail(s, JSON_TRUNCATED, p);
			if (!is_hex(*p))
				return fail(s, JSON_BAD_ESCAPE, start);
		}
		return p;
	default:
		return fail(s, JSON_BAD_ESCAPE, start);
	}
}

/* Marks the bytes that are not plain string content: quote, backslash, control, not ASCII. Only the
 * lowest mark is exact: a borrow may mark bytes above a true one. */
static inline uint64_t string_stops(uint64_t w)
{
	uint64_t quote = w ^ BYTES('"');
	uint64_t slash = w ^ BYTES('\\');

	return ((quote - BYTES(1)) | (slash - BYTES(1)) | (w - BYTES(0x20)) | w) & HIGH;
}

/* p is at a byte that string_stops() marked. */
static __attribute__((noinline)) const byte *scan_string_rest(struct run *s, const byte *p,
							      bool *escaped)
{
	for (;;) {
		uint64_t stops;

		if (p == s->end) {
			return fail(s, JSON_TRUNCATED, p);
		} else if (*p == '"') {
			return p + 1;
		} else if (*p == '\\') {
			*escaped = true;
			p = scan_escape(s, p);
			if (!p)
				return NULL;
		} else if (*p < 0x20) {
			return fail(s, JSON_CONTROL, p);
		} else {
			while (p < s->end && *p >= 0x80) {
				size_t n = utf8_sequence(p, s->end);

				if (n == 0)
					return fail(s, JSON_BAD_UTF8, p);
				p += n;
			}
		}
		while (!(stops = string_stops(load(s, p))))
			p += 8;
		p += first(stops);
	}
}

/* p is behind the opening quote; returns what is behind the closing one. */
static inline const byte *scan_string(struct run *s, const byte *p, bool *escaped)
{
	uint64_t stops;

	*escaped = false;
	while (!(stops = string_stops(load(s, p))))
		p += 8;
	p += first(stops);
	if (LIKELY(p < s->end && *p == '"'))
		return p + 1;
	return scan_string_rest(s, p, escaped);
}

static inline const byte *skip_digits(const struct run *s, const byte *p)
{
	for (;;) {
		uint64_t w = load(s, p) ^ BYTES('0');
		uint64_t others = (((w & ~HIGH) + BYTES(0x76)) | w) & HIGH;

		if (LIKELY(others))
			return p + first(others);
		p += 8;
	}
}

static inline const byte *scan_number(struct run *s, const byte *p)
{
	const byte *q;

	p += *p == '-';
	q = skip_digits(s, p);
	if (q == p)
		return fail(s, JSON_BAD_NUMBER, q);
	if (*p == '0' && q - p > 1)
		return fail(s, JSON_BAD_NUMBER, p + 1);
	if (q < s->end && *q == '.') {
		p = q + 1;
		q = skip_digits(s, p);
		if (q == p)
			return fail(s, JSON_BAD_NUMBER, q);
	}
	if (q < s->end && (*q == 'e' || *q == 'E')) {
		p = q + 1;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		q = skip_digits(s, p);
		if (q == p)
			return fail(s, JSON_BAD_NUMBER, q);
	}
	return q;
}

static const byte *scan_literal(struct run *s, const byte *p, const char *literal)
{
	for (; *literal; literal++, p++)
		if (p == s->end || *p != (byte)*literal)
			return fail(s, JSON_SYNTAX, p);
	return p;
}

/* The wanted member of that name, or NULL. Nearly all names end at the comparison of the first
 * word. */
static inline const struct json_node *find(const struct run *s, const struct json_node *nodes,
					   const struct json_node *in, const byte *name, size_t len)
{
	uint32_t i = in->slot[json_slot(*name)];
	const struct json_node *node;
	uint64_t head;

	if (LIKELY(i == 0))
		return NULL;
	head = load(s, name);
	if (len < 8)
		head &= (UINT64_C(1) << 8 * len) - 1;
	for (; i; i = node->next) {
		node = &nodes[i];
		if (node->head == head && node->len == len &&
		    (len <= 8 || memcmp(node->name + 8, name + 8, len - 8) == 0))
			return node;
	}
	return NULL;
}

/* A name leads to paths that an object of the same name before had: the last one counts alone. */
static void forget(struct json_member *members, uint64_t paths)
{
	for (; paths; paths &= paths - 1) {
		struct json_member *m = &members[__builtin_ctzll(paths)];

		*m = (struct json_member){.repeated = true};
	}
}

static inline void begin_member(const struct json_node *node, struct json_member *members,
				uint64_t *seen, uint32_t name)
{
	if (node->below & *seen)
		forget(members, node->below & *seen);
	if (node->path >= 0) {
		uint64_t bit = UINT64_C(1) << node->path;

		members[node->path] =
		    (struct json_member){.name = name, .repeated = (*seen & bit) != 0};
		*seen |= bit;
	}
}

static inline void end_member(const struct json_node *node, struct json_member *members,
			      uint32_t end, enum json_type type, bool escaped)
{
	if (node->path >= 0) {
		members[node->path].end = end;
		members[node->path].type = (uint8_t)type;
		members[node->path].escaped = escaped;
	}
}

/* Scans the value at p, which is not white space, and returns what is behind it. */
static const byte *scan_value(struct run *s, const byte *p, const struct json_paths *paths,
			      struct json_member *members)
{
	static const struct json_node nowhere; /* at level 0, where no name is */
	const struct json_node *nodes = paths ? paths->nodes : &nowhere;
	const struct json_node *in = nodes;  /* the innermost wanted container around p */
	const struct json_node *want = NULL; /* what the value at p is wanted for */
	const byte *name;
	uint64_t kinds = 0; /* of the containers around p, innermost lowest: 1 object, 0 array */
	uint64_t seen = 0;  /* paths found so far */
	unsigned depth = 0;
	enum json_type type;
	bool escaped;

value:
	if (p == s->end)
		return fail(s, JSON_TRUNCATED, p);
	if (want && want->path >= 0)
		members[want->path].start = (uint32_t)(p - s->text);
	escaped = false;
	switch (*p) {
	case '{':
		if (depth == JSON_DEPTH_MAX)
			return fail(s, JSON_TOO_DEEP, p);
		kinds = kinds << 1 | 1;
		depth++;
		if (want)
			in = want;
		p = space(s, p + 1);
		if (p < s->end && *p == '}')
			goto close;
		goto name;
	case '[':
		if (depth == JSON_DEPTH_MAX)
			return fail(s, JSON_TOO_DEEP, p);
		kinds <<= 1;
		depth++;
		if (want)
			in = want;
		want = NULL;
		p = space(s, p + 1);
		if (p < s->end && *p == ']')
			goto close;
		goto value;
	case '"':
		p = scan_string(s, p + 1, &escaped);
		type = JSON_STRING;
		break;
	case 't':
		p = scan_literal(s, p, "true");
		type = JSON_TRUE;
		break;
	case 'f':
		p = scan_literal(s, p, "false");
		type = JSON_FALSE;
		break;
	case 'n':
		p = scan_literal(s, p, "null");
		type = JSON_NULL;
		break;
	default:
		if (*p != '-' && (*p < '0' || *p > '9'))
			return fail(s, JSON_SYNTAX, p);
		p = scan_number(s, p);
		type = JSON_NUMBER;
		break;
	}
	if (!p)
		return NULL;
	if (want)
		end_member(want, members, (uint32_t)(p - s->text), type, escaped);
	want = NULL;

after:
	if (depth == 0)
		return p;
	p = space(s, p);
	if (p == s->end)
		return fail(s, JSON_TRUNCATED, p);
	if (*p == (kinds & 1 ? '}' : ']'))
		goto close;
	if (*p != ',')
		return fail(s, JSON_SYNTAX, p);
	p = space(s, p + 1);
	if (!(kinds & 1))
		goto value;

name:
	if (p == s->end || *p != '"')
		return fail(s, JSON_SYNTAX, p);
	name = p + 1;
	p = scan_string(s, name, &escaped);
	if (!p)
		return NULL;
	want = NULL;
	if (depth == in->level) {
		size_t len = (size_t)(p - 1 - name);

		want = escaped ? json_paths_find_escaped(paths, in, name, len)
			       : find(s, nodes, in, name, len);
		if (want)
			begin_member(want, members, &seen, (uint32_t)(name - 1 - s->text));
	}
	p = space(s, p);
	if (p == s->end || *p != ':')
		return fail(s, JSON_SYNTAX, p);
	p = space(s, p + 1);
	goto value;

close:
	p++;
	if (depth == in->level) {
		type = kinds & 1 ? JSON_OBJECT : JSON_ARRAY;
		end_member(in, members, (uint32_t)(p - s->text), type, false);
		in = &nodes[in->up];
	}
	want = NULL;
	kinds >>= 1;
	depth--;
	goto after;
}

static enum json_type type_of(byte c)
{
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

enum json_status json_scan(const struct json_paths *paths, const char *text, size_t len,
			   struct json_member *members, struct json_scan *out)
{
	struct run s = {.text = (const byte *)text, .end = (const byte *)text + len};
	const byte *start, *p;

	*out = (struct json_scan){.status = JSON_OK};
	if (paths)
		memset(members, 0, paths->n * sizeof(*members));
	if (len > UINT32_MAX)
		return out->status = JSON_SYNTAX;
	start = space(&s, s.text);
	out->start = (uint32_t)(start - s.text);
	s.newline = false;
	if (start == s.end) {
		s.status = JSON_EMPTY;
		s.at = start;
		goto failed;
	}
	p = scan_value(&s, start, paths, members);
	if (!p)
		goto failed;
	out->end = (uint32_t)(p - s.text);
	out->newline = s.newline;
	out->type = type_of(*start);
	p = skip_space(&s, p);
	if (p < s.end) {
		fail(&s, JSON_TRAILING, p);
		goto failed;
	}
	goto done;

failed:
	out->status = s.status;
	out->at = (uint32_t)(s.at - s.text);
done:
	if (paths && paths->aliases)
		json_paths_copy_aliases(paths, members);
	return out->status;
}

const char *json_strerror(enum json_status status)
{
	switch (status) {
	case JSON_OK:
		return "valid";
	case JSON_EMPTY:
		return "empty text";
	case JSON_TRUNCATED:
		return "unexpected end of text";
	case JSON_SYNTAX:
		return "unexpected byte";
	case JSON_BAD_NUMBER:
		return "malformed number";
	case JSON_BAD_ESCAPE:
		return "malformed escape";
	case JSON_BAD_UTF8:
		return "malformed UTF-8";
	case JSON_CONTROL:
		return "unescaped control character";
	case JSON_TOO_DEEP:
		return "nested too deep";
	case JSON_TRAILING:
		return "trailing bytes behind the value";
	}
	return "unknown error";
}
