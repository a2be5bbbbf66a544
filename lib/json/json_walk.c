/* The text is known to be well-formed, so brackets and quotes are all there is to look at. */
#include "json/json_walk.h"

#include <string.h>

static const char *over_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* p is at the opening quote; returns what is behind the closing one. */
static const char *over_string(const char *p, const char *end, bool *escaped)
{
	*escaped = false;
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\') {
			*escaped = true;
			p++;
		}
	}
	return p < end ? p + 1 : end;
}

/* p is at an opening bracket. */
static const char *over_container(const char *p, const char *end)
{
	unsigned depth = 0;
	bool escaped;

	while (p < end) {
		if (*p == '"') {
			p = over_string(p, end, &escaped);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		p++;
	}
	return end;
}

void json_walk_begin(struct json_walk *w, const char *text, size_t len)
{
	*w = (struct json_walk){.p = text + 1, .end = text + len, .object = *text == '{'};
}

bool json_walk_next(struct json_walk *w, struct json_item *item)
{
	const char *p = over_space(w->p, w->end);

	*item = (struct json_item){0};
	if (p < w->end && *p == ',')
		p = over_space(p + 1, w->end);
	if (p == w->end || *p == '}' || *p == ']')
		return false;
	if (w->object) {
		item->name = p + 1;
		p = over_string(p, w->end, &item->name_escaped);
		item->name_len = (size_t)(p - 1 - item->name);
		p = over_space(p, w->end);
		p = over_space(p + 1, w->end); /* behind the colon */
	}
	item->value = p;
	item->type = json_type_of(*p);
	if (item->type == JSON_STRING)
		p = over_string(p, w->end, &item->escaped);
	else if (item->type == JSON_OBJECT || item->type == JSON_ARRAY)
		p = over_container(p, w->end);
	else
		while (p < w->end && !strchr(" \t\r\n,]}", *p))
			p++;
	item->len = (size_t)(p - item->value);
	w->p = p;
	return true;
}

bool json_item_is(const struct json_item *item, const char *name)
{
	size_t len = strlen(name);
	char text[64];
	int n;

	if (!item->name_escaped)
		return item->name_len == len && memcmp(item->name, name, len) == 0;
	n = json_unescape(item->name, item->name_len, text, sizeof(text));
	return n >= 0 && (size_t)n == len && memcmp(text, name, len) == 0;
}

int json_item_text(const struct json_item *item, char *out, size_t cap)
{
	return json_unescape(item->value + 1, item->len - 2, out, cap);
}

/* --- names that occur twice */

struct name {
	const char *p;
	size_t len;
	bool escaped;
};

/* One character of a name, unescaped, as its bytes. Returns their number; 0 at the end; -1 for what
 * is no text. */
static int name_step(struct name *n, char out[4])
{
	size_t take = 1;
	int got;

	if (!n->len)
		return 0;
	if (*n->p == '\\') {
		take = n->p[1] == 'u' ? 6 : 2;
		/* A pair of surrogates is one character. */
		if (take == 6 && n->len >= 12 && n->p[6] == '\\' && n->p[7] == 'u' &&
		    (n->p[2] == 'd' || n->p[2] == 'D') && strchr("89abAB", n->p[3]))
			take = 12;
	}
	got = json_unescape(n->p, take, out, 4);
	n->p += take;
	n->len -= take;
	return got;
}

static bool same_text(struct name a, struct name b)
{
	char x[8], y[8];
	size_t nx = 0, ny = 0;

	if (!a.escaped && !b.escaped)
		return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
	for (;;) {
		int got;

		if (!nx && (got = name_step(&a, x)) >= 0)
			nx = (size_t)got;
		if (!ny && (got = name_step(&b, y)) >= 0)
			ny = (size_t)got;
		if (!nx || !ny)
			return nx == ny;
		if (*x != *y)
			return false;
		memmove(x, x + 1, --nx);
		memmove(y, y + 1, --ny);
	}
}

/* The first character of the first name that is no text would stop a comparison early: so each name
 * is looked over once. */
static bool is_text(struct name n)
{
	char out[4];
	int got;

	if (!n.escaped)
		return true;
	while ((got = name_step(&n, out)) > 0)
		;
	return got == 0;
}

static bool names_unique(const char *text, size_t len, struct name names[JSON_UNIQUE_MAX])
{
	struct json_walk w;
	struct json_item item;
	size_t n = 0;

	json_walk_begin(&w, text, len);
	while (json_walk_next(&w, &item)) {
		struct name name = {item.name, item.name_len, item.name_escaped};

		if (n == JSON_UNIQUE_MAX || !is_text(name))
			return false;
		for (size_t i = 0; i < n; i++)
			if (same_text(names[i], name))
				return false;
		names[n++] = name;
	}
	return true;
}

/* As deep as json_scan() allows. */
static bool unique_below(const char *text, size_t len, struct name names[JSON_UNIQUE_MAX])
{
	struct json_walk w;
	struct json_item item;

	if (*text == '{' && !names_unique(text, len, names))
		return false;
	json_walk_begin(&w, text, len);
	while (json_walk_next(&w, &item))
		if ((item.type == JSON_OBJECT || item.type == JSON_ARRAY) &&
		    !unique_below(item.value, item.len, names))
			return false;
	return true;
}

bool json_unique(const char *text, size_t len)
{
	struct name names[JSON_UNIQUE_MAX];

	if (*text != '{' && *text != '[')
		return true;
	return unique_below(text, len, names);
}
