/* Numbers too large for us are larger than any file. */
#include "wire/http1_range.h"

/* Takes one tag off the list, without its W/; p NULL where there is none. */
static struct http1_span next_tag(struct http1_span *list, bool *weak)
{
	struct http1_span tag = {NULL, 0};
	const char *end;

	while (list->len && (http1_blank(*list->p) || *list->p == ','))
		list->p++, list->len--;
	*weak = list->len >= 2 && list->p[0] == 'W' && list->p[1] == '/';
	if (*weak)
		list->p += 2, list->len -= 2;
	if (list->len < 2 || *list->p != '"')
		return tag;
	end = memchr(list->p + 1, '"', list->len - 1);
	if (!end)
		return tag;
	tag = (struct http1_span){list->p, (size_t)(end + 1 - list->p)};
	list->p += tag.len;
	list->len -= tag.len;
	return tag;
}

bool http1_tag_in(struct http1_span list, struct http1_span tag, enum http1_tags how)
{
	struct http1_span got = http1_trim(list);
	bool weak;

	if (got.len == 1 && *got.p == '*')
		return true;
	while ((got = next_tag(&list, &weak)).p)
		if (!(weak && how == HTTP1_STRONG) && got.len == tag.len &&
		    memcmp(got.p, tag.p, tag.len) == 0)
			return true;
	return false;
}

/* Takes a number off the front; false where there is no digit. */
static bool take_number(struct http1_span *text, uint64_t *n)
{
	const char *start = text->p;

	*n = 0;
	while (text->len && http1_digit(*text->p)) {
		uint64_t digit = (uint64_t)(*text->p - '0');

		*n = *n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *n * 10 + digit;
		text->p++, text->len--;
	}
	return text->p > start;
}

static enum http1_range one_range(struct http1_span text, uint64_t size, uint64_t *from,
				  uint64_t *len)
{
	uint64_t first, last;
	bool counted = take_number(&text, &first);

	if (!text.len || *text.p != '-')
		return HTTP1_ALL;
	text.p++, text.len--;
	if (counted && !text.len)
		last = UINT64_MAX; /* to the end */
	else if (!take_number(&text, &last) || text.len)
		return HTTP1_ALL;
	if (!counted) { /* so many at the end */
		*len = last < size ? last : size;
		*from = size - *len;
		return *len ? HTTP1_PART : last ? HTTP1_ALL : HTTP1_BEYOND;
	}
	if (last < first)
		return HTTP1_ALL;
	if (first >= size)
		return HTTP1_BEYOND;
	*from = first;
	*len = (last < size ? last + 1 : size) - first;
	return HTTP1_PART;
}

enum http1_range http1_range(struct http1_span value, uint64_t size, uint64_t *from, uint64_t *len)
{
	struct http1_span range = {NULL, 0}, element;
	const char *equals = memchr(value.p, '=', value.len);

	if (!equals || !http1_is((struct http1_span){value.p, (size_t)(equals - value.p)}, "bytes"))
		return HTTP1_ALL;
	value.len -= (size_t)(equals + 1 - value.p);
	value.p = equals + 1;
	while (http1_element(&value, &element)) {
		if (!element.len)
			continue;
		if (range.len)
			return HTTP1_ALL;
		range = element;
	}
	return range.len ? one_range(range, size, from, len) : HTTP1_ALL;
}
