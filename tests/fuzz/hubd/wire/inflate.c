/* Any bytes as a deflated message: no more comes out than is allowed for, twice the same; and what
 * comes out, or any text, comes out again when it was deflated. The first byte is the window, the
 * second the limit. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/deflate.h"
#include "wire/wsframe.h"

static void there_and_back(struct deflater *d, unsigned bits, const char *text, size_t len)
{
	struct buf frame = {0}, back = {0};
	size_t header;

	if (len && deflate_frame(d, bits, text, len, &frame) == 0) {
		header = wsframe_header_len((unsigned char *)frame.data);
		assert(frame.len - header > 0 && frame.len - header < len);
		assert(inflate_message(d, frame.data + header, frame.len - header, len, &back) ==
		       0);
		assert(back.len == len && memcmp(back.data, text, len) == 0);
	}
	buf_free(&frame);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct deflater *d;
	struct buf out = {0}, again = {0};
	size_t limit;
	unsigned bits;
	int r;

	if (size < 2)
		return 0;
	if (!d)
		d = deflater_new();
	bits = DEFLATE_BITS_MIN + data[0] % (DEFLATE_BITS_MAX - DEFLATE_BITS_MIN + 1);
	limit = (size_t)data[1] * data[1] * 4;
	r = inflate_message(d, data + 2, size - 2, limit, &out);
	assert(r == 0 || r == -EMSGSIZE || r == -EBADMSG);
	assert(out.len <= limit + 1 && (r != 0 || out.len <= limit));
	assert(inflate_message(d, data + 2, size - 2, limit, &again) == r);
	assert(again.len == out.len && (!out.len || memcmp(out.data, again.data, out.len) == 0));
	if (r == 0)
		there_and_back(d, bits, out.data, out.len);
	there_and_back(d, bits, (const char *)data + 2, size - 2);
	buf_free(&out);
	buf_free(&again);
	return 0;
}
