/* JSON in colours, byte for byte as it came otherwise. */
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

int color_json(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *next;

	for (const char *p = text; p < end; p = next) {
		const char *color;

		next = token_end(p, end);
		color = token_color(p, next, end);
		if (*p == '\n') {
			if (buf_put(out, " ", 1) < 0)
				return -ENOMEM;
			continue;
		}
		if ((color && buf_puts(out, color) < 0) ||
		    buf_put(out, p, (size_t)(next - p)) < 0 || (color && buf_puts(out, RESET) < 0))
			return -ENOMEM;
	}
	return 0;
}
