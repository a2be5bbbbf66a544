#include "rules/value.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

struct writer {
	struct buf *b;
	size_t max;
};

static int put(struct writer *w, jv v, unsigned depth);

static int put_string(struct writer *w, jv s)
{
	return buf_put_json(w->b, jv_string_value(s), (size_t)jv_string_length_bytes(jv_copy(s)));
}

static int put_number(struct writer *w, jv v)
{
	double d = jv_number_value(v);
	jv text;
	int r;

	if (d >= 0 && d <= 0x1p53 && d == floor(d))
		return buf_put_u64(w->b, (uint64_t)d);
	text = jv_dump_string(jv_copy(v), 0);
	r = buf_put(w->b, jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
	jv_free(text);
	return r;
}

static int put_array(struct writer *w, jv v, unsigned depth)
{
	int n = jv_array_length(jv_copy(v)), r = buf_puts(w->b, "[");

	for (int i = 0; r == 0 && i < n; i++) {
		jv item = jv_array_get(jv_copy(v), i);

		if (i)
			r = buf_puts(w->b, ",");
		if (r == 0)
			r = put(w, item, depth);
		jv_free(item);
	}
	return r == 0 ? buf_puts(w->b, "]") : r;
}

static int put_object(struct writer *w, jv v, unsigned depth)
{
	int r = buf_puts(w->b, "{");
	bool first = true;

	for (int at = jv_object_iter(v); r == 0 && jv_object_iter_valid(v, at);
	     at = jv_object_iter_next(v, at)) {
		jv name = jv_object_iter_key(v, at), value = jv_object_iter_value(v, at);

		if (!first)
			r = buf_puts(w->b, ",");
		if (r == 0)
			r = put_string(w, name);
		if (r == 0)
			r = buf_puts(w->b, ":");
		if (r == 0)
			r = put(w, value, depth);
		first = false;
		jv_free(name);
		jv_free(value);
	}
	return r == 0 ? buf_puts(w->b, "}") : r;
}

static int put(struct writer *w, jv v, unsigned depth)
{
	if (depth > JSON_DEPTH_MAX)
		return -EDOM;
	if (w->b->len > w->max)
		return -E2BIG;
	switch (jv_get_kind(v)) {
	case JV_KIND_TRUE:
		return buf_puts(w->b, "true");
	case JV_KIND_FALSE:
		return buf_puts(w->b, "false");
	case JV_KIND_NUMBER:
		return put_number(w, v);
	case JV_KIND_STRING:
		return put_string(w, v);
	case JV_KIND_ARRAY:
		return put_array(w, v, depth + 1);
	case JV_KIND_OBJECT:
		return put_object(w, v, depth + 1);
	case JV_KIND_NULL:
	case JV_KIND_INVALID:
		break;
	}
	return buf_puts(w->b, "null");
}

int value_put(struct buf *b, jv v, size_t max)
{
	struct writer w = {b, max};
	int r = put(&w, v, 0);

	return r == 0 && b->len > max ? -E2BIG : r;
}

/* --- reading */

static jv read_value(const char **at, const char *end);

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* To what is no white space. */
static char next(const char **at, const char *end)
{
	while (*at < end && is_space(**at))
		++*at;
	return *at < end ? **at : '\0';
}

static unsigned hex4(const char *p)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++)
		n = n << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return n;
}

/* The character of an escape, whose letter *at points to; moves behind it. libjq itself refuses
 * some halves of surrogate pairs. */
static uint32_t read_escape(const char **at, const char *end)
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
	const char *found = strchr(letters, **at), *p = *at;
	unsigned low;
	uint32_t c;

	*at += 1;
	if (found)
		return (uint32_t)meant[found - letters];
	if (*p != 'u')
		return (uint32_t)*p;
	*at += 4;
	c = hex4(p + 1);
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return 0xfffd;
	low = hex4(*at + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*at += 6;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* Between its quotes. */
static jv unescape(const char *at, const char *end)
{
	jv s = jv_string_empty((int)(end - at));
	const char *plain = at;

	while (at < end) {
		if (*at != '\\') {
			at++;
			continue;
		}
		s = jv_string_append_buf(s, plain, (int)(at - plain));
		at++;
		s = jv_string_append_codepoint(s, read_escape(&at, end));
		plain = at;
	}
	return jv_string_append_buf(s, plain, (int)(at - plain));
}

static jv read_string(const char **at, const char *end)
{
	const char *start = (*at)++;
	bool escaped = false;

	while (*at < end && **at != '"') {
		if (**at == '\\') {
			escaped = true;
			++*at;
		}
		++*at;
	}
	++*at;
	return escaped ? unescape(start + 1, *at - 1)
		       : jv_string_sized(start + 1, (int)(*at - start - 2));
}

static jv read_number(const char **at, const char *end)
{
	const char *start = *at;
	char text[64];
	long n = 0;
	size_t len;

	while (*at < end && **at >= '0' && **at <= '9' && *at - start < 15)
		n = 10 * n + (*(*at)++ - '0');
	if (*at == end || !strchr("0123456789+-.eE", **at))
		return jv_number((double)n);
	while (*at < end && strchr("0123456789+-.eE", **at))
		++*at;
	len = (size_t)(*at - start);
	if (len >= sizeof(text))
		return jv_parse_sized(start, (int)len);
	memcpy(text, start, len);
	text[len] = '\0';
	return jv_number(strtod(text, NULL));
}

static jv read_array(const char **at, const char *end)
{
	jv array = jv_array();

	++*at;
	while (next(at, end) != ']') {
		array = jv_array_append(array, read_value(at, end));
		if (next(at, end) == ',')
			++*at;
	}
	++*at;
	return array;
}

static jv read_object(const char **at, const char *end)
{
	jv object = jv_object(), name;

	++*at;
	while (next(at, end) != '}') {
		name = read_string(at, end);
		next(at, end);
		++*at; /* the colon */
		object = jv_object_set(object, name, read_value(at, end));
		if (next(at, end) == ',')
			++*at;
	}
	++*at;
	return object;
}

/* A text that was found valid: it ends where it should, and is nested JSON_DEPTH_MAX deep at most.
 */
static jv read_value(const char **at, const char *end)
{
	switch (next(at, end)) {
	case '{':
		return read_object(at, end);
	case '[':
		return read_array(at, end);
	case '"':
		return read_string(at, end);
	case 't':
		*at += 4;
		return jv_true();
	case 'f':
		*at += 5;
		return jv_false();
	case 'n':
		*at += 4;
		return jv_null();
	default:
		return read_number(at, end);
	}
}

jv value_read(struct span text)
{
	const char *at = text.p;

	return text.len ? read_value(&at, text.p + text.len) : jv_null();
}
