/* Characters of HTTP, and spans of them: for the files of wire that read HTTP. */
#ifndef HUB_HTTP1_CHARS_H
#define HUB_HTTP1_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A piece of somebody else's buffer; without a NUL. p is NULL where there is none. */
struct http1_span {
	const char *p;
	size_t len;
};

/* What a character may stand in: a sum of these. */
enum http1_class {
	HTTP1_TOKEN = 1, /* RFC 9110 section 5.6.2 */
	HTTP1_PATH = 2,	 /* "/", pchar of RFC 3986 section 3.3, and "[", "]", "^", "|": browsers
			    leave them as they are (URL Standard, path percent-encode set) */
	HTTP1_QUERY = 4, /* all that is visible but the delimiters " # < > of RFC 3986 section 2.2
			    and of the URL Standard's query percent-encode set */
	HTTP1_HOST = 8,	 /* reg-name, RFC 3986 section 3.2.2, with the "%" of its escapes */
};

extern const unsigned char http1_class[256];

/* Whether all of n bytes are of the class, and there is at least one. */
static inline bool http1_all(const char *p, size_t n, enum http1_class which)
{
	size_t i = 0;

	while (i < n && http1_class[(unsigned char)p[i]] & which)
		i++;
	return i == n && n > 0;
}

static inline bool http1_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The value of a hexadecimal digit, or -1. */
static inline int http1_hex(char c)
{
	if (http1_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline bool http1_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline char http1_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* Compares without case, with a name that is written in lower case. */
static inline bool http1_is(struct http1_span span, const char *lower)
{
	size_t i = 0;

	while (i < span.len && lower[i] && http1_lower(span.p[i]) == lower[i])
		i++;
	return i == span.len && !lower[i];
}

/* The span without the optional white space around it (RFC 9110 section 5.6.3). */
static inline struct http1_span http1_trim(struct http1_span span)
{
	while (span.len && http1_blank(span.p[0]))
		span.p++, span.len--;
	while (span.len && http1_blank(span.p[span.len - 1]))
		span.len--;
	return span;
}

/* Takes the next element off a comma-separated list (RFC 9110 section 5.6.1), which may be empty.
 * False at the end. For lists whose elements have no quoted strings. */
static inline bool http1_element(struct http1_span *list, struct http1_span *element)
{
	const char *comma;

	if (!list->p)
		return false;
	comma = memchr(list->p, ',', list->len);
	*element = *list;
	if (comma) {
		element->len = (size_t)(comma - list->p);
		list->p += element->len + 1;
		list->len -= element->len + 1;
	} else {
		*list = (struct http1_span){NULL, 0};
	}
	*element = http1_trim(*element);
	return true;
}

/* The first byte of [p, end) that may not stand in a line (RFC 9110 section 5.5): a control
 * character other than the tab; end where there is none. Eight bytes at a time. */
static inline const char *http1_control(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	uint64_t word, del;

	for (;;) {
		while (end - p >= 8) {
			memcpy(&word, p, 8);
			del = word ^ (ones * 0x7f);
			/* Exact about whether there is one, which is all that is asked of it. */
			if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & tops)
				break;
			p += 8;
		}
		for (int i = 0; i < 8; i++, p++)
			if (p == end || ((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
				return p;
	}
}

#endif
