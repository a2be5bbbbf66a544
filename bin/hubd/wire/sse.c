#include "wire/sse.h"

static char *put_field(char *p, const char *name, size_t name_len, struct http1_span value)
{
	if (!value.len)
		return p;
	memcpy(p, name, name_len);
	p += name_len;
	memcpy(p, value.p, value.len);
	p += value.len;
	*p++ = '\n';
	return p;
}

int sse_put(struct buf *out, struct http1_span id, struct http1_span type, struct http1_span data)
{
	static const char names[] = "id: event: data: ";
	int r = buf_reserve(out, sizeof(names) + 4 + id.len + type.len + data.len);
	char *p = out->data + out->len;

	if (r < 0)
		return r;
	/* One space behind the colon is not part of the value, so that it may begin with one. */
	p = put_field(p, "id: ", 4, id);
	p = put_field(p, "event: ", 7, type);
	p = put_field(p, "data: ", 6, data);
	*p++ = '\n';
	out->len = (size_t)(p - out->data);
	return 0;
}
