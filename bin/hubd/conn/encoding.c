#include "conn/encoding.h"

#include <string.h>

#include "wire/wsframe.h"

static int put_frame(struct buf *out, const char *text, size_t len, uint64_t seq)
{
	int r = buf_reserve(out, WSFRAME_HEADER_MAX + len);

	(void)seq;
	if (r < 0)
		return r;
	out->len += wsframe_text((unsigned char *)out->data + out->len, len);
	return buf_put(out, text, len);
}

static int put_line(struct buf *out, const char *text, size_t len, uint64_t seq)
{
	int r = buf_reserve(out, len + 1);

	(void)seq;
	if (r < 0)
		return r;
	memcpy(out->data + out->len, text, len);
	out->data[out->len + len] = '\n';
	out->len += len + 1;
	return 0;
}

const struct encoding encoding_websocket = {.as_logged = true, .message = put_frame};
const struct encoding encoding_lines = {.message = put_line};
