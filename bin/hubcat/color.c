/* Tokens stay byte for byte as they came: only what is between them may change. */
#include "color.h"

#include <errno.h>
#include <string.h>

#define RESET "\033[0m"

/* The end of the token at p: a string, a run of other bytes that are no punctuation, or one byte.
 */
static const char *token_end(const char *p, const char *end)
{
	if (*p == '"') {
		for (p++; p < end && *p != '"'; p++)
			if (*p == '\\' && p + 1 < end)
				p++;
		return p < end ? p + 1 : end;
	}
	if (strchr("{}[]:, \t\r\n", *p))
		return p + 1;
	while (p < end && !strchr("{}[]:,\" \t\r\n", *p))
		p++;
	return p;
}

static const char *token_color(const char *p, const char *token, const char *end)
{
	if (*p == '"') {
		while (token < end && *token == ' ')
			token++;
		return token < end && *token == ':' ? "\033[34;1m" : "\033[32m";
	}
	if (strchr("{}[]:, \t\r\n", *p))
		return NULL;
	return *p == 'n' ? "\033[90m" : *p == 't' || *p == 'f' ? "\033[33m" : "\033[36m";
}

static bool is_space(const char *p)
{
	return *p == ' ' || *p == '\t' || *p == '\r' || *p == '\n';
}

static int put_token(struct buf *out, const char *p, const char *next, const char *end, bool color)
{
	const char *with = color ? token_color(p, next, end) : NULL;

	if ((with && buf_puts(out, with) < 0) || buf_put(out, p, (size_t)(next - p)) < 0 ||
	    (with && buf_puts(out, RESET) < 0))
		return -ENOMEM;
	return 0;
}

static int put_line_break(struct buf *out, size_t depth)
{
	int r = buf_puts(out, "\n");

	while (r == 0 && depth--)
		r = buf_puts(out, "  ");
	return r;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(p))
		p++;
	return p;
}

/* As jq does: each member on a line of its own. */
static int put_spread(struct buf *out, const char *text, const char *end, bool color)
{
	const char *next;
	size_t depth = 0;
	int r = 0;

	for (const char *p = skip_space(text, end); p < end && r == 0; p = next) {
		bool closes = *p == '}' || *p == ']', opens = *p == '{' || *p == '[';

		next = token_end(p, end);
		depth -= closes && depth ? 1 : 0;
		if (closes && out->len && !strchr("{[", out->data[out->len - 1]))
			r = put_line_break(out, depth);
		if (r == 0)
			r = put_token(out, p, next, end, color);
		next = skip_space(next, end);
		if (r == 0 && *p == ':')
			r = buf_puts(out, " ");
		depth += opens;
		if (r == 0 && (*p == ',' || (opens && next < end && *next != '}' && *next != ']')))
			r = put_line_break(out, depth);
	}
	return r;
}

int color_json(struct buf *out, const char *text, size_t len, struct color_style style)
{
	const char *end = text + len, *next;
	int r = 0;

	if (style.spread)
		return put_spread(out, text, end, style.color);
	for (const char *p = text; p < end && r == 0; p = next) {
		next = token_end(p, end);
		r = *p == '\n' ? buf_puts(out, " ") : put_token(out, p, next, end, style.color);
	}
	return r;
}
