/* Line framing. Invariant: held is NULL unless a line is incomplete, or was just returned from
 * there. */
#include "base/line.h"

#include <stdlib.h>
#include <string.h>

static void line_release(struct line *l)
{
	free(l->held);
	l->held = NULL;
	l->len = l->cap = 0;
	l->given = false;
}

/* Keeps n more bytes of an incomplete line. Returns false without memory. */
static bool line_hold(struct line *l, const char *p, size_t n, size_t limit)
{
	size_t need = l->len + n;

	if (need > l->cap) {
		size_t cap = l->cap ? (size_t)l->cap * 2 : 128;
		char *held;

		while (cap < need)
			cap *= 2;
		if (cap > limit)
			cap = limit > need ? limit : need;
		held = realloc(l->held, cap);
		if (!held)
			return false;
		l->held = held;
		l->cap = (uint32_t)cap;
	}
	memcpy(l->held + l->len, p, n);
	l->len = (uint32_t)need;
	return true;
}

enum line_got line_next(struct line *l, const char **p, const char *end, size_t limit,
			const char **text, size_t *len)
{
	if (l->given)
		line_release(l);
	while (*p < end) {
		const char *start = *p;
		const char *feed = memchr(start, '\n', (size_t)(end - start));
		size_t n = (size_t)((feed ? feed : end) - start);

		*p = feed ? feed + 1 : end;
		if (l->skip) {
			l->skip = !feed;
			continue;
		}
		if (l->len + n > limit) {
			line_release(l);
			l->skip = !feed;
			return LINE_TOO_LONG;
		}
		if (feed && !l->held) {
			*text = start;
			*len = n;
			return LINE_WHOLE;
		}
		if (n && !line_hold(l, start, n, limit)) {
			line_release(l);
			l->skip = !feed;
			return LINE_NOMEM;
		}
		if (feed) {
			*text = l->held;
			*len = l->len;
			l->given = true;
			return LINE_WHOLE;
		}
	}
	return LINE_MORE;
}

enum line_got line_last(struct line *l, const char **text, size_t *len)
{
	if (l->given || l->skip || !l->held) {
		line_reset(l);
		return LINE_MORE;
	}
	*text = l->held;
	*len = l->len;
	l->given = true;
	return LINE_WHOLE;
}

bool line_idle(const struct line *l)
{
	return !l->skip && (!l->held || l->given);
}

size_t line_held(const struct line *l)
{
	return l->held ? l->cap : 0;
}

void line_reset(struct line *l)
{
	line_release(l);
	l->skip = false;
}
