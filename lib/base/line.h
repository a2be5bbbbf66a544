/* Bounded line framing: whole lines out of pieces of a stream, without copying where a line came in
 * one piece. Memory is held only while a line is incomplete, so an idle stream costs the structure
 * alone. For each piece:
 *
 *	while ((got = line_next(&l, &p, end, limit, &text, &len)) != LINE_MORE)
 *		handle(got, text, len);
 */
#ifndef HUB_LINE_H
#define HUB_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed at the start. The fields are for line.c only. */
struct line {
	char *held; /* the front of a line whose end has not come */
	uint32_t len, cap;
	bool given; /* held was returned; the next call gives it back */
	bool skip;  /* in a line that is over the limit */
};

enum line_got {
	LINE_MORE,     /* all bytes are used: feed the next piece */
	LINE_WHOLE,    /* *text, *len: a line without its line feed */
	LINE_TOO_LONG, /* a line over the limit has begun: said once, the rest of it is skipped */
	LINE_NOMEM, /* a line was lost for want of memory: said once, the rest of it is skipped */
};

/* Takes the next line from the piece [*p, end) and moves *p behind it. A line may have up to limit
 * bytes without its line feed (limit <= 1 GiB). *text points into the piece, or at memory that is
 * good until the next call. Call until it says LINE_MORE; then the piece is no longer needed. */
enum line_got line_next(struct line *l, const char **p, const char *end, size_t limit,
			const char **text, size_t *len);

/* At the end of the stream: LINE_WHOLE with what stands behind the last line feed, or LINE_MORE if
 * nothing does. */
enum line_got line_last(struct line *l, const char **text, size_t *len);

/* True between two lines: nothing is held or being skipped. */
bool line_idle(const struct line *l);

/* The memory that is held, in bytes. */
size_t line_held(const struct line *l);

/* Gives the memory back and starts afresh. */
void line_reset(struct line *l);

#endif
