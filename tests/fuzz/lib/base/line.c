/* Any bytes in any pieces: the same lines come out as when all comes at once. The first byte gives
 * the limit, the second the size of the pieces. */
#undef NDEBUG
#include "base/line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void feed(struct line *l, const char *p, size_t n, size_t limit, struct buf *out)
{
	/* Of the exact size, so that a read behind the piece is seen. */
	char *piece = malloc(n ? n : 1);
	const char *at = piece, *text;
	enum line_got got;
	size_t len;

	assert(piece);
	memcpy(piece, p, n);
	while ((got = line_next(l, &at, piece + n, limit, &text, &len)) != LINE_MORE) {
		assert(got == LINE_WHOLE || got == LINE_TOO_LONG);
		assert(got != LINE_WHOLE || (len <= limit && !memchr(text, '\n', len)));
		assert(buf_puts(out, got == LINE_WHOLE ? "\n" : "\n!") == 0);
		assert(got != LINE_WHOLE || buf_put(out, text, len) == 0);
	}
	assert(at == piece + n);
	free(piece);
}

static void finish(struct line *l, struct buf *out)
{
	const char *text;
	size_t len;

	if (line_last(l, &text, &len) == LINE_WHOLE)
		assert(buf_puts(out, "\n<") == 0 && buf_put(out, text, len) == 0);
	assert(line_last(l, &text, &len) == LINE_MORE && line_idle(l) && !l->held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line whole = {0}, split = {0};
	struct buf want = {0}, got = {0};
	const char *text = (const char *)data + 2;
	size_t limit, step, n;

	if (size < 2)
		return 0;
	limit = data[0];
	step = data[1] + 1u;
	n = size - 2;
	feed(&whole, text, n, limit, &want);
	finish(&whole, &want);
	for (size_t i = 0; i < n; i += step)
		feed(&split, text + i, n - i < step ? n - i : step, limit, &got);
	finish(&split, &got);
	assert(want.len == got.len && (!want.len || memcmp(want.data, got.data, want.len) == 0));
	buf_free(&want);
	buf_free(&got);
	return 0;
}
