/* The scanner runs over the text once, eight bytes at a time where it can, and keeps all it must
 * know of open containers in one 64-bit word (a bit each: object or array), so that neither deep
 * nor long texts cost memory. No byte outside of [text, text + len) is ever read. */
#include "json/json.h"

#include <string.h>

#include "base/utf8.h"
#include "json/json_paths.h"
#include "json/json_words.h"

struct run {
	const byte *text;
	const byte *end;
	const byte *limit; /* the last place from which eight bytes can be read */
	bool newline;	   /* seen outside of strings */
	bool escaped;	   /* seen by scan_string_rest() */
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

/* A zero is neither a digit nor allowed in a string: it stops every loop at the end of the text. */
static inline uint64_t load(const struct run *s, const byte *p)
{
	return word_load(p, s->limit);
}

/* The byte at p; a zero, which is no token's, at the end. A text is closed that ends with a brace
 * or a bracket: no token but that one reaches its end, so that the byte behind any other is there.
 */
static inline byte peek(const struct run *s, const byte *p, bool closed)
{
	return closed || p < s->end ? *p : 0;
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

/* Moves *p to the next byte that is not white space, and returns it. */
static inline byte next(struct run *s, const byte **p, bool closed)
{
	byte c = peek(s, *p, closed);

	if (LIKELY(c > ' '))
		return c;
	*p = skip_space(s, *p);
	return peek(s, *p, false);
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

/* p is at a byte that string_stops() marked. */
static __attribute__((noinline)) const byte *scan_string_rest(struct run *s, const byte *p)
{
	s->escaped = false;
	for (;;) {
		uint64_t stops;

		if (p == s->end) {
			return fail(s, JSON_TRUNCATED, p);
		} else if (*p == '"') {
			return p + 1;
		} else if (*p == '\\') {
			s->escaped = true;
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
#ifdef __SSE2__
	while (LIKELY(s->end - p >= 16)) {
		unsigned stops16 = string_stops16(p);

		if (LIKELY(stops16)) {
			p += (unsigned)__builtin_ctz(stops16);
			if (LIKELY(*p == '"'))
				return p + 1;
			goto rest;
		}
		p += 16;
	}
#endif
	while (!(stops = string_stops(load(s, p))))
		p += 8;
	p += first(stops);
	if (LIKELY(p < s->end && *p == '"'))
		return p + 1;
#ifdef __SSE2__
rest:
#endif
	p = scan_string_rest(s, p);
	*escaped = s->escaped;
	return p;
}

static __attribute__((noinline)) const byte *skip_digits(const struct run *s, const byte *p)
{
	uint64_t others;

	while (!(others = not_digits(load(s, p))))
		p += 8;
	return p + first(others);
}

/* p is behind the e. */
static __attribute__((noinline)) const byte *scan_exponent(struct run *s, const byte *p)
{
	const byte *digits = p + (p < s->end && (*p == '+' || *p == '-'));

	p = skip_digits(s, digits);
	return p > digits ? p : fail(s, JSON_BAD_NUMBER, p);
}

/* p is behind the minus sign. Most numbers are short, so that one load sees their digits before and
 * behind the point. */
static inline __attribute__((always_inline)) const byte *scan_number(struct run *s, const byte *p,
								     bool closed)
{
	uint64_t w = load(s, p), others = not_digits(w);
	const byte *q = LIKELY(others) ? p + first(others) : skip_digits(s, p + 8);
	byte c;

	if (q == p)
		return fail(s, JSON_BAD_NUMBER, q);
	if ((byte)w == '0' && q > p + 1)
		return fail(s, JSON_BAD_NUMBER, p + 1);
	c = peek(s, q, closed);
	if (c == '.') {
		const byte *digits = q + 1;

		others &= others - 1;
		q = LIKELY(others) ? p + first(others) : skip_digits(s, digits);
		if (q == digits)
			return fail(s, JSON_BAD_NUMBER, q);
		c = peek(s, q, closed);
	}
	if ((c | 0x20) == 'e')
		return scan_exponent(s, q + 1);
	return q;
}

/* Says where the literal goes wrong. */
static const byte *bad_literal(struct run *s, const byte *p, const char *literal)
{
	while (p < s->end && *p == (byte)*literal) {
		p++;
		literal++;
	}
	return fail(s, JSON_SYNTAX, p);
}

static inline const byte *scan_literal(struct run *s, const byte *p, enum json_type *type)
{
	uint64_t w = load(s, p);

	switch ((byte)w) {
	case 't':
		*type = JSON_TRUE;
		return (w & UINT32_MAX) == WORD4('t', 'r', 'u', 'e') ? p + 4
								     : bad_literal(s, p, "true");
	case 'n':
		*type = JSON_NULL;
		return (w & UINT32_MAX) == WORD4('n', 'u', 'l', 'l') ? p + 4
								     : bad_literal(s, p, "null");
	case 'f':
		*type = JSON_FALSE;
		return (w & 0xffffffffff) == WORD5('f', 'a', 'l', 's', 'e')
			   ? p + 5
			   : bad_literal(s, p, "false");
	default:
		return fail(s, JSON_SYNTAX, p);
	}
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

static inline void place_member(const struct json_node *node, struct json_member *members,
				uint32_t start)
{
	if (node->path >= 0)
		members[node->path].start = start;
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

/* Scans the value at p, which is not white space, and returns what is behind it. One function, for
 * its state to stay in registers; labels are the states of the grammar. */
static inline __attribute__((always_inline)) const byte *scan_value(struct run *s, const byte *p,
								    const struct json_paths *paths,
								    struct json_member *members,
								    bool closed)
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
	bool escaped = false;
	byte c = *p;

value: /* c is the byte at p, or 0 at the end */
	if (want)
		place_member(want, members, (uint32_t)(p - s->text));
	if (c == '"') {
		p = scan_string(s, p + 1, &escaped);
		type = JSON_STRING;
	} else if ((byte)(c - '0') < 10 || c == '-') {
		p = scan_number(s, p + (c == '-'), closed);
		type = JSON_NUMBER;
	} else if (c == '{' || c == '[') {
		if (depth++ == JSON_DEPTH_MAX)
			return fail(s, JSON_TOO_DEEP, p);
		kinds = kinds << 1 | (c == '{');
		if (want)
			in = want;
		want = NULL;
		p++;
		if (c == '{') {
			c = next(s, &p, closed);
			if (c == '}')
				goto close;
			goto name;
		}
		c = next(s, &p, closed);
		if (c == ']')
			goto close;
		goto value;
	} else {
		p = scan_literal(s, p, &type);
	}
	if (!p)
		return NULL;
	if (want)
		end_member(want, members, (uint32_t)(p - s->text), type, escaped);
	want = NULL;
	if (depth == 0)
		return p;

after: /* in a container, behind a value */
	c = next(s, &p, closed);
	if (c != ',') {
		if (c == (kinds & 1 ? '}' : ']'))
			goto close;
		return fail(s, JSON_SYNTAX, p);
	}
	p++;
	c = next(s, &p, closed);
	if (!(kinds & 1))
		goto value;

name:
	if (c != '"')
		return fail(s, JSON_SYNTAX, p);
	name = p + 1;
	p = scan_string(s, name, &escaped);
	if (!p)
		return NULL;
	if (depth == in->level) {
		size_t len = (size_t)(p - 1 - name);

		want = escaped ? json_paths_find_escaped(paths, in, name, len)
			       : find(s, nodes, in, name, len);
		if (want)
			begin_member(want, members, &seen, (uint32_t)(name - 1 - s->text));
	}
	escaped = false;
	c = next(s, &p, closed);
	if (c != ':')
		return fail(s, JSON_SYNTAX, p);
	p++;
	c = next(s, &p, closed);
	goto value;

close:
	p++;
	if (depth == in->level) {
		type = kinds & 1 ? JSON_OBJECT : JSON_ARRAY;
		end_member(in, members, (uint32_t)(p - s->text), type, false);
		in = &nodes[in->up];
	}
	kinds >>= 1;
	if (--depth == 0)
		return p;
	if (p == s->end)
		return fail(s, JSON_TRUNCATED, p);
	goto after;
}

enum json_type json_type_of(char c)
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

static bool is_space(byte c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

enum json_status json_scan(const struct json_paths *paths, const char *text, size_t len,
			   struct json_member *members, struct json_scan *out)
{
	struct run s = {.text = (const byte *)text};
	const byte *start, *p;
	byte small[8] = {0}; /* so that load() finds eight bytes before the end */

	*out = (struct json_scan){.status = JSON_OK};
	if (paths && paths->n)
		memset(members, 0, paths->n * sizeof(*members));
	if (len > UINT32_MAX)
		return out->status = JSON_SYNTAX;
	s.end = s.text + len;
	while (s.end > s.text && is_space(s.end[-1]))
		s.end--;
	len = (size_t)(s.end - s.text);
	if (len < sizeof(small)) {
		memcpy(small + sizeof(small) - len, text, len);
		s.end = small + sizeof(small);
		s.text = s.end - len;
	}
	for (start = s.text; start < s.end && is_space(*start); start++)
		;
	out->start = (uint32_t)(start - s.text);
	if (start == s.end) {
		s.status = JSON_EMPTY;
		s.at = start;
		goto failed;
	}
	s.limit = s.end - 8;
	if (s.end[-1] == '}' || s.end[-1] == ']')
		p = scan_value(&s, start, paths, members, true);
	else
		p = scan_value(&s, start, paths, members, false);
	if (!p)
		goto failed;
	out->end = (uint32_t)(p - s.text);
	out->newline = s.newline;
	out->type = json_type_of((char)*start);
	if (p < s.end) {
		fail(&s, JSON_TRAILING, skip_space(&s, p));
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
